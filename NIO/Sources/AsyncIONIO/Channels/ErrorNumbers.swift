internal import AsyncIO
internal import NIOCore
internal import SystemPackage

/// The numbers of the errors that channels know, as NIO's `IOError` has them.
enum ErrorNumber {
  static let again = Errno.resourceTemporarilyUnavailable.rawValue
  static let badDescriptor = Errno.badFileDescriptor.rawValue
  static let addressIsConnected = Errno.socketIsConnected.rawValue
  static let brokenPipe = Errno.brokenPipe.rawValue
  static let connectionAborted = Errno.connectionAbort.rawValue
  static let connectionRefused = Errno.connectionRefused.rawValue
  static let connectionReset = Errno.connectionReset.rawValue
  static let hostUnreachable = Errno.noRouteToHost.rawValue
  static let invalidArgument = Errno.invalidArgument.rawValue
  static let messageTooLong = Errno.messageTooLong.rawValue
  static let noFunction = Errno.noFunction.rawValue
  static let noMemory = Errno.noMemory.rawValue
  static let notConnected = Errno.socketNotConnected.rawValue
  static let notSupported = Errno.notSupported.rawValue
  /// No descriptors or no memory: it passes.
  static let shortages = [
    Errno.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noBufferSpace, .noMemory,
  ].map(\.rawValue)

  /// The number of an error of either side; EIO for one that has none.
  static func of(_ error: any Error) -> Int32 {
    switch error {
    case let error as Errno: error.rawValue
    case let error as NIOCore.IOError: error.errnoCode
    case let error as AsyncIO.IOError: error.errno.rawValue
    default: Errno.ioError.rawValue
    }
  }
}
