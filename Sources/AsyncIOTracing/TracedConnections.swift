#if Tracing
  public import AsyncIO
  public import Tracing

  // The attributes follow OpenTelemetry's conventions for network spans: what the program asked for is `server.*`, what
  // the socket says is `network.*`.

  extension StreamConnection {
    /// Connect like ``AsyncIO/StreamConnection/connect(host:port:tls:family:localAddress:reuseLocalAddress:timeout:)``
    /// or any other form, inside of a span "connect" of the kind `client`.
    ///
    /// ```swift
    /// let connection = try await StreamConnection.traced(to: "db.internal", port: 5432) {
    ///   try await StreamConnection.connect(host: "db.internal", port: 5432)
    /// }
    /// ```
    /// The span ends when the connection is there, TLS included, and has the attributes `server.address`,
    /// `server.port`, `network.transport`, `network.type`, `network.peer.address`, `network.peer.port` and
    /// `network.local.address`, or `error.type` and the error.
    ///
    /// - Parameters:
    ///   - host: the name or address that is asked for, or the path of a Unix socket.
    ///   - port: the port, for TCP.
    ///   - tracer: makes the span; the one of `InstrumentationSystem` by default.
    ///   - connect: connects.
    /// - Throws: what `connect` throws.
    public static func traced(
      to host: String, port: UInt16? = nil, tracer: any Tracer = InstrumentationSystem.tracer,
      _ connect: () async throws -> StreamConnection
    ) async throws -> StreamConnection {
      try await tracer.withAnySpan(
        "connect", at: DefaultTracerClock.now, context: .current ?? .topLevel, ofKind: .client, function: #function,
        file: #fileID, line: #line
      ) { span in
        span.attributes["server.address"] = host
        if let port { span.attributes["server.port"] = Int(port) }
        do {
          let connection = try await connect()
          span.describe(connection)
          return connection
        } catch {
          span.attributes["error.type"] = String(describing: type(of: error))
          throw error
        }
      }
    }
  }

  /// Make a handler for `serve` that runs inside of a span, of the kind `server`, from the accept (after the handshake,
  /// if there is one) to the end of the handler. It fits every form of `serve`.
  ///
  /// ```swift
  /// try await listener.serve(until: stop, traced { connection in … })
  /// ```
  /// The span is the root of a trace, unless `serve` was called inside of one; it has the attributes
  /// `network.transport`, `network.type`, `network.peer.address`, `network.peer.port`, `client.address`, `client.port`,
  /// `network.local.address` and `network.local.port`. An error of the handler is recorded, and thrown on; a
  /// cancellation is not an error.
  ///
  /// - Parameters:
  ///   - name: the name of the span.
  ///   - tracer: makes the spans; the one of `InstrumentationSystem` by default.
  ///   - handler: serves one connection.
  public func traced(
    _ name: String = "serve", tracer: (any Tracer)? = nil,
    _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) -> @Sendable (StreamConnection) async throws -> Void {
    { connection in
      let tracer = tracer ?? InstrumentationSystem.tracer
      let isCancelled = try await tracer.withAnySpan(
        name, at: DefaultTracerClock.now, context: .current ?? .topLevel, ofKind: .server, function: #function,
        file: #fileID, line: #line
      ) { span in
        span.describe(connection)
        if let peer = connection.peerAddress, let port = peer.port {
          span.attributes["client.address"] = peer.host
          span.attributes["client.port"] = Int(port)
        }
        do { try await handler(connection) } catch is CancellationError {
          return true
        } catch {
          span.attributes["error.type"] = String(describing: type(of: error))
          throw error
        }
        return false
      }
      if isCancelled { throw CancellationError() }
    }
  }

  extension Span {
    /// Say what the sockets know.
    fileprivate func describe(_ connection: StreamConnection) {
      guard let peer = connection.peerAddress ?? connection.localAddress else { return }
      attributes["network.transport"] = peer.isUnix ? "unix" : "tcp"
      if let local = connection.localAddress { set("network.local", local) }
      guard let peer = connection.peerAddress else { return }
      set("network.peer", peer)
      if !peer.isUnix { attributes["network.type"] = peer.isIPv6 ? "ipv6" : "ipv4" }
    }

    private func set(_ prefix: String, _ address: SocketAddress) {
      attributes["\(prefix).address"] = address.host ?? address.description
      if let port = address.port { attributes["\(prefix).port"] = Int(port) }
    }
  }
#endif
