internal import CAsyncIO
internal import Logging
internal import SystemPackage

// The file that a Unix socket leaves in the file system. The traps:
//
// - A bind does not take over a path that exists, and nothing removes the file when its socket is gone. So the next
//   start of a server finds the file of the last one, and has to remove it; but only a socket, never anybody's data.
// - A second server may have taken the path over meanwhile. Its file is another inode, and must stay when the first
//   one goes. Inodes are used again, too: so the file goes while its socket is still open, which keeps its inode.

/// The file of a bound Unix socket, to be removed when the socket is closed.
struct UnixSocketFile: Sendable {
  let path: String
  private let identity: FileIdentity

  /// What a bind has just made; nil for an abstract name, which has no file.
  init?(boundTo address: SocketAddress) {
    guard !address.isAbstract, let path = address.unixPath, let status = Self.status(of: path) else { return nil }
    self.path = path
    identity = FileIdentity(status)
  }

  /// Makes way for a bind: removes a socket. Any other file stays, and the bind will say so.
  static func removeStale(at address: SocketAddress, _ logger: Logger) {
    guard !address.isAbstract, let path = address.unixPath, let status = status(of: path) else { return }
    guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFSOCK), unlink(path) != 0, casyncio_errno() != ENOENT else {
      return
    }
    logger.error("cannot remove the stale socket \(path): \(Errno(rawValue: casyncio_errno()))")
  }

  /// Removes the file if it is still the one that the bind made. Before the socket is closed, and once. What somebody
  /// removed already is fine.
  func remove(_ logger: Logger) {
    guard let status = Self.status(of: path), FileIdentity(status) == identity else { return }
    guard unlink(path) != 0, casyncio_errno() != ENOENT else { return }
    logger.error("cannot remove the socket \(path): \(Errno(rawValue: casyncio_errno()))")
  }

  /// Of the file itself: a link to a socket is not a socket that somebody has bound.
  private static func status(of path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
  }
}
