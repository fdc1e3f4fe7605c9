internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A file without a name, with contents, its position at the beginning. Closed when this goes away.
final class TemporaryFile: Sendable {
  let descriptor: FileDescriptor

  init(_ bytes: [UInt8]) throws {
    var template = Array("/tmp/asyncio-conformance-XXXXXX".utf8CString)
    let number = mkstemp(&template)
    guard number >= 0 else { throw Errno(rawValue: errno) }
    unlink(template)
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
