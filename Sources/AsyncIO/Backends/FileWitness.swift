#if os(Linux) || os(Android)
  internal import CAsyncIO
  internal import SystemPackage

  // An inode does not tell one eventfd from another: they share one. An epoll instance does, because it keeps entries
  // by number and open file. So an instance that is never waited for serves as a memory that holds no file: a change of
  // an entry finds it only while number and file belong together.

  /// Remembers which open files numbers stand for. Loop thread, or the thread that closes the loop.
  final class FileWitness {
    private let epoll: Int32

    /// Throws the errno of the system, which may have no descriptors left.
    init() throws(Errno) {
      epoll = casyncio_epoll_create()
      guard epoll >= 0 else { throw Errno(rawValue: -epoll) }
    }

    deinit { closeNumber(epoll) }

    /// Remember the file that the number has now.
    func remember(_ fileDescriptor: Int32) throws(Errno) {
      let error = control(EPOLL_CTL_ADD, fileDescriptor)
      guard let error, error != .fileExists else { return }
      throw error
    }

    func forget(_ fileDescriptor: Int32) { _ = control(EPOLL_CTL_DEL, fileDescriptor) }

    /// Return whether the number stands for a file that was remembered under it.
    func knows(_ fileDescriptor: Int32) -> Bool { control(EPOLL_CTL_MOD, fileDescriptor) == nil }

    private func control(_ operation: Int32, _ fileDescriptor: Int32) -> Errno? {
      let status = casyncio_epoll_control(epoll, operation, fileDescriptor, 0, 0)
      return status == 0 ? nil : Errno(rawValue: -status)
    }
  }
#endif
