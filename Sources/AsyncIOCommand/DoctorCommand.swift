import ArgumentParser
import AsyncIO
import AsyncIOConformance
import AsyncIOPrograms
import CAsyncIO

/// `asyncio doctor`: what works on this machine.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check which event loops work on this machine.",
    discussion: """
      Makes every loop kind, runs a timer, a thread-safe call and a TCP round trip on it, and says for each that does \
      not work which step said no and what helps. The exit status is 1 if none works.

      --format json prints one object. Its keys stay: version, kernel, openFiles (the limit), environmentLoop \
      (ASYNCIO_EVENT_LOOP, or null), environmentLoopIsKnown, loops, a list of objects with name, works, backend, \
      subMillisecondWaits and features, and for one that does not work step, cause and fix, runtime, a list of \
      objects with name and state, and tls with works and library. What does not apply is null.

      TLS needs the system's OpenSSL; the line and the key tls say which one was found, or what to install.

      The last part lists what the loops know of the Swift runtime that Swift does not promise, and whether it is in \
      use. ASYNCIO_RUNTIME_LAYOUT=0 does without all that has another, slower way.
      """
  )

  enum Format: String, CaseIterable { case text, json }

  @Option(
    parsing: .unconditional, help: "How the findings are printed: text, json.",
    transform: OptionValue.choice(Format.self))
  var format = Format.text

  func run() throws {
    let findings = Findings()
    switch format {
    case .text: findings.printText()
    case .json: print(findings.json)
    }
    if !findings.loops.contains(where: \.works) { throw ExitCode(1) }
  }
}

/// What the doctor found.
private struct Findings {
  let kernel: String
  let openFiles: UInt64
  let environmentLoop: String?
  let loops: [LoopFinding]

  init() {
    var names = utsname()
    uname(&names)
    kernel = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    var limit = rlimit()
    _ = casyncio_open_file_limit(&limit)
    openFiles = UInt64(limit.rlim_cur)
    let asked = getenv("ASYNCIO_EVENT_LOOP").map { String(cString: $0) }
    environmentLoop = asked?.isEmpty == true ? nil : asked
    loops = EventLoopKinds.names.map { LoopCheck($0).findings() }
  }

  private var environmentIsKnown: Bool { environmentLoop.map(EventLoopKinds.names.contains) ?? true }

  func printText() {
    let advice = openFiles < 1024 ? "; raise it with `ulimit -n` to serve many connections" : ""
    print("kernel \(kernel); open files at most \(openFiles)\(advice)\n")
    for loop in loops {
      if loop.works {
        let details = loop.hasExactWaits ? ", waits exact below a millisecond" : ""
        print("  \(loop.name.padded(to: 12)) works (\(loop.backend ?? "unknown")\(details))")
        if !loop.features.isEmpty { show([("features", loop.features.joined(separator: ", "))]) }
      } else {
        print("  \(loop.name.padded(to: 12)) does not work")
        show([("step", loop.step), ("cause", loop.cause), ("fix", loop.fix)])
      }
    }
    if let environmentLoop, !environmentIsKnown {
      print(
        "  ASYNCIO_EVENT_LOOP is \"\(environmentLoop)\", which is not a loop kind. Unset it, or use a name above."
      )
    }
    let tls = TLSLibrary.found
    print("\n  \("TLS".padded(to: 12)) \(tls.works ? "works (\(tls.text))" : "does not work")")
    if !tls.works { show([("cause", tls.text)]) }
    print("\nknown of the Swift runtime:")
    for knowledge in RuntimeKnowledge.allCases { print("  \(knowledge.rawValue): \(knowledge.state.rawValue)") }
  }

  /// Print names and what they stand for, below a loop kind.
  private func show(_ rows: [(name: String, text: String?)]) {
    for case (let name, let text?) in rows {
      var lead = "\(name):"
      for line in text.wrapped(at: 80) {
        print("               \(lead.padded(to: 9)) \(line)")
        lead = ""
      }
    }
  }

  var json: String {
    let kinds = loops.map { "    " + $0.json }.joined(separator: ",\n")
    let runtime = RuntimeKnowledge.allCases.map {
      "    " + JSON.object([("name", JSON.string($0.rawValue)), ("state", JSON.string($0.state.rawValue))])
    }
    let tls = TLSLibrary.found
    return """
      {
        "version": \(JSON.string(Version.current)),
        "kernel": \(JSON.string(kernel)),
        "openFiles": \(openFiles),
        "environmentLoop": \(environmentLoop.map(JSON.string) ?? "null"),
        "environmentLoopIsKnown": \(environmentIsKnown),
        "loops": [
      \(kinds)
        ],
        "tls": \(JSON.object([("works", "\(tls.works)"), ("library", JSON.string(tls.text))])),
        "runtime": [
      \(runtime.joined(separator: ",\n"))
        ]
      }
      """
  }
}

/// What was found about one loop kind.
struct LoopFinding {
  let name: String
  var backend: String?
  var hasExactWaits = false
  var features: [String] = []
  /// Where it stopped, why, and what helps; nil if it works.
  var step: String?
  var cause: String?
  var fix: String?

  init(_ name: String) { self.name = name }

  var works: Bool { step == nil }

  var json: String {
    func text(_ word: String?) -> String { word.map(JSON.string) ?? "null" }
    return JSON.object([
      ("name", text(name)), ("works", "\(works)"), ("backend", text(backend)),
      ("subMillisecondWaits", works ? "\(hasExactWaits)" : "null"),
      ("features", "[\(features.map(JSON.string).joined(separator: ", "))]"), ("step", text(step)),
      ("cause", text(cause)), ("fix", text(fix)),
    ])
  }
}
