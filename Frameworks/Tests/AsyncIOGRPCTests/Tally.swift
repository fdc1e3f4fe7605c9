import GRPCCore
import Synchronization

@testable import GRPCEcho

/// Counts the numbers that it is told. A client may say a number again until it has an answer, which is how many have
/// come.
final class Tally: RegistrableRPCService {
  static let add = MethodDescriptor(fullyQualifiedService: "test.Tally", method: "Add", type: .unary)

  private struct State {
    var numbers: Set<[UInt8]> = []
    var total = 0
  }
  private let state = Mutex(State())
  private let countsRepetitions: Bool

  /// Create one.
  ///
  /// - Parameter countsRepetitions: a planted mistake: a number that comes twice counts twice.
  init(countsRepetitions: Bool = false) { self.countsRepetitions = countsRepetitions }

  var total: Int { state.withLock { $0.total } }
  var numbers: Set<[UInt8]> { state.withLock { $0.numbers } }

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(forMethod: Self.add, deserializer: Plain(), serializer: Plain()) { request, _ in
      let number = try await request.messages.reduce(into: [UInt8]()) { $0 += $1 }
      let total = self.state.withLock { state in
        if state.numbers.insert(number).inserted || self.countsRepetitions { state.total += 1 }
        return state.total
      }
      return StreamingServerResponse(single: ServerResponse(message: [UInt8(truncatingIfNeeded: total)]))
    }
  }
}
