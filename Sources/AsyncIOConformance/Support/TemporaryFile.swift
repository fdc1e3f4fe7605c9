internal import CAsyncIO
internal import CConformance
package import SystemPackage

/// A file or directory under a name that nobody else has, short enough for the path of a Unix socket. The caller
/// removes it.
package enum TemporaryName {
  /// Return a path that nothing has.
  static var unused: String {
    "\(String(cString: cconformance_temporary_folder()))/asyncio-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
  }

  /// Make a file, open for reading and writing.
  package static func file() throws -> (path: String, number: Int32) {
    let path = unused
    let descriptor = try FileDescriptor.open(
      FilePath(path), .readWrite, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    return (path, descriptor.rawValue)
  }

  /// Make a directory.
  package static func directory() throws -> String {
    let path = unused
    let status = cconformance_make_folder(path)
    guard status == 0 else { throw Errno(rawValue: -status) }
    return path
  }
}

/// A file without a name, with contents, its position at the beginning. Closed when this goes away.
package final class TemporaryFile: Sendable {
  package let descriptor: FileDescriptor
  /// Its number for a loop.
  package var number: Int32 { casyncio_handle_of_file(descriptor.rawValue) }
  /// The name, as long as there is one: some systems keep it while the file is open.
  private let path: String?

  package init(_ bytes: [UInt8]) throws {
    let (path, number) = try TemporaryName.file()
    self.path = casyncio_remove(path) == 0 ? nil : path
    descriptor = FileDescriptor(rawValue: number)
    try descriptor.writeAll(bytes)
    try descriptor.seek(offset: 0, from: .start)
  }

  deinit {
    try? descriptor.close()
    if let path { _ = casyncio_remove(path) }
  }
}

/// Make calls on a descriptor wait.
func setBlocking(_ number: Int32) throws {
  let status = casyncio_set_blocking(number)
  guard status >= 0 else { throw Errno(rawValue: -status) }
}

/// Return whether a descriptor is open, and calls on it wait.
func isBlocking(_ number: Int32) -> Bool { casyncio_is_nonblocking(number) == 0 }

/// Return whether a number stands for an open file.
func isOpen(_ number: Int32) -> Bool {
  var file = casyncio_file()
  return casyncio_file_of(number, &file) == 0
}
