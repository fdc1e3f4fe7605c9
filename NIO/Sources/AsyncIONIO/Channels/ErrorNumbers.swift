internal import SystemPackage

/// The numbers of the errors that channels know, as NIO's `IOError` has them.
enum ErrorNumber {
  static let again = Errno.resourceTemporarilyUnavailable.rawValue
  static let badDescriptor = Errno.badFileDescriptor.rawValue
  static let connectionAborted = Errno.connectionAbort.rawValue
  static let invalidArgument = Errno.invalidArgument.rawValue
  static let noFunction = Errno.noFunction.rawValue
  static let notConnected = Errno.socketNotConnected.rawValue
  static let notSupported = Errno.notSupported.rawValue
  /// No descriptors or no memory: it passes.
  static let shortages = [
    Errno.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory,
  ].map(\.rawValue)
}
