internal import CAsyncIO

/// The file behind a number. Sockets, pipes and files have an inode each; eventfd and its kin share one, see
/// `FileWitness`.
struct FileIdentity: Hashable {
  let device: UInt64
  let inode: UInt64
  /// True for the kernel's objects that have no type, and share one inode.
  let isShared: Bool

  init(_ file: casyncio_file) {
    device = file.device
    inode = file.inode
    isShared = file.kind == CASYNCIO_FILE_UNTYPED
  }

  /// Nil for a number that is not open.
  init?(_ fileDescriptor: Int32) {
    var file = casyncio_file()
    guard casyncio_file_of(fileDescriptor, &file) == 0 else { return nil }
    self.init(file)
  }
}
