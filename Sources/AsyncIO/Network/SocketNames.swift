// How descriptions and reports tell sockets apart.

/// Return the addresses of a socket: "127.0.0.1:7000 to 127.0.0.1:51234"; only this side's if no peer is known.
func addressNames(_ local: SocketAddress?, _ peer: SocketAddress?) -> String {
  let local = local?.description ?? "unknown address"
  return peer.map { "\(local) to \($0)" } ?? local
}

/// Return the number and the addresses, as in ``ExceptionContext/socket``: "descriptor 8, 127.0.0.1:7000 to
/// 127.0.0.1:51234".
func socketText(_ fileDescriptor: Int32, _ local: SocketAddress?, _ peer: SocketAddress?) -> String {
  local == nil && peer == nil
    ? "descriptor \(fileDescriptor)" : "descriptor \(fileDescriptor), \(addressNames(local, peer))"
}

extension IODescriptor {
  /// The addresses as the system has them now; nil for a closed descriptor. Any thread; but where
  /// sockets belong to the loop's thread (in a simulation), other threads get no addresses while the loop runs.
  var addresses: (local: SocketAddress?, peer: SocketAddress?)? {
    guard loop.sockets.isForAnyThread || loop.isRunningInThisThread || !loop.isRunning else {
      return isClosed ? nil : (nil, nil)
    }
    return loop.withNumber(of: self) { [sockets = loop.sockets] number in
      (sockets.localAddress(of: number), sockets.peerAddress(of: number))
    }
  }

  /// Describe a socket: "Socket 127.0.0.1:7000 to 127.0.0.1:51234 (descriptor 8)", "Socket (closed)". Any thread.
  func describeSocket(_ kind: String, peer known: SocketAddress? = nil) -> String {
    guard let (local, peer) = addresses else { return "\(kind) (closed)" }
    if local == nil && peer == nil { return "\(kind) (descriptor \(fileDescriptor))" }
    return "\(kind) \(addressNames(local, peer ?? known)) (descriptor \(fileDescriptor))"
  }
}
