internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// A directory of one check. It and its files are removed when the check has ended.
public final class ScratchDirectory: Sendable {
  /// Where it is. Short enough for the path of a Unix socket.
  public let path: String

  init() throws {
    path = try TemporaryName.directory()
  }

  /// The path of a name in it.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Write a file.
  public func write(_ text: String, to name: String) throws {
    let descriptor = try FileDescriptor.open(
      FilePath(file(name)), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try descriptor.closeAfter { _ = try descriptor.writeAll(text.utf8) }
  }

  /// Whether there is a file of this name.
  public func contains(_ name: String) -> Bool { access(file(name), F_OK) == 0 }

  /// Remove a file; does nothing if there is none.
  public func remove(_ name: String) { unlink(file(name)) }

  func removeAll(_ names: [String]) {
    for name in names { remove(name) }
    rmdir(path)
  }
}

extension ConformanceSubject {
  /// Make a directory that is removed after the check, and with it files of these names.
  public func scratchDirectory(files names: String...) throws -> ScratchDirectory {
    let directory = try ScratchDirectory()
    atEnd { directory.removeAll(names) }
    return directory
  }
}
