internal import CAsyncIO

/// An option of a socket, with the type of its value: `try socket.set(.noDelay, to: true)`. Answers the names of
/// Python's `setsockopt`.
public struct SocketOption<Value: Sendable>: Sendable {
  /// `SOL_SOCKET`, or the number of a protocol.
  public let level: Int32
  /// The system's number of the option.
  public let name: Int32
  private let isReadOnly: Bool
  /// The system's form, one number or more; nil for a value that has none, and a text that says what it must be.
  private let encode: @Sendable (Value) -> [Int32]?
  private let range: String
  private let decode: @Sendable ([Int32]) -> Value
  private let width: Int

  private init(
    _ level: Int32, _ name: Int32, width: Int = 1, isReadOnly: Bool = false, range: String = "",
    encode: @escaping @Sendable (Value) -> [Int32]?, decode: @escaping @Sendable ([Int32]) -> Value
  ) {
    (self.level, self.name, self.width, self.isReadOnly, self.range) = (level, name, width, isReadOnly, range)
    (self.encode, self.decode) = (encode, decode)
  }

  /// Return the value that the descriptor has.
  func get(_ fd: Int32, _ sockets: any SocketCalls) throws(IOError) -> Value {
    var words = [Int32](repeating: 0, count: width)
    let result = sockets.getOption(fd, level, name, &words)
    if result < 0 { throw IOError(result: Int(result), "getsockopt", subject(fd)) }
    return decode(words)
  }

  func set(_ fd: Int32, _ value: Value, _ sockets: any SocketCalls) throws {
    guard !isReadOnly else {
      throw EventLoopError(.invalidArgument, "setsockopt: option \(name) can only be read. Do not set it.")
    }
    guard let words = encode(value) else {
      throw EventLoopError(.invalidArgument, "setsockopt: the value of option \(name) is \(value). Give \(range).")
    }
    let result = sockets.setOption(fd, level, name, words)
    if result < 0 { throw IOError(result: Int(result), "setsockopt", subject(fd)) }
  }

  private func subject(_ fd: Int32) -> String { "level \(level), option \(name) of descriptor \(fd)" }
}

extension SocketOption where Value == Int32 {
  /// Create any option whose value is a number, by the system's numbers: for instance `IPPROTO_TCP` and
  /// `TCP_USER_TIMEOUT`.
  public init(level: Int32, name: Int32) {
    self.init(level, name, encode: { [$0] }, decode: { $0[0] })
  }
}

extension SocketOption where Value == Bool {
  /// Create an option that is on or off, by the system's numbers.
  public init(switchAtLevel level: Int32, name: Int32) {
    self.init(level, name, encode: { [$0 ? 1 : 0] }, decode: { $0[0] != 0 })
  }

  /// Bind even if connections of an earlier socket linger (`SO_REUSEADDR`).
  public static var reuseAddress: Self { Self(switchAtLevel: SOL_SOCKET, name: SO_REUSEADDR) }
  /// Share the port with other sockets of this user (`SO_REUSEPORT`).
  public static var reusePort: Self { Self(switchAtLevel: SOL_SOCKET, name: SO_REUSEPORT) }
  /// Allow datagrams to broadcast addresses (`SO_BROADCAST`).
  public static var broadcast: Self { Self(switchAtLevel: SOL_SOCKET, name: SO_BROADCAST) }
  /// Probe now and then whether an idle peer is still there (`SO_KEEPALIVE`).
  public static var keepAlive: Self { Self(switchAtLevel: SOL_SOCKET, name: SO_KEEPALIVE) }
  /// Send small amounts at once (`TCP_NODELAY`).
  public static var noDelay: Self { Self(switchAtLevel: Int32(IPPROTO_TCP), name: TCP_NODELAY) }
  /// Take no IPv4 peers on an IPv6 socket (`IPV6_V6ONLY`).
  public static var ipv6Only: Self { Self(switchAtLevel: Int32(IPPROTO_IPV6), name: IPV6_V6ONLY) }
  /// True for a socket that listens (`SO_ACCEPTCONN`); can only be read.
  public static var isListening: Self {
    Self(SOL_SOCKET, SO_ACCEPTCONN, isReadOnly: true, encode: { _ in [] }, decode: { $0[0] != 0 })
  }
}

extension SocketOption where Value == Int {
  private init(size name: Int32) {
    // The system would take a negative number for a huge one.
    self.init(
      SOL_SOCKET, name, range: "0 or more", encode: { $0 < 0 ? nil : [Int32(clamping: $0)] }, decode: { Int($0[0]) })
  }

  /// The number of bytes that the system keeps for the reader (`SO_RCVBUF`). Linux doubles what is set.
  public static var receiveBufferSize: Self { Self(size: SO_RCVBUF) }
  /// The number of bytes that the system takes from the writer (`SO_SNDBUF`). Linux doubles what is set.
  public static var sendBufferSize: Self { Self(size: SO_SNDBUF) }
}

extension SocketOption where Value == Duration? {
  /// How long a close waits for unsent data; nil leaves that to the system, and zero makes the peer see a reset
  /// (`SO_LINGER`). The system counts whole seconds, so a part of a second counts as a whole one. A negative value is
  /// refused.
  public static var linger: Self {
    Self(
      SOL_SOCKET, SO_LINGER, width: 2, range: "zero or more, or nil",
      encode: { value in
        guard let value else { return [0, 0] }
        if value < .zero { return nil }
        // Rounded up: what is less than a second must not become the reset that zero means.
        let nanoseconds = value.saturatedNanoseconds
        let seconds = nanoseconds / 1_000_000_000 + (nanoseconds % 1_000_000_000 > 0 ? 1 : 0)
        return [1, Int32(clamping: seconds)]
      },
      decode: { $0[0] == 0 ? nil : .seconds($0[1]) })
  }
}

extension SocketOption where Value == SocketType {
  /// What the socket carries (`SO_TYPE`); can only be read.
  public static var type: Self {
    Self(
      SOL_SOCKET, SO_TYPE, isReadOnly: true, encode: { [$0.rawValue] }, decode: { SocketType(rawValue: $0[0]) })
  }
}

/// Which directions of a connection to end.
public enum SocketDirection: Sendable {
  /// Nothing more is received.
  case reading
  /// The peer sees the end of the stream.
  case writing
  /// Both.
  case both

  var systemValue: Int32 {
    switch self {
    case .reading: Int32(SHUT_RD)
    case .writing: Int32(SHUT_WR)
    case .both: Int32(SHUT_RDWR)
    }
  }
}
