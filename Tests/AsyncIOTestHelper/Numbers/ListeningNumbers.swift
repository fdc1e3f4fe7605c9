import AsyncIO

/// Connections, listeners and datagram endpoints: ports, backlogs, delays and bounds.
func probeListening(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  defer { listener.close() }
  let port = listener.port
  let connect =
    "StreamConnection.connect(host:port:tls:serverHostname:family:localHost:localPort:happyEyeballsDelay:interleave:"
    + "allErrors:)"

  await probe.each(
    connect, Extreme.durations, refusing: { $0 < .zero }
  ) { value in
    try await StreamConnection.connect(host: "127.0.0.1", port: port, happyEyeballsDelay: value).close()
    _ = try await listener.accept()
  }
  await probe.each(
    connect, Extreme.ints, refusing: { $0 < 1 }
  ) { value in
    try await StreamConnection.connect(host: "127.0.0.1", port: port, interleave: value).close()
    _ = try await listener.accept()
  }
  await probe.each(connect, Extreme.ports) { value in
    // Nothing listens there, or the local port is taken; either is an error of the system.
    try await StreamConnection.connect(host: "127.0.0.1", port: value, localPort: value).close()
  }

  // The peer goes, so the handshake fails sooner or later, and by nothing else.
  await probe.each("TLSLimits.init(handshake:shutdown:)", Extreme.durations, refusing: { $0 <= .zero }) { value in
    var settings = TLSConfiguration.client()
    settings.limits = try TLSLimits(handshake: value, shutdown: value)
    let context = try TLSContext(settings)
    let connecting = try loop.createTask {
      try await StreamConnection.connect(host: "127.0.0.1", port: port, tls: context, serverHostname: "localhost")
    }
    try await listener.accept().close()
    do { try await connecting.get().close() } catch is TLSError {} catch is IOError {}
  }

  func taken(_ bind: () async throws -> StreamListener) async throws { try await bind().close() }
  func tooSmall(_ value: Int32) -> Bool { value < 1 }
  await probe.each(
    "StreamListener.bind(host:port:tls:family:backlog:reuseAddress:reusePort:keepAlive:startServing:)", Extreme.int32s,
    refusing: tooSmall
  ) { value in try await taken { try await StreamListener.bind(host: "127.0.0.1", port: 0, backlog: value) } }
  await probe.each(
    "StreamListener.bind(host:port:tls:family:backlog:reuseAddress:reusePort:keepAlive:startServing:)", Extreme.ports
  ) { value in try await taken { try await StreamListener.bind(host: "127.0.0.1", port: value) } }
  await probe.each(
    "StreamListener.bind(hosts:port:tls:family:backlog:reuseAddress:reusePort:keepAlive:startServing:)", Extreme.int32s,
    refusing: tooSmall
  ) { value in try await taken { try await StreamListener.bind(hosts: ["127.0.0.1"], port: 0, backlog: value) } }
  await probe.each(
    "StreamListener.bind(hosts:port:tls:family:backlog:reuseAddress:reusePort:keepAlive:startServing:)", [[String]()],
    refusing: \.isEmpty
  ) { value in try await taken { try await StreamListener.bind(hosts: value, port: 0) } }
  await probe.each(
    "StreamListener.bind(unixPath:tls:backlog:cleanupSocket:mode:startServing:)", Extreme.int32s, refusing: tooSmall
  ) { value in
    try await taken { try await StreamListener.bind(unixPath: "\0asyncio numbers \(value)", backlog: value) }
  }
  await probe.each("StreamListener.serve(maximumConnections:_:)", Extreme.ints, refusing: { $0 < 1 }) { value in
    let server = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    try loop.callSoon { server.close() }
    try await server.serve(maximumConnections: value) { _ in }
  }
  await probe.each(
    "StreamListener.serve(maximumConnections:drain:on:_:)", Extreme.ints, refusing: { $0 < 1 }
  ) { value in
    let server = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    try loop.callSoon { server.close() }
    try await server.serve(maximumConnections: value, drain: nil) { _ in }
  }
  await probe.each("StreamListener.serve(maximumConnections:drain:on:_:)", Extreme.durations) { value in
    let server = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    try loop.callSoon { server.close() }
    try await server.serve(drain: value) { _ in }
  }
  await probe.each(
    "StreamListener.serve(maximumConnections:until:_:)", Extreme.ints, refusing: { $0 < 1 }
  ) { value in
    try await withGracefulStop(on: [], drain: .zero) { stop in
      let server = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      try loop.callSoon { stop.request() }
      try await server.serve(maximumConnections: value, until: stop) { _ in }
    }
  }

  await probe.each("DatagramEndpoint.bind(host:port:family:reusePort:broadcast:)", Extreme.ports) { value in
    try await DatagramEndpoint.bind(host: "127.0.0.1", port: value).close()
  }
  await probe.each(
    "DatagramEndpoint.connect(host:port:localHost:localPort:family:broadcast:)", Extreme.ports
  ) { value in try await DatagramEndpoint.connect(host: "127.0.0.1", port: value, localPort: value).close() }
}
