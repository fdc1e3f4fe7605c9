import GRPCCore
import Synchronization

@testable import GRPCEcho

/// A word that one task says and another waits for.
struct Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let opening: AsyncStream<Void>.Continuation
  init() { (stream, opening) = AsyncStream.makeStream(of: Void.self) }

  func open() { opening.yield() }
  func wait() async { _ = await stream.first { _ in true } }
}

/// Calls that fail, in several ways.
struct Failing: RegistrableRPCService {
  static let early = MethodDescriptor(fullyQualifiedService: "test.Failing", method: "Early")
  static let late = MethodDescriptor(fullyQualifiedService: "test.Failing", method: "Late")
  static let foreign = MethodDescriptor(fullyQualifiedService: "test.Failing", method: "Foreign")
  struct Foreign: Error {}

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(forMethod: Self.early, deserializer: Plain(), serializer: Plain()) { _, _ in
      throw RPCError(code: .failedPrecondition, message: "not today", metadata: ["reason": "sunday"])
    }
    router.registerHandler(forMethod: Self.foreign, deserializer: Plain(), serializer: Plain()) { _, _ in
      throw Foreign()
    }
    router.registerHandler(forMethod: Self.late, deserializer: Plain(), serializer: Plain()) { _, _ in
      StreamingServerResponse { output in
        try await output.write([1])
        try await output.write([2])
        throw RPCError(code: .dataLoss, message: "that was all")
      }
    }
  }
}

/// A call that ends with its task only.
final class Waiting: RegistrableRPCService {
  static let forever = MethodDescriptor(fullyQualifiedService: "test.Waiting", method: "Forever")
  let begun = Gate()
  let ended = Gate()
  private let hasBegunFlag = Mutex(false)
  var hasBegun: Bool { hasBegunFlag.withLock { $0 } }

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(forMethod: Self.forever, deserializer: Plain(), serializer: Plain()) { _, context in
      defer { self.ended.open() }
      self.hasBegunFlag.withLock { $0 = true }
      self.begun.open()
      try await context.cancellation.cancelled
      throw RPCError(code: .cancelled, message: "the client has gone")
    }
  }
}
