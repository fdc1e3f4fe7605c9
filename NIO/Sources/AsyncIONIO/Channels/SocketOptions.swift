@_spi(Channels) internal import AsyncIO
internal import NIOCore

/// Options of the socket. What they hold is words of 32 bits, one for most.
enum SocketOptions {
  static func set(_ option: ChannelOptions.Types.SocketOption, _ value: Any, on socket: ChannelEndpoint) throws {
    if socket is ChannelPipe { throw ChannelError.operationUnsupported }
    guard let value = value as? SocketOptionValue, let word = Int32(exactly: value) else {
      throw NIOCore.IOError(errnoCode: ErrorNumber.invalidArgument, reason: "\(option): \(value) is not 32 bits")
    }
    // Bootstraps set it on Unix sockets as well, which have nothing to set.
    if (socket as? ChannelSocket)?.isTCP == false && option == .tcpOption(.tcp_nodelay) { return }
    try inNIOsWords { try socket.setOption(Int32(option.level), Int32(option.name), [word]) }
  }

  static func get(_ option: ChannelOptions.Types.SocketOption, on socket: ChannelEndpoint) throws -> SocketOptionValue {
    if socket is ChannelPipe { throw ChannelError.operationUnsupported }
    let words = try inNIOsWords { try socket.option(Int32(option.level), Int32(option.name), words: 1) }
    return SocketOptionValue(words[0])
  }
}

/// Options with structures for values: `setSoLinger` and its kin.
extension BaseChannel: SocketOptionProvider {
  #if !os(Windows)
    func unsafeSetSocketOption<Value: Sendable>(
      level: SocketOptionLevel, name: SocketOptionName, value: Value
    ) -> EventLoopFuture<Void> {
      unsafeSetSocketOption(
        level: NIOBSDSocket.OptionLevel(rawValue: CInt(truncatingIfNeeded: level)),
        name: NIOBSDSocket.Option(rawValue: name), value: value)
    }

    func unsafeGetSocketOption<Value: Sendable>(
      level: SocketOptionLevel, name: SocketOptionName
    ) -> EventLoopFuture<Value> {
      unsafeGetSocketOption(
        level: NIOBSDSocket.OptionLevel(rawValue: CInt(truncatingIfNeeded: level)),
        name: NIOBSDSocket.Option(rawValue: name))
    }
  #endif

  func unsafeSetSocketOption<Value: Sendable>(
    level: NIOBSDSocket.OptionLevel, name: NIOBSDSocket.Option, value: Value
  ) -> EventLoopFuture<Void> {
    loop.submit {
      guard self.life.isOpen else { throw ChannelError.ioOnClosedChannel }
      guard MemoryLayout<Value>.size % 4 == 0 else { throw UnsupportedOption(option: "\(name) of \(Value.self)") }
      // Right because options are plain structures of C.
      let words = withUnsafeBytes(of: value) { bytes in
        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self) }
      }
      try inNIOsWords { try self.endpoint.setOption(Int32(level.rawValue), Int32(name.rawValue), words) }
    }
  }

  func unsafeGetSocketOption<Value: Sendable>(
    level: NIOBSDSocket.OptionLevel, name: NIOBSDSocket.Option
  ) -> EventLoopFuture<Value> {
    loop.submit {
      guard self.life.isOpen else { throw ChannelError.ioOnClosedChannel }
      guard MemoryLayout<Value>.size % 4 == 0 else { throw UnsupportedOption(option: "\(name) of \(Value.self)") }
      let words = try inNIOsWords {
        try self.endpoint.option(Int32(level.rawValue), Int32(name.rawValue), words: MemoryLayout<Value>.size / 4)
      }
      // Right because the caller, who names the type, says that it is the option's.
      return words.withUnsafeBytes { $0.loadUnaligned(as: Value.self) }
    }
  }
}

/// An option that a channel does not have. (NIO's channels end the process.)
struct UnsupportedOption: Error, CustomStringConvertible {
  let option: String
  var description: String { "this kind of channel has no option \(option). Set it on a channel that has it." }
}

/// The options of a channel, for its loop's thread.
struct SynchronousOptions: NIOSynchronousChannelOptions {
  let channel: BaseChannel

  func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
    try channel.set(option, to: value)
  }

  func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value { try channel.get(option) }
}
