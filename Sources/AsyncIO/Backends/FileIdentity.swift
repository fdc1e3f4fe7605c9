internal import CAsyncIO

/// The file behind a number. Sockets, pipes and files have an inode each; eventfd and its kin share one, see
/// `FileWitness`.
struct FileIdentity: Hashable {
  let device: dev_t
  let inode: ino_t
  /// True for the kernel's objects that have no type, and share one inode.
  let isShared: Bool

  init(_ status: stat) {
    device = status.st_dev
    inode = status.st_ino
    isShared = status.st_mode & mode_t(S_IFMT) == 0
  }

  /// Nil for a number that is not open.
  init?(_ fileDescriptor: Int32) {
    var status = stat()
    guard fstat(fileDescriptor, &status) == 0 else { return nil }
    self.init(status)
  }
}
