import ArgumentParser
import AsyncIO
import AsyncIOPrograms

/// `--loop`: which loop the policy makes.
struct LoopOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: "The event loop kind: \(EventLoopKinds.names.joined(separator: ", ")).",
    transform: OptionValue.word(of: EventLoopKinds.names))
  var loop: String?

  /// The policy that the options ask for.
  var policy: any EventLoopPolicy {
    loop.map { NamedLoopPolicy($0) } ?? getEventLoopPolicy()
  }

  /// Run the body on a loop of the policy that has the whole process, or on each of several that have it together.
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
  @Option(
    name: .customLong("loops"), parsing: .unconditional,
    help: ArgumentHelp("How many loops, each in a thread; auto is one for each processor.", valueName: "n|auto"),
    transform: Self.parse)
  var number = 1

  private static func parse(_ text: String) throws -> Int {
    if text == "auto" { return LoopGroup.availableProcessors }
    guard let number = Int(text), (1...1024).contains(number) else {
      throw WrongValue("Use auto, or a whole number from 1 to 1024.")
    }
    return number
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
