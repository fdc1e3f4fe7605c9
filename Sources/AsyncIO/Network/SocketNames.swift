// How descriptions and reports tell a socket from others.

/// The addresses of a socket: "127.0.0.1:7000 to 127.0.0.1:51234"; the own one alone where no peer is known.
func addressNames(_ local: SocketAddress?, _ peer: SocketAddress?) -> String {
  let local = local?.description ?? "unknown address"
  return peer.map { "\(local) to \($0)" } ?? local
}

/// The number and the addresses, as ``ExceptionContext/socket`` has them: "descriptor 8, 127.0.0.1:7000 to
/// 127.0.0.1:51234".
func socketText(_ fileDescriptor: Int32, _ local: SocketAddress?, _ peer: SocketAddress?) -> String {
  local == nil && peer == nil
    ? "descriptor \(fileDescriptor)" : "descriptor \(fileDescriptor), \(addressNames(local, peer))"
}

extension IODescriptor {
  /// The addresses as the system has them now; nil when the descriptor is closed. Any thread, but one that has no
  /// business in a simulation sees none.
  var addresses: (local: SocketAddress?, peer: SocketAddress?)? {
    guard loop.sockets.isForAnyThread || loop.isRunningInThisThread || !loop.isRunning else {
      return isClosed ? nil : (nil, nil)
    }
    return loop.withNumber(of: self) { [sockets = loop.sockets] number in
      (sockets.localAddress(of: number), sockets.peerAddress(of: number))
    }
  }

  /// What prints as a socket: "Socket 127.0.0.1:7000 to 127.0.0.1:51234 (descriptor 8)", "Socket (closed)". Any thread.
  func describeSocket(_ kind: String, peer known: SocketAddress? = nil) -> String {
    guard let (local, peer) = addresses else { return "\(kind) (closed)" }
    if local == nil && peer == nil { return "\(kind) (descriptor \(fileDescriptor))" }
    return "\(kind) \(addressNames(local, peer ?? known)) (descriptor \(fileDescriptor))"
  }
}
