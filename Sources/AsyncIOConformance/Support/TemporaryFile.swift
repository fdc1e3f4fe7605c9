package import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A file or directory under a name that nobody else has, short enough for the path of a Unix socket. The caller
/// removes it.
package enum TemporaryName {
  /// Make a file, open for reading and writing.
  package static func file() throws -> (path: String, number: Int32) {
    let (path, number) = try make({ mkstemp($0) }, isMade: { $0 >= 0 })
    return (path, number)
  }

  /// Make a directory.
  package static func directory() throws -> String { try make({ mkdtemp($0) }, isMade: { $0 != nil }).path }

  private static func make<R>(
    _ make: (UnsafeMutablePointer<CChar>) -> R, isMade: (R) -> Bool
  ) throws -> (path: String, result: R) {
    var template = Array("/tmp/asyncio-XXXXXX".utf8CString)
    let result = template.withUnsafeMutableBufferPointer { make($0.baseAddress!) }
    guard isMade(result) else { throw Errno(rawValue: errno) }
    return (String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self), result)
  }
}

/// A file without a name, with contents, its position at the beginning. Closed when this goes away.
package final class TemporaryFile: Sendable {
  package let descriptor: FileDescriptor

  package init(_ bytes: [UInt8]) throws {
    let (path, number) = try TemporaryName.file()
    unlink(path)
    descriptor = FileDescriptor(rawValue: number)
    try descriptor.writeAll(bytes)
    try descriptor.seek(offset: 0, from: .start)
  }

  deinit { try? descriptor.close() }
}

/// Make calls on a descriptor wait.
func setBlocking(_ number: Int32) throws {
  guard fcntl(number, F_SETFL, fcntl(number, F_GETFL) & ~O_NONBLOCK) == 0 else { throw Errno(rawValue: errno) }
}

/// Return whether a descriptor is open, and calls on it wait.
func isBlocking(_ number: Int32) -> Bool {
  let flags = fcntl(number, F_GETFL)
  return flags >= 0 && flags & O_NONBLOCK == 0
}
