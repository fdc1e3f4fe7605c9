internal import Logging
internal import Synchronization
internal import SystemPackage

/// The loop kinds that have a name, for `ASYNCIO_EVENT_LOOP` and the `--loop` option of programs.
///
/// Modules that bring a loop register its kind under a name; the default policy then makes it when the environment asks
/// for it.
public enum EventLoopKinds {
  private static let registered = Lock<[String: @Sendable () throws -> any EventLoop]>([
    "proactor": { try ProactorEventLoop() },
    "selector": { try SelectorEventLoop() },
    "poll": makePoll,
  ])

  /// Register a kind, or replace it. Any thread.
  public static func register(_ name: String, _ make: @escaping @Sendable () throws -> any EventLoop) {
    registered.withLock { $0[name] = make }
  }

  @Sendable private static func makePoll() throws -> any EventLoop {
    do throws(Errno) { return SelectorEventLoop(selector: try PollSelector()) } catch {
      throw IOError(error, "make an event loop")
    }
  }

  /// The names of all kinds, sorted.
  public static var names: [String] { registered.withLock { $0.keys.sorted() } }

  /// Make a loop of a kind. Throws code `invalidConfiguration` for an unknown name.
  public static func make(_ name: String) throws -> any EventLoop {
    guard let make = registered.withLock({ $0[name] }) else {
      throw EventLoopError(
        .invalidConfiguration,
        "unknown event loop kind \"\(name)\". Known are: \(names.joined(separator: ", ")).")
    }
    return try make()
  }

  /// Make a loop of the kind that `ASYNCIO_EVENT_LOOP` named; of the platform's default kind for nil.
  static func makeDefault(_ name: String?) throws -> any EventLoop {
    if (name ?? platformKind) == "proactor" {
      return try proactorOrSelector(name == nil ? "DefaultEventLoopPolicy" : "ASYNCIO_EVENT_LOOP")
    }
    guard let name else { return try SelectorEventLoop() }
    do {
      return try make(name)
    } catch let error as EventLoopError where error.code == .invalidConfiguration {
      throw EventLoopError(.invalidConfiguration, "ASYNCIO_EVENT_LOOP: \(error.description)")
    }
  }

  private static let hasReportedFallback = Atomic<Bool>(false)

  /// Make a proactor loop, or a selector loop where that is not available, with one line in the log of the process.
  /// Code that asks for a kind by policy needs a loop more than it needs a certain mechanism.
  static func proactorOrSelector(_ asker: String) throws -> any EventLoop {
    let detection = ProactorDetection.current
    if detection.isAvailable { return try ProactorEventLoop() }
    if !hasReportedFallback.exchange(true, ordering: .relaxed) {
      Logger(label: "asyncio").warning(
        "\(asker): \(detection.description) Selector loops are made instead.")
    }
    return try SelectorEventLoop()
  }
}
