import AsyncIO
import AsyncIOScenarios
import Testing

@testable import AsyncIOSimulation

/// A world as a list of events, for a picture of it.
struct RecordingTests {
  /// Run a world of a scenario, perhaps with a recorder, and return the campaign's trace.
  private func run(_ name: String, _ recording: WorldRecording?) throws -> UInt64 {
    let scenario = try #require(Scenario.named(name))
    var options = CampaignOptions()
    (options.shrinks, options.repeatEvery) = (false, 0)
    return try simulate(seeds: 4711..<4712, faults: .hostile, options: options) { world in
      if let recording { world.record(into: recording) }
      try await scenario.body(world)
    }.traceHash
  }

  @Test("A world goes the same way with a recorder and without", arguments: ["echo", "proxy"])
  func takesNoPart(name: String) throws {
    let recording = WorldRecording()
    #expect(try run(name, nil) == run(name, recording))
    let json = recording.json(scenario: name, seed: 4711, failure: nil)
    for part in ["\"kind\": \"message\"", "\"arrives\": 0.", "\"text\": \"connect\"", "\"hosts\": [\"localhost\""] {
      #expect(json.contains(part), "\(part)")
    }
    // Once more: an earlier world is forgotten.
    _ = try run(name, recording)
    #expect(recording.json(scenario: name, seed: 4711, failure: nil) == json)
  }

  @Test("More events than the limit are counted, and the failure has a place all the same")
  func limit() throws {
    let recording = WorldRecording(limit: 5)
    _ = try run("echo", recording)
    let failure = SimulationFailure(.never, "</script>\"\u{1}")
    recording.fail(failure)
    let json = recording.json(scenario: "echo", seed: .max, failure: failure)
    #expect(json.contains("\"seed\": \"18446744073709551615\""))
    #expect(json.contains("\"kind\": \"failure\"") && !json.contains("\"dropped\": 0"))
    #expect(json.components(separatedBy: "\"t\": ") == 7)
  }
}

extension String {
  /// Count the parts between the occurrences of a text.
  fileprivate func components(separatedBy text: String) -> Int { split(separator: text).count }
}
