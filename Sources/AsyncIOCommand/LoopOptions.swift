import ArgumentParser
import AsyncIO

/// `--loop`: which loop the policy makes.
struct LoopOptions: ParsableArguments {
  @Option(help: "The event loop kind: \(EventLoopKinds.names.joined(separator: ", ")).")
  var loop: String?

  func validate() throws {
    guard let loop, !EventLoopKinds.names.contains(loop) else { return }
    throw ValidationError("There is no loop \"\(loop)\". Use one of: \(EventLoopKinds.names.joined(separator: ", ")).")
  }

  /// The policy that the options ask for.
  var policy: any EventLoopPolicy {
    loop.map { NamedLoopPolicy($0) } ?? getEventLoopPolicy()
  }

  /// Runs the body on a loop of the policy that has the whole process.
  func run(_ body: @escaping @Sendable () async throws -> Void) throws {
    do {
      try withEventLoopPolicy(policy) { try AsyncIO.run { try await body() } }
    } catch is KeyboardInterrupt {
      KeyboardInterrupt.endProcess()
    }
  }
}

/// Makes loops of one kind.
final class NamedLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  // Unchecked because the base class is; the name does not change.
  private let name: String

  init(_ name: String) {
    self.name = name
    super.init()
  }

  override func newEventLoop() throws -> any EventLoop { try EventLoopKinds.make(name) }
}
