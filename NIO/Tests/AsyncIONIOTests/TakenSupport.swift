import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Testing

/// A socket that is made without any loop, for a channel to take, and what is known of it afterwards.
struct RawSocket: Sendable {
  let number: CInt
  private let inode: ino_t

  init(_ number: CInt) throws {
    try #require(number >= 0, "\(String(cString: strerror(errno)))")
    self.number = number
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    inode = Self.inode(of: number) ?? 0
  }

  init(_ family: Int32, _ type: Int32) throws {
    try self.init(socket(family, type, 0))
  }

  /// Two Unix sockets that are connected to each other.
  static func pair(_ type: Int32 = Int32(SOCK_STREAM.rawValue)) throws -> (RawSocket, RawSocket) {
    var ends: [CInt] = [-1, -1]
    try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
    return (try RawSocket(ends[0]), try RawSocket(ends[1]))
  }

  static let stream = Int32(SOCK_STREAM.rawValue)
  static let datagrams = Int32(SOCK_DGRAM.rawValue)

  /// A socket that is bound to an address.
  static func bound(_ address: NIOCore.SocketAddress, _ type: Int32 = stream, listens: Bool = false) throws -> RawSocket
  {
    let made = try RawSocket(Int32(address.protocol.rawValue), type)
    try #require(address.withSockAddr { Glibc.bind(made.number, $0, socklen_t($1)) } == 0)
    if listens { try #require(Glibc.listen(made.number, 16) == 0) }
    return made
  }

  /// A blocking socket that is connected to an address.
  static func connected(_ address: NIOCore.SocketAddress, _ type: Int32 = stream) throws -> RawSocket {
    let made = try RawSocket(Int32(address.protocol.rawValue), type)
    try #require(address.withSockAddr { Glibc.connect(made.number, $0, socklen_t($1)) } == 0)
    return made
  }

  private static func inode(of number: CInt) -> ino_t? {
    var found = stat()
    return fstat(number, &found) == 0 ? found.st_ino : nil
  }

  /// True while the number stands for this socket. A number that was closed may be another file's.
  var isOpen: Bool { Self.inode(of: number) == inode }
  var isBlocking: Bool { fcntl(number, F_GETFL) & O_NONBLOCK == 0 }
  var listens: Bool {
    var (value, size): (CInt, socklen_t) = (0, 4)
    return getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0
  }

  func close() { Glibc.close(number) }
  func write(_ text: String) { _ = Glibc.write(number, text, text.utf8.count) }
  /// Read what comes next, at most 64 bytes; nil at the end.
  func read() -> String? {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = Glibc.read(number, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}

extension Channels {
  func take(
    bound socket: RawSocket, option: SocketOption? = nil, server: @escaping Initializer = { _ in },
    child: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let (server, child) = (Self.future(server), Self.future(child))
    if site == .nio {
      var bootstrap = ServerBootstrap(group: group).serverChannelInitializer(server).childChannelInitializer(child)
      if let option { bootstrap = bootstrap.serverChannelOption(option, value: 1) }
      return try await bootstrap.withBoundSocket(socket.number).get()
    }
    var bootstrap = AsyncIOServerBootstrap(group: group).serverChannelInitializer(server).childChannelInitializer(child)
    if let option { bootstrap = bootstrap.serverChannelOption(option, value: 1) }
    return try await bootstrap.withBoundSocket(socket.number).get()
  }

  func take(
    connected socket: RawSocket, halfClosure: Bool = false, option: SocketOption? = nil,
    _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let initialize = Self.future(initializer)
    if site == .nio {
      var bootstrap = ClientBootstrap(group: group).channelInitializer(initialize)
        .channelOption(.allowRemoteHalfClosure, value: halfClosure)
      if let option { bootstrap = bootstrap.channelOption(option, value: 1) }
      return try await bootstrap.withConnectedSocket(socket.number).get()
    }
    var bootstrap = AsyncIOClientBootstrap(group: group).channelInitializer(initialize)
      .channelOption(.allowRemoteHalfClosure, value: halfClosure)
    if let option { bootstrap = bootstrap.channelOption(option, value: 1) }
    return try await bootstrap.withConnectedSocket(socket.number).get()
  }

  func take(
    datagrams socket: RawSocket, option: SocketOption? = nil, _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let initialize = Self.future(initializer)
    if site == .nio {
      var bootstrap = DatagramBootstrap(group: group).channelInitializer(initialize)
      if let option { bootstrap = bootstrap.channelOption(option, value: 1) }
      return try await bootstrap.withBoundSocket(socket.number).get()
    }
    var bootstrap = AsyncIODatagramBootstrap(group: group).channelInitializer(initialize)
    if let option { bootstrap = bootstrap.channelOption(option, value: 1) }
    return try await bootstrap.withBoundSocket(socket.number).get()
  }

  func take(
    both number: CInt, halfClosure: Bool = false, _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    let initialize = Self.future(initializer)
    if site == .nio {
      return try await NIOPipeBootstrap(group: group).channelInitializer(initialize)
        .channelOption(.allowRemoteHalfClosure, value: halfClosure)
        .takingOwnershipOfDescriptor(inputOutput: number).get()
    }
    return try await AsyncIOPipeBootstrap(group: group).channelInitializer(initialize)
      .channelOption(.allowRemoteHalfClosure, value: halfClosure)
      .takingOwnershipOfDescriptor(inputOutput: number).get()
  }
}

/// An option that no system has.
let noOption = SocketOption(level: .socket, name: .init(rawValue: 9999))
typealias SocketOption = ChannelOptions.Types.SocketOption
