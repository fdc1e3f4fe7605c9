internal import CAsyncIO
internal import SystemPackage

/// The file to which the secrets of connections are appended when that was asked for, in the form that Wireshark reads.
/// Each line is one write(2) to a file that appends, so that threads and processes may share it.
final class KeyLog: Sendable {
  private let file: FileDescriptor

  init(_ path: String) throws(TLSError) {
    do {
      // For its owner only: a reader of this file can read the connections.
      file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .append, .closeOnExec], permissions: .ownerReadWrite)
    } catch {
      throw SmallFile.failure("the key log file \(path)", (error as? Errno) ?? .ioError)
    }
  }

  deinit { try? file.close() }

  /// Append a line, without its end.
  func append(_ line: UnsafePointer<CChar>) {
    let count = strlen(line)
    withUnsafeTemporaryAllocation(byteCount: count + 1, alignment: 1) { text in
      text.copyMemory(from: UnsafeRawBufferPointer(start: line, count: count))
      text[count] = UInt8(ascii: "\n")
      // A log is an aid: a full disk must not end connections.
      _ = try? file.write(UnsafeRawBufferPointer(text))
    }
  }
}
