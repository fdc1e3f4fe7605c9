internal import CAsyncIO
internal import Logging
internal import SystemPackage

// The file that a Unix socket leaves in the file system. The traps:
//
// - A bind does not take over a path that exists, and nothing removes the file when its socket is gone. So the next
//   start of a server finds the file of the last one, and has to remove it; but only a socket, never somebody's data.
// - A program may still have the socket. Taking its path would silently leave it without clients. So the bind first
//   asks whether a program has it; see ``isLive(_:)`` for how to ask without being noticed.
// - A second server may have taken over the path meanwhile. Its file is another inode, and must stay when the first
//   server goes. Inodes are reused too: so the file is removed while its socket is still open, which keeps its inode.
// - The directory of the process may change between the bind and the close. So a relative path becomes an absolute one.

/// The file of a bound Unix socket, to be removed when the socket is closed.
struct UnixSocketFile: Sendable {
  /// A path as the system takes it, with its terminating NUL.
  private let path: [CChar]
  private let identity: FileIdentity

  /// Note the file that a bind has just made; nil for an abstract name, which has no file.
  init?(boundTo address: SocketAddress) {
    guard let path = address.unixFilePath, let file = Self.file(at: path) else { return nil }
    identity = FileIdentity(file)
    let absolute = Self.absolute(path)
    self.path = Self.file(at: absolute).map(FileIdentity.init) == identity ? absolute : path
  }

  /// Return the path from the root on; the same path if the system does not say where this process is.
  private static func absolute(_ path: [CChar]) -> [CChar] {
    guard path.first != CChar(bitPattern: UInt8(ascii: "/")) else { return path }
    guard let directory = casyncio_current_directory() else { return path }
    defer { free(directory) }
    return UnsafeBufferPointer(start: directory, count: strlen(directory)) + [CChar(bitPattern: UInt8(ascii: "/"))]
      + path
  }

  // MARK: Before a bind

  /// Make way for a bind: remove a socket whose program has gone. Any other file stays, and the bind will fail on it.
  static func removeStale(at address: SocketAddress, on core: BaseEventLoop) async throws {
    guard core.sockets.hasFileSystem, let path = address.unixFilePath, isSocket(path) else { return }
    // A socket that was just closed may be with the system for a turn or two of its loop, which may be another loop.
    for pause in [0, 0, 1, 5, 20] where isLive(address) {
      try await core.sleep(until: core.time().advanced(by: .milliseconds(pause)))
    }
    guard isSocket(path), !isLive(address), let error = failureToRemove(path) else { return }
    core.logger.error("cannot remove the stale socket \(address): \(error)")
  }

  /// Return whether a program has the socket of this address. A datagram socket asks: a server for streams then refuses
  /// the type before it could see a connection, even if it does not listen yet or its queue is full. A socket that may
  /// not be asked counts as live.
  private static func isLive(_ address: SocketAddress) -> Bool {
    let probe = casyncio_socket(AF_UNIX, casyncio_datagram_type, 0)
    guard probe >= 0 else { return true }
    defer { closeNumber(probe) }
    return ![-ECONNREFUSED, -ENOENT].contains(address.withSockaddr { casyncio_connect(probe, $0, $1) })
  }

  // MARK: After it

  /// Set the permissions. Throws the system's error.
  func setMode(_ mode: FilePermissions) throws(Errno) {
    let status = casyncio_set_permissions(path, UInt32(mode.rawValue))
    if status < 0 { throw Errno(rawValue: -status) }
  }

  /// Remove the file if it is still the one that the bind made. Call it once, before the socket is closed. A file that
  /// has already been removed is fine.
  func remove(_ logger: Logger? = nil) {
    guard let file = Self.file(at: path), FileIdentity(file) == identity else { return }
    guard let error = Self.failureToRemove(path) else { return }
    let name = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    logger?.error("cannot remove the socket \(name): \(error)")
  }

  /// Remove a file. Returns why that failed; nil if it is gone.
  private static func failureToRemove(_ path: [CChar]) -> Errno? {
    let status = casyncio_remove(path)
    return status == 0 || status == -ENOENT ? nil : Errno(rawValue: -status)
  }

  // MARK: What is there

  private static func isSocket(_ path: [CChar]) -> Bool {
    file(at: path).map { $0.kind == CASYNCIO_FILE_SOCKET } ?? false
  }

  /// Return the file itself: a link to a socket is not a bound socket.
  private static func file(at path: [CChar]) -> casyncio_file? {
    var file = casyncio_file()
    return casyncio_file_at(path, &file) == 0 ? file : nil
  }
}
