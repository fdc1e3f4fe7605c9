import AsyncIO
import Logging

/// Keeps what a loop logs.
final class CapturedLog: Sendable {
  struct Entry: Sendable {
    var level: Logger.Level
    var message: String
  }

  private struct Handler: LogHandler {
    let entries: Recorder<Entry>
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    init(_ entries: Recorder<Entry>) { self.entries = entries }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      entries.record(Entry(level: event.level, message: "\(event.message)"))
    }
  }

  private let recorder = Recorder<Entry>()

  var entries: [Entry] { recorder.all }
  var messages: [String] { entries.map(\.message) }

  /// Take over what the loop logs.
  init(of loop: BaseEventLoop) {
    loop.logger = Logger(label: "captured") { [recorder] _ in Handler(recorder) }
  }
}
