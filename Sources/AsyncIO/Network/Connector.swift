/// What to connect to, and how. The code that offers the arguments to programs fills it in.
struct ConnectRequest: Sendable {
  /// A name or a literal address.
  var host: String
  var port: UInt16
  var family = AddressFamily.unspecified
  var proto: Int32 = 0
  var flags: AddressInfoFlags = []
  /// A name or a literal address of this machine to connect from; nil leaves it to the system.
  var localHost: String?
  /// 0 leaves it to the system.
  var localPort: UInt16 = 0
  /// How long an attempt may take before the next one joins; nil tries one address after another.
  var happyEyeballsDelay: Duration?
  /// How many addresses of the first family come before the families take turns; nil keeps the resolver's order.
  var interleave: Int?
  /// True if a failure lists its attempts even where one error would do.
  var allErrors = false
  /// The name of the call in errors.
  var operation = "connect"

  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

/// Connects sockets, for streams and transports alike.
enum Connector {
  /// Connect to a host. Returns a descriptor that is connected, non-blocking and in the loop's care; the caller takes
  /// it over or closes it. Throws ``ResolutionError``, ``IOError``, ``ConnectError``, `CancellationError`; code
  /// `invalidArgument`, `closed`.
  static func connect(_ request: ConnectRequest, on core: BaseEventLoop) async throws -> IODescriptor {
    try check(request)
    var query = AddressQuery(host: request.host, port: request.port)
    (query.family, query.type) = (request.family, .stream)
    (query.proto, query.flags) = (request.proto, request.flags)
    let remote = try Resolver.begin(query, on: core)
    defer { remote.cancel() }
    let local = try localQuery(request).map { try Resolver.begin($0, on: core) }
    defer { local?.cancel() }
    let addresses = ordered(try await remote.get(), request)
    let locals = try await local?.get()
    return try await connect(to: addresses, from: locals, request, on: core)
  }

  /// Connect to one address.
  static func connect(
    to address: SocketAddress, from local: SocketAddress? = nil, on core: BaseEventLoop
  ) async throws -> IODescriptor {
    let request = ConnectRequest(host: "\(address)", port: 0)
    return try await connect(
      to: [AddressInfo(address)], from: local.map { [AddressInfo($0)] }, request, on: core)
  }

  /// Connect to the first of several addresses that answers.
  static func connect(
    to addresses: [AddressInfo], from locals: [AddressInfo]?, _ request: ConnectRequest, on core: BaseEventLoop
  ) async throws -> IODescriptor {
    let race = Connecting(addresses, from: locals, delay: request.happyEyeballsDelay, on: core)
    switch try await race.run() {
    case .success(let descriptor): return descriptor
    case .failure(let failures): throw error(for: failures.errors, request)
    }
  }

  private static func check(_ request: ConnectRequest) throws(EventLoopError) {
    if let delay = request.happyEyeballsDelay, delay < .zero {
      throw EventLoopError(
        .invalidArgument, "\(request.operation): happyEyeballsDelay is \(delay). Give a positive duration, or nil.")
    }
    if let interleave = request.interleave, interleave < 1 {
      throw EventLoopError(
        .invalidArgument, "\(request.operation): interleave is \(interleave). Give at least 1, or nil.")
    }
  }

  private static func localQuery(_ request: ConnectRequest) -> AddressQuery? {
    guard request.localHost != nil || request.localPort != 0 else { return nil }
    var query = AddressQuery(host: request.localHost, port: request.localPort)
    (query.family, query.type) = (request.family, .stream)
    (query.proto, query.flags) = (request.proto, request.flags)
    // A port alone is a port of any interface.
    if query.host == nil { query.flags.insert(.passive) }
    return query
  }

  private static func ordered(_ addresses: [AddressInfo], _ request: ConnectRequest) -> [AddressInfo] {
    guard let count = request.interleave ?? (request.happyEyeballsDelay == nil ? nil : 1) else { return addresses }
    return interleaved(addresses, first: count)
  }

  /// Interleave families: they take turns, in the order in which they appear; the first one begins with `count` turns.
  static func interleaved(_ addresses: [AddressInfo], first count: Int) -> [AddressInfo] {
    var families: [[AddressInfo]] = []
    for info in addresses {
      if let index = families.firstIndex(where: { $0[0].family == info.family }) {
        families[index].append(info)
      } else {
        families.append([info])
      }
    }
    guard !families.isEmpty else { return [] }
    var result = Array(families[0].prefix(count - 1))
    families[0].removeFirst(result.count)
    for turn in 0..<(families.map(\.count).max() ?? 0) {
      result += families.compactMap { turn < $0.count ? $0[turn] : nil }
    }
    return result
  }

  /// Return the error to throw: a single error as it is, and also an error that is the same for every attempt.
  private static func error(for attempts: [IOError], _ request: ConnectRequest) -> any Error {
    if attempts.isEmpty { return ResolutionError(host: request.host, reason: "it has no addresses") }
    if !request.allErrors && Set(attempts.map(\.description)).count == 1 { return attempts[0] }
    return ConnectError(host: request.host, attempts: attempts)
  }
}
