internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

extension BaseEventLoop {
  /// Call back in every turn in which the descriptor can be read. Loop thread. Answers `add_reader`.
  public final func addReader(
    _ fileDescriptor: Int32, site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws {
    try addWatch(fileDescriptor, \.reader, "addReader", site, callback)
  }

  /// Call back in every turn in which the descriptor can be written. Loop thread. Answers `add_writer`.
  public final func addWriter(
    _ fileDescriptor: Int32, site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws {
    try addWatch(fileDescriptor, \.writer, "addWriter", site, callback)
  }

  /// Remove the reader. Returns `false` if there was none. Loop thread. Answers `remove_reader`.
  @discardableResult
  public final func removeReader(_ fileDescriptor: Int32) throws -> Bool {
    try removeWatch(fileDescriptor, \.reader, "removeReader")
  }

  /// Remove the writer. Returns `false` if there was none. Loop thread. Answers `remove_writer`.
  @discardableResult
  public final func removeWriter(_ fileDescriptor: Int32) throws -> Bool {
    try removeWatch(fileDescriptor, \.writer, "removeWriter")
  }

  private typealias Side = ReferenceWritableKeyPath<Watch, Handle?>

  private final func addWatch(
    _ fd: Int32, _ side: Side, _ operation: String, _ site: CallSite, _ callback: sending @escaping () throws -> Void
  ) throws {
    try checkWatchAccess(operation)
    let file = try Self.checkWatchable(fd)
    try checkNotOwned(fd, operation)
    let known = watches[fd]
    // A number that came again is a new descriptor; the backend ends what waited under the old one.
    let watched = try known.flatMap { isWatching($0, file) ? $0 : nil } ?? makeWatch(fd, file)
    let (descriptor, watch) = (watched.descriptor, watched.watch)
    let replaced = watch[keyPath: side]
    watch[keyPath: side] = watchHandle(of: descriptor, site, callback)
    descriptor.watch = watch
    do {
      try backend.watch(descriptor, readable: watch.waitsToRead, writable: watch.waitsToWrite)
    } catch {
      watch[keyPath: side] = replaced
      if watch.isOver { descriptor.watch = nil }
      throw error
    }
    watches[fd] = watched
    replaced?.cancel()
    if let known, known.watch !== watch { known.descriptor.cancelWatch() }
  }

  /// True if the watch is that of this file, and not over.
  private final func isWatching(_ watched: Watched, _ file: FileIdentity) -> Bool {
    let descriptor = watched.descriptor
    return watched.watch.file == file && backend.attached(descriptor.fileDescriptor) === descriptor
      && backend.namesWatchedFile(descriptor)
  }

  /// Note what the number stands for.
  private final func makeWatch(_ fd: Int32, _ file: FileIdentity) throws(Errno) -> Watched {
    let witness = try witness(for: file, fd)
    return Watched(descriptor: IODescriptor(fd, loop: self), watch: Watch(self, file, witness))
  }

  /// Return what remembers the file of a number, if neither its identity nor the backend tells it from others.
  private final func witness(for file: FileIdentity, _ fd: Int32) throws(Errno) -> FileWitness? {
    guard file.isShared, !backend.knowsWatchedFiles else { return nil }
    let witness: FileWitness
    if let known = self.witness { witness = known } else { witness = try FileWitness() }
    self.witness = witness
    try witness.remember(fd)
    return witness
  }

  /// Call back while the number stands for the same file. Checked as late as possible: a callback before this one may
  /// have closed the number, and opened something else.
  private final func watchHandle(
    of descriptor: IODescriptor, _ site: CallSite, _ callback: sending @escaping () throws -> Void
  ) -> Handle {
    Handle(loop: self, site: site, repeating: true) {
      let backend = descriptor.loop.backend
      if backend.namesWatchedFile(descriptor) { try callback() } else { backend.watchIsLost(descriptor) }
    }
  }

  private final func removeWatch(_ fd: Int32, _ side: Side, _ operation: String) throws -> Bool {
    if isClosed { return false }
    try checkWatchAccess(operation)
    try checkNotOwned(fd, operation)
    guard let watched = watches[fd], let handle = watched.watch[keyPath: side] else { return false }
    let (descriptor, watch) = (watched.descriptor, watched.watch)
    // A callback that is already queued must not run.
    handle.cancel()
    watch[keyPath: side] = nil
    if watch.isOver {
      watches[fd] = nil
      descriptor.watch = nil
      watch.witness?.forget(fd)
    }
    // It fails for a number that was closed first, and then the kernel has forgotten the other direction as well.
    try? backend.watch(descriptor, readable: watch.waitsToRead, writable: watch.waitsToWrite)
    return true
  }

  /// Check the thread. Watches change the table of the backend, so they are for the loop's thread, or for the thread
  /// that sets up a loop that does not run. There is no thread-safe path to take: the caller needs the answer.
  private final func checkWatchAccess(_ operation: String) throws(EventLoopError) {
    if isRunningInThisThread { return }
    switch lifecycle.load(ordering: .acquiring) {
    case Lifecycle.closed: throw .closed(operation)
    case Lifecycle.running: throw .wrongThread(operation)
    default: break
    }
  }

  private final func checkNotOwned(_ fd: Int32, _ operation: String) throws(EventLoopError) {
    guard let owner = backend.attached(fd), !owner.isWatch, !owner.isClosed else { return }
    throw EventLoopError(
      .invalidState, "\(operation): descriptor \(fd) belongs to an open connection. Use the connection, or close it.")
  }

  /// Refuse dead numbers and files that are always ready, in the same way on every backend.
  private static func checkWatchable(_ fd: Int32) throws(Errno) -> FileIdentity {
    var file = casyncio_file()
    let status = casyncio_file_of(fd, &file)
    guard status == 0 else { throw Errno(rawValue: -status) }
    if file.kind == CASYNCIO_FILE_REGULAR || file.kind == CASYNCIO_FILE_DIRECTORY { throw .notPermitted }
    return FileIdentity(file)
  }
}
