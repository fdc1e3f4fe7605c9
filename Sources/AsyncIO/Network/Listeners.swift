internal import CAsyncIO
internal import SystemPackage

/// Where and how to listen. The code that offers the arguments to programs fills it in.
struct ListenRequest: Sendable {
  /// Names and literal addresses; nil and "" are every interface.
  var hosts: [String?] = [nil]
  /// 0 lets the system choose, for each address.
  var port: UInt16 = 0
  /// These addresses instead, with their ports.
  var addresses: [SocketAddress]?
  /// A path or an abstract name to listen on instead.
  var unixAddress: SocketAddress?
  var family = AddressFamily.unspecified
  var flags: AddressInfoFlags = .passive
  var backlog: Int32 = 4096
  var reuseAddress = true
  var reusePort = false
  var keepAlive = false
  /// The permissions of the file of a Unix socket; nil leaves it to the process.
  var mode: FilePermissions?
  /// True if the file of a Unix socket is removed with the socket.
  var removesFile = true
  /// False if the sockets are bound only, and refuse clients until `Listeners.start`.
  var listens = true
  /// The name of the call in errors.
  var operation = "bind"
}

/// A bound socket. Its holder closes it.
struct BoundSocket: Sendable {
  let fd: Int32
  /// The address, with its port filled in.
  let address: SocketAddress
  /// The file that must be removed before the socket is closed.
  let file: UnixSocketFile?
  /// True if it came from the caller.
  var isLent = false
}

/// Opens the sockets of servers, for streams and transports alike.
enum Listeners {
  /// Bind every address of the request, and listen unless it says otherwise. Throws ``ResolutionError``, ``IOError``
  /// that names the address, and code `invalidArgument`; nothing is left open then.
  static func open(_ request: ListenRequest, on loop: BaseEventLoop) async throws -> [BoundSocket] {
    try check(request)
    if let address = request.unixAddress {
      try await UnixSocketFile.removeStale(at: address, on: loop)
      return [try open(AddressInfo(address), request, loop.sockets)]
    }
    if let addresses = request.addresses {
      return try openAll(addresses.map { AddressInfo($0) }, request, loop.sockets)
    }
    return try openAll(try await addresses(of: request, on: loop), request, loop.sockets)
  }

  private static func check(_ request: ListenRequest) throws(EventLoopError) {
    if request.hosts.isEmpty {
      throw EventLoopError(
        .invalidArgument, "\(request.operation): hosts is empty. Give at least one; \"\" is every interface.")
    }
    guard request.backlog > 0 else {
      throw EventLoopError(
        .invalidArgument, "\(request.operation): backlog is \(request.backlog). Give a positive number.")
    }
  }

  /// Return the addresses of all hosts, each once.
  private static func addresses(of request: ListenRequest, on loop: BaseEventLoop) async throws -> [AddressInfo] {
    // All at once: look-ups of several names wait for each other only in the resolver.
    var lookUps: [Resolver.LookUp] = []
    defer { for lookUp in lookUps { lookUp.cancel() } }
    for host in request.hosts {
      var query = AddressQuery(host: host, port: request.port)
      (query.family, query.type, query.flags) = (request.family, .stream, request.flags)
      lookUps.append(try Resolver.begin(query, on: loop))
    }
    var found: [AddressInfo] = []
    for lookUp in lookUps {
      for info in try await lookUp.get() where !found.contains(where: { $0.address == info.address }) {
        found.append(info)
      }
    }
    return found
  }

  private static func openAll(
    _ addresses: [AddressInfo], _ request: ListenRequest, _ sockets: any SocketCalls
  ) throws -> [BoundSocket] {
    var open: [BoundSocket] = []
    do {
      var unavailable: [(IOError, SocketAddress)] = []
      for info in addresses {
        do {
          open.append(try self.open(info, request, sockets))
        } catch let error as IOError
          where error.errno == .addressNotAvailable || error.errno == .addressFamilyNotSupported
        {
          // An address that this machine does not have (IPv6 switched off) is skipped if others work.
          unavailable.append((error, info.address))
        }
      }
      if open.isEmpty, let (error, _) = unavailable.first {
        throw IOError(
          error.errno, error.operation, unavailable.map { "\($0.1)" }.joined(separator: ", "))
      }
      return open
    } catch {
      for socket in open { sockets.close(socket.fd) }
      throw error
    }
  }

  /// Open one address.
  static func open(
    _ info: AddressInfo, _ request: ListenRequest, _ sockets: any SocketCalls
  ) throws -> BoundSocket {
    let fd = try sockets.open(for: info)
    do {
      if info.address.isUnix { return try openUnix(fd, info.address, request, sockets) }
      if request.reuseAddress { _ = sockets.enable(.reuseAddress, fd) }
      if request.reusePort { try setReusePort(fd, request.operation, sockets) }
      if request.keepAlive { _ = sockets.enable(.keepAlive, fd) }
      // One socket per family: an IPv6 wildcard must not take the IPv4 port as well.
      if info.address.isIPv6 { _ = sockets.enable(.ipv6Only, fd) }
      try sockets.bind(fd, to: info.address)
      if request.listens { try sockets.listen(fd, backlog: request.backlog, info.address) }
      return BoundSocket(fd: fd, address: sockets.localAddress(of: fd) ?? info.address, file: nil)
    } catch {
      sockets.close(fd)
      throw error
    }
  }

  private static func openUnix(
    _ fd: Int32, _ address: SocketAddress, _ request: ListenRequest, _ sockets: any SocketCalls
  ) throws -> BoundSocket {
    try sockets.bind(fd, to: address)
    let file = sockets.hasFileSystem ? UnixSocketFile(boundTo: address) : nil
    do {
      // Nothing can connect before the socket listens, so the permissions are never wrong for a moment.
      if let mode = request.mode {
        do { try file?.setMode(mode) } catch { throw IOError(error, "mode", "\(address)") }
      }
      if request.listens { try sockets.listen(fd, backlog: request.backlog, address) }
      return BoundSocket(fd: fd, address: address, file: request.removesFile ? file : nil)
    } catch {
      file?.remove()
      throw error
    }
  }

  private static func setReusePort(_ fd: Int32, _ operation: String, _ sockets: any SocketCalls) throws {
    guard let error = sockets.enable(.reusePort, fd) else { return }
    throw EventLoopError(
      .invalidArgument, "\(operation): reusePort is not offered by this system (\(error)). Leave it out.")
  }
}
