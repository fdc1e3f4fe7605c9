// Stands in for swift-system's module SystemPackage, whose sources need the Windows SDK: the types that this package
// uses, and of them what it uses, as they are on Windows and without bodies. A use of anything else is an error until
// it is added here, from swift-system's source and with the type that it has there.
internal import ucrt

public typealias CModeT = CInt

public enum CInterop {
  public typealias PlatformChar = UInt16
}

public struct Errno: RawRepresentable, Error, Hashable, Codable, CustomStringConvertible {
  public let rawValue: CInt
  public init(rawValue: CInt) { self.rawValue = rawValue }
  public var description: String { fatalError() }
  public static func ~= (_ lhs: Errno, _ rhs: any Error) -> Bool { fatalError() }

  public static var notPermitted: Errno { Errno(rawValue: EPERM) }
  public static var noSuchFileOrDirectory: Errno { Errno(rawValue: ENOENT) }
  public static var ioError: Errno { Errno(rawValue: EIO) }
  public static var argListTooLong: Errno { Errno(rawValue: E2BIG) }
  public static var badFileDescriptor: Errno { Errno(rawValue: EBADF) }
  public static var permissionDenied: Errno { Errno(rawValue: EACCES) }
  public static var fileExists: Errno { Errno(rawValue: EEXIST) }
  public static var invalidArgument: Errno { Errno(rawValue: EINVAL) }
  public static var tooManyOpenFilesInSystem: Errno { Errno(rawValue: ENFILE) }
  public static var tooManyOpenFiles: Errno { Errno(rawValue: EMFILE) }
  public static var brokenPipe: Errno { Errno(rawValue: EPIPE) }
  public static var resourceTemporarilyUnavailable: Errno { Errno(rawValue: EAGAIN) }
  public static var messageTooLong: Errno { Errno(rawValue: EMSGSIZE) }
  public static var notSupported: Errno { Errno(rawValue: ENOTSUP) }
  public static var addressFamilyNotSupported: Errno { Errno(rawValue: EAFNOSUPPORT) }
  public static var addressInUse: Errno { Errno(rawValue: EADDRINUSE) }
  public static var addressNotAvailable: Errno { Errno(rawValue: EADDRNOTAVAIL) }
  public static var connectionAbort: Errno { Errno(rawValue: ECONNABORTED) }
  public static var connectionReset: Errno { Errno(rawValue: ECONNRESET) }
  public static var socketNotConnected: Errno { Errno(rawValue: ENOTCONN) }
  public static var timedOut: Errno { Errno(rawValue: ETIMEDOUT) }
  public static var connectionRefused: Errno { Errno(rawValue: ECONNREFUSED) }
  public static var canceled: Errno { Errno(rawValue: ECANCELED) }
  public static var protocolError: Errno { Errno(rawValue: EPROTO) }
  public static var wouldBlock: Errno { Errno(rawValue: EWOULDBLOCK) }
}

public struct FilePermissions: OptionSet, Sendable, Hashable {
  public let rawValue: CModeT
  public init(rawValue: CModeT) { self.rawValue = rawValue }

  public static var ownerReadWrite: FilePermissions { FilePermissions(rawValue: 0o600) }
}

public struct FilePath: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public init() { fatalError() }
  public init(_ string: String) { fatalError() }
  public init(stringLiteral: String) { fatalError() }
  public init(platformString: UnsafePointer<UInt16>) { fatalError() }
  public var description: String { fatalError() }
  public var string: String { fatalError() }
  public var length: Int { fatalError() }
  public func withPlatformString<Result>(_ body: (UnsafePointer<UInt16>) throws -> Result) rethrows -> Result {
    fatalError()
  }
}

public struct FileDescriptor: RawRepresentable, Hashable, Sendable {
  public let rawValue: CInt
  public init(rawValue: CInt) { self.rawValue = rawValue }

  public struct AccessMode: RawRepresentable, Sendable, Hashable {
    public let rawValue: CInt
    public init(rawValue: CInt) { self.rawValue = rawValue }
    public static var readOnly: AccessMode { fatalError() }
    public static var writeOnly: AccessMode { fatalError() }
    public static var readWrite: AccessMode { fatalError() }
  }

  public struct OpenOptions: OptionSet, Sendable, Hashable {
    public let rawValue: CInt
    public init(rawValue: CInt) { self.rawValue = rawValue }
    public static var closeOnExec: OpenOptions { fatalError() }
    public static var append: OpenOptions { fatalError() }
    public static var create: OpenOptions { fatalError() }
    public static var exclusiveCreate: OpenOptions { fatalError() }
    public static var truncate: OpenOptions { fatalError() }
  }

  public struct SeekOrigin: RawRepresentable, Sendable, Hashable {
    public let rawValue: CInt
    public init(rawValue: CInt) { self.rawValue = rawValue }
    public static var start: SeekOrigin { fatalError() }
    public static var current: SeekOrigin { fatalError() }
  }

  public static func open(
    _ path: FilePath, _ mode: AccessMode, options: OpenOptions = [], permissions: FilePermissions? = nil,
    retryOnInterrupt: Bool = true
  ) throws -> FileDescriptor { fatalError() }

  public func close() throws { fatalError() }
  public func closeAfter<R>(_ body: () throws -> R) throws -> R { fatalError() }
  public func read(into buffer: UnsafeMutableRawBufferPointer, retryOnInterrupt: Bool = true) throws -> Int {
    fatalError()
  }
  public func write(_ buffer: UnsafeRawBufferPointer, retryOnInterrupt: Bool = true) throws -> Int { fatalError() }
  @discardableResult
  public func writeAll<S: Sequence>(_ sequence: S) throws -> Int where S.Element == UInt8 { fatalError() }
  @discardableResult
  public func seek(offset: Int64, from whence: SeekOrigin) throws -> Int64 { fatalError() }
  @discardableResult
  public func duplicate(as target: FileDescriptor? = nil, retryOnInterrupt: Bool = true) throws -> FileDescriptor {
    fatalError()
  }
  public static func pipe() throws -> (readEnd: FileDescriptor, writeEnd: FileDescriptor) { fatalError() }
}
