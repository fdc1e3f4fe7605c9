import GRPCCore

/// A service that says what it hears, in four ways to call, and one that fails. Messages are bytes as they are, so that
/// no code has to be generated for them. Metadata whose names begin with "echo-" go back before the answers and after
/// them.
struct Echo: RegistrableRPCService {
  static let once = MethodDescriptor(fullyQualifiedService: "echo.Echo", method: "Once", type: .unary)
  static let collect = MethodDescriptor(fullyQualifiedService: "echo.Echo", method: "Collect", type: .clientStreaming)
  static let expand = MethodDescriptor(fullyQualifiedService: "echo.Echo", method: "Expand", type: .serverStreaming)
  static let stream = MethodDescriptor(
    fullyQualifiedService: "echo.Echo", method: "Stream", type: .bidirectionalStreaming)
  static let refuse = MethodDescriptor(fullyQualifiedService: "echo.Echo", method: "Refuse", type: .unary)

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    register(Self.once, with: &router) { messages, output in
      for try await message in messages { try await output.write(message) }
    }
    register(Self.collect, with: &router) { messages, output in
      try await output.write(messages.reduce(into: []) { $0 += $1 })
    }
    // Each byte is a message of this many bytes.
    register(Self.expand, with: &router) { messages, output in
      for try await message in messages {
        for byte in message { try await output.write([UInt8](repeating: byte, count: Int(byte))) }
      }
    }
    register(Self.stream, with: &router) { messages, output in
      for try await message in messages { try await output.write(message) }
    }
    router.registerHandler(forMethod: Self.refuse, deserializer: Plain(), serializer: Plain()) { request, _ in
      let text = try await request.messages.reduce(into: []) { $0 += $1 }
      throw RPCError(
        code: .failedPrecondition, message: String(decoding: text, as: UTF8.self), metadata: Self.back(request.metadata)
      )
    }
  }

  private func register<Transport: ServerTransport>(
    _ method: MethodDescriptor, with router: inout RPCRouter<Transport>,
    _ body: @escaping @Sendable (RPCAsyncSequence<[UInt8], any Error>, RPCWriter<[UInt8]>) async throws -> Void
  ) {
    router.registerHandler(forMethod: method, deserializer: Plain(), serializer: Plain()) { request, _ in
      let metadata = Self.back(request.metadata)
      return StreamingServerResponse(metadata: metadata) { output in
        try await body(request.messages, output)
        return metadata
      }
    }
  }

  private static func back(_ metadata: Metadata) -> Metadata {
    metadata.reduce(into: [:]) { back, entry in
      guard entry.key.hasPrefix("echo-") else { return }
      switch entry.value {
      case .string(let value): back.addString(value, forKey: entry.key)
      case .binary(let value): back.addBinary(value, forKey: entry.key)
      }
    }
  }
}

/// Bytes that are a message.
struct Plain: MessageSerializer, MessageDeserializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

  func deserialize<Bytes: GRPCContiguousBytes>(_ serializedMessageBytes: Bytes) throws -> [UInt8] {
    serializedMessageBytes.withUnsafeBytes { [UInt8]($0) }
  }
}
