import POSIX
import SystemPackage

/// Make a file or directory under a name that nobody else has: `make` is `mkstemp` or `mkdtemp`, which fill the name
/// in.
func makeTemporary<R>(_ make: (UnsafeMutablePointer<CChar>) -> R) -> (path: String, result: R) {
  var template = Array("/tmp/asyncio-test-XXXXXX".utf8CString)
  let result = template.withUnsafeMutableBufferPointer { make($0.baseAddress!) }
  return (String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self), result)
}

/// A file of its own that has no name any more, for reading and writing. The caller closes it.
func unnamedFile() -> Int32 {
  let (path, file) = makeTemporary { mkstemp($0) }
  _ = fcntl(file, F_SETFD, FD_CLOEXEC)
  unlink(path)
  return file
}

/// A file with numbered bytes, its position at the beginning, open while it lives.
final class NumberedFile: Sendable {
  let descriptor: FileDescriptor

  init(_ count: Int) throws {
    descriptor = FileDescriptor(rawValue: unnamedFile())
    try descriptor.writeAll(numbered(0..<count))
    try descriptor.seek(offset: 0, from: .start)
  }

  deinit { try? descriptor.close() }

  var position: Int { Int((try? descriptor.seek(offset: 0, from: .current)) ?? -1) }
}
