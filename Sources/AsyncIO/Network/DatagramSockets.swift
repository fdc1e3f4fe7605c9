internal import CAsyncIO
internal import SystemPackage

/// One end of a datagram socket, as programs name it.
public enum DatagramName: Hashable, Sendable {
  /// A name or a literal address, and a port. nil and "" are every interface for this side, and the loopback for the
  /// other side.
  case host(String?, port: UInt16)
  /// An address, for instance of a Unix path.
  case address(SocketAddress)
}

/// Which datagram socket to open. The code that offers the arguments to programs fills it in.
struct DatagramRequest: Hashable, Sendable {
  var local: DatagramName?
  var remote: DatagramName?
  var family = AddressFamily.unspecified
  var proto: Int32 = 0
  var flags: AddressInfoFlags = []
  var reusePort = false
  /// Allow datagrams to broadcast addresses. The socket is then not connected to `remote`.
  var broadcast = false
  /// The name of the call in errors.
  var operation = "bind"
}

/// A datagram socket that is bound and connected as requested. Its holder closes it.
struct OpenDatagramSocket: Sendable {
  let fd: Int32
  let family: AddressFamily
  /// The only address that datagrams may go to.
  let remote: SocketAddress?
  /// True if the system knows it as well.
  let isConnected: Bool
  /// The file that must be removed before the socket is closed.
  let file: UnixSocketFile?

  /// Close a socket that is not wanted.
  func close(_ core: BaseEventLoop) {
    file?.remove(core.logger)
    core.sockets.close(fd)
  }
}

/// Opens datagram sockets, for endpoints and transports alike.
enum DatagramSockets {
  /// A family and a protocol in which every requested end has an address.
  private struct Choice {
    let family: AddressFamily
    let proto: Int32
    var local: SocketAddress?
    var remote: SocketAddress?
  }

  /// Return room for the longest datagram of IP, or for what a Unix socket's buffer holds unless it was enlarged.
  static func room(for family: AddressFamily) -> Int { family == .unix ? 256 * 1024 : 64 * 1024 }

  /// Try every family and protocol in which both requested ends have an address, in the resolver's order. Throws
  /// ``ResolutionError``, ``IOError`` of the first try, code `invalidArgument`.
  static func open(_ request: DatagramRequest, on core: BaseEventLoop) async throws -> OpenDatagramSocket {
    var failure: (any Error)?
    for choice in try await choices(request, on: core) {
      do {
        if let local = choice.local { try await UnixSocketFile.removeStale(at: local, on: core) }
        return try open(choice, request, on: core)
      } catch let error as CancellationError {
        throw error
      } catch {
        failure = failure ?? error
      }
    }
    throw failure ?? ResolutionError(host: "", reason: "the two ends have no address of the same family")
  }

  private static func choices(_ request: DatagramRequest, on core: BaseEventLoop) async throws -> [Choice] {
    guard request.local != nil || request.remote != nil else {
      guard request.family != .unspecified else {
        throw EventLoopError(
          .invalidArgument, "\(request.operation): there is no address and no family. Give at least one of them.")
      }
      return [Choice(family: request.family, proto: request.proto)]
    }
    let locals = try await addresses(request.local, request, passive: true, on: core)
    let remotes = try await addresses(request.remote, request, passive: false, on: core)
    let all = (locals ?? []) + (remotes ?? [])
    var choices: [Choice] = []
    for info in all where !choices.contains(where: { $0.family == info.family && $0.proto == info.proto }) {
      func first(_ ends: [AddressInfo]?) -> SocketAddress? {
        ends?.first { $0.family == info.family && $0.proto == info.proto }?.address
      }
      let choice = Choice(family: info.family, proto: info.proto, local: first(locals), remote: first(remotes))
      if (locals == nil) == (choice.local == nil) && (remotes == nil) == (choice.remote == nil) {
        choices.append(choice)
      }
    }
    return choices
  }

  /// Return the addresses of an end; nil if the end is not requested.
  private static func addresses(
    _ name: DatagramName?, _ request: DatagramRequest, passive: Bool, on core: BaseEventLoop
  ) async throws -> [AddressInfo]? {
    switch name {
    case nil: return nil
    case .address(let address):
      guard request.family.admits(address.addressFamily) else {
        throw EventLoopError(
          .invalidArgument, "\(request.operation): \(address) is not of the family \(request.family). Leave one out.")
      }
      let proto = address.isIP ? Int32(IPPROTO_UDP) : 0
      return [AddressInfo(address, type: .datagram, proto: request.proto != 0 ? request.proto : proto)]
    case .host(let host, port: let port):
      var query = AddressQuery(host: host, port: port)
      (query.family, query.type) = (request.family, .datagram)
      (query.proto, query.flags) = (request.proto, request.flags)
      if passive { query.flags.insert(.passive) }
      return try await Resolver.addresses(query, on: core)
    }
  }

  private static func open(
    _ choice: Choice, _ request: DatagramRequest, on core: BaseEventLoop
  ) throws -> OpenDatagramSocket {
    let sockets = core.sockets
    let fd = sockets.socket(choice.family.rawValue, SocketType.datagram.rawValue, choice.proto)
    guard fd >= 0 else { throw IOError(result: Int(fd), "socket", "\(choice.family)") }
    var file: UnixSocketFile?
    do {
      if request.reusePort { try setReusePort(fd, choice, request.operation, sockets) }
      if request.broadcast { try SocketOption.broadcast.set(fd, true, sockets) }
      if let local = choice.local {
        try sockets.bind(fd, to: local)
        if sockets.hasFileSystem { file = UnixSocketFile(boundTo: local) }
      }
      let connects = choice.remote != nil && !request.broadcast
      if connects, let remote = choice.remote {
        let result = sockets.connect(fd, remote)
        if result < 0 { throw IOError(result: Int(result), "connect", "to \(remote)") }
      }
      return OpenDatagramSocket(
        fd: fd, family: choice.family, remote: choice.remote, isConnected: connects, file: file)
    } catch {
      file?.remove(core.logger)
      sockets.close(fd)
      throw error
    }
  }

  private static func setReusePort(
    _ fd: Int32, _ choice: Choice, _ operation: String, _ sockets: any SocketCalls
  ) throws {
    let isIP = choice.family == .ipv4 || choice.family == .ipv6
    let error = isIP ? sockets.enable(.reusePort, fd) : .notSupported
    guard let error else { return }
    throw EventLoopError(
      .invalidArgument, "\(operation): reusePort is not offered for \(choice.family) here (\(error)). Leave it out.")
  }
}
