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

  /// Runs the body on a loop of the policy that has the whole process, or on each of several that have it together.
  func run(loops count: Int = 1, _ body: @escaping @Sendable (LoopGroup) async throws -> Void) throws {
    do {
      _ = try withEventLoopPolicy(policy) { try AsyncIO.run(loops: count, body) }
    } catch is KeyboardInterrupt {
      KeyboardInterrupt.endProcess()
    }
  }
}

/// `--loops`: how many of them.
struct LoopCount: ParsableArguments {
  @Option(help: ArgumentHelp("How many loops, each in a thread; auto is one for each processor.", valueName: "n|auto"))
  var loops = "1"

  /// As `validate()` has found it to be one.
  var number: Int { loops == "auto" ? LoopGroup.availableProcessors : Int(loops) ?? 1 }

  func validate() throws {
    guard loops != "auto", !(1...1024).contains(Int(loops) ?? 0) else { return }
    throw ValidationError("--loops is \"\(loops)\". Use auto, or a number from 1 to 1024.")
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
