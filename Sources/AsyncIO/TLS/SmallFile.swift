internal import SystemPackage

/// Files that are read whole when a context is made: certificates and keys.
enum SmallFile {
  /// Far more than any chain of certificates or list of authorities.
  static let maximum = 64 << 20

  /// Return what is in a file. Throws code `invalidConfiguration` with the name of the file.
  static func contents(of path: String) throws(TLSError) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
      return try file.closeAfter { try all(of: file) }
    } catch let error as Errno {
      throw failure(path, error)
    } catch {
      throw tooLarge(path)
    }
  }

  static func tooLarge(_ name: String) -> TLSError {
    TLSError(.invalidConfiguration, "TLS context: \(name) is larger than any list of certificates.")
  }

  private struct TooLarge: Error {}

  private static func all(of file: FileDescriptor) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      if bytes.count > maximum { throw TooLarge() }
    }
  }

  /// Return the failure to open or read a file.
  static func failure(_ path: String, _ error: Errno) -> TLSError {
    TLSError(.invalidConfiguration, "TLS context: \(path) cannot be read or written: \(error).")
  }
}
