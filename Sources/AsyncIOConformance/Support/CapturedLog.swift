internal import Logging

/// What a process of its own logs.
enum CapturedLog {
  private struct Handler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { CapturedLog.trail.mark("\(event.level): \(event.message)") }
  }

  private static let trail = Trail()

  /// Take over what the process logs; once, and before anything was logged.
  static func start() { LoggingSystem.bootstrap { _ in Handler() } }

  /// What was logged so far: "warning: …".
  static var lines: [String] { trail.marks }
}
