internal import CAsyncIO

extension StreamConnection {
  /// Connects to a host and port. Every address of the name is tried in the resolver's order; when all fail the error
  /// of the only one is thrown, or a ``ConnectError`` that lists them. Uses the running loop. Answers
  /// `open_connection`.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address.
  ///   - port: the port on that host.
  ///   - localHost: a literal address of this machine to connect from.
  /// - Throws: ``ResolutionError``, ``IOError``, ``ConnectError``, `CancellationError`; code `noRunningLoop` outside
  ///   of a loop's thread.
  public static func connect(
    host: String, port: UInt16, localHost: String? = nil
  ) async throws -> StreamConnection {
    let core = try runningCore("StreamConnection.connect")
    let local = try localHost.map { try Connector.literal($0) }
    let addresses = try await Resolver.addresses(of: host, port: port, passive: false, on: core)
    return try await Connector.connect(to: addresses, from: local, host: host, on: core)
  }

  /// Connects to an address. Throws ``IOError``, `CancellationError`; code `noRunningLoop` outside of a loop's thread.
  public static func connect(to address: SocketAddress) async throws -> StreamConnection {
    let core = try runningCore("StreamConnection.connect")
    return try await Connector.connect(to: address, from: nil, on: core)
  }
}

/// No address of a host could be connected to.
public struct ConnectError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name that was to be connected to.
  public let host: String
  /// What happened at each address, in the order of the attempts.
  public let attempts: [IOError]

  /// Every address that was tried, with its error.
  public var description: String {
    "cannot connect to \(host): " + attempts.map(\.description).joined(separator: "; ")
  }
}

enum Connector {
  static func literal(_ host: String) throws(EventLoopError) -> SocketAddress {
    if let address = SocketAddress(ipLiteral: host, port: 0) { return address }
    throw EventLoopError(
      .invalidArgument, "connect: localHost \"\(host)\" is not a literal IP address of this machine.")
  }

  static func connect(
    to addresses: [SocketAddress], from local: SocketAddress?, host: String, on core: BaseEventLoop
  ) async throws -> StreamConnection {
    var failures: [IOError] = []
    for address in addresses where local == nil || local?.family == address.family {
      do {
        return try await connect(to: address, from: local, on: core)
      } catch let error as IOError {
        failures.append(error)
      }
    }
    if failures.count == 1 { throw failures[0] }
    if failures.isEmpty { throw ResolutionError(host: host, reason: "it has no address of the wanted family") }
    throw ConnectError(host: host, attempts: failures)
  }

  /// One attempt: the socket is in a connection from the start, so whatever ends the attempt closes it.
  static func connect(
    to address: SocketAddress, from local: SocketAddress?, on core: BaseEventLoop
  ) async throws -> StreamConnection {
    let fd = try Sockets.make(for: address)
    let connection = StreamConnection(fd, core: core)
    do {
      if let local, local.withSockaddr({ CAsyncIO.bind(fd, $0, $1) }) != 0 {
        throw IOError(result: -Int(casyncio_errno()), "bind", "\(local)")
      }
      try await connection.connect(to: address)
      return connection
    } catch {
      connection.close()
      throw error
    }
  }
}

extension StreamConnection {
  fileprivate func connect(to address: SocketAddress) async throws {
    let operation = sending
    // The address must outlive the operation; it is in memory of its own until the await has ended.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(address.length), alignment: 16)
    defer { memory.deallocate() }
    address.withSockaddr { pointer, length in
      memory.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
    }
    operation.kind = .connect
    operation.buffer = memory.baseAddress
    operation.count = memory.count
    operation.transferred = 0
    await core.complete(operation)
    operation.kind = .send
    operation.buffer = nil
    guard operation.result >= 0 else {
      if operation.result == -Int(ECANCELED) { throw failure(operation.result, "connect") }
      throw IOError(result: operation.result, "connect", "to \(address)")
    }
  }
}
