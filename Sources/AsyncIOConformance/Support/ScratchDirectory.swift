internal import CAsyncIO
internal import CConformance
internal import SystemPackage

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
  public func contains(_ name: String) -> Bool {
    var found = casyncio_file()
    return casyncio_file_at(file(name), &found) == 0
  }

  /// Remove a file; does nothing if there is none.
  public func remove(_ name: String) { _ = casyncio_remove(file(name)) }

  func removeAll(_ names: [String]) {
    for name in names { remove(name) }
    _ = cconformance_remove_folder(path)
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
