#if !os(Linux) && !os(Android)
  internal import SystemPackage

  /// Without the kernel's objects of no type there is nothing to tell apart.
  final class FileWitness {
    init() throws(Errno) {}
    func remember(_ fileDescriptor: Int32) throws(Errno) {}
    func forget(_ fileDescriptor: Int32) {}
    func knows(_ fileDescriptor: Int32) -> Bool { true }
  }
#endif
