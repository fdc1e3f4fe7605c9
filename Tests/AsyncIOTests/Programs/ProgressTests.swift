import AsyncIOPrograms
import Testing

/// What long commands show of themselves.
struct ProgressTests {
  private static let second: Int64 = 1_000_000_000

  @Test("A terminal gets a bar, drawn anew at most twenty times a second, and taken away at the end")
  func terminal() throws {
    var state = ProgressState("x", total: 10, unit: "seeds", isTerminal: true, now: 0)
    #expect(state.end() == nil)
    let first = try #require(state.show(1, "", now: 0))
    #expect(first == "\rx [####....................................] 1 of 10 seeds\u{1B}[K")
    #expect(state.show(2, "", now: Self.second / 1000) == nil)
    #expect(state.show(2, "", now: Self.second)?.contains("2 of 10") == true)
    #expect(state.show(2, "", now: 2 * Self.second) == nil)
    #expect(state.end() == "\r\u{1B}[K" && state.end() == nil)
  }

  @Test("Elsewhere there is a line now and then, without a control character")
  func lines() {
    var state = ProgressState("x", total: 100, unit: "seeds", isTerminal: false, now: 0)
    var lines: [String] = []
    for number in 0...100 {
      if let text = state.show(number, "more", now: Int64(number) * Self.second / 2) { lines.append(text) }
    }
    #expect(lines.count == 10 && lines[0] == "x: 10 of 100 seeds, 5 s, more\n")
    #expect(state.end() == nil)
  }

  @Test("No number is too large, and none counts backwards", arguments: [0, 1, .max])
  func extremes(total: Int) {
    var state = ProgressState("x", total: total, unit: "", isTerminal: true, now: 0)
    #expect(state.show(.max, "", now: .max)?.contains("########################################") == true)
    #expect(state.show(.min, "", now: .max) == nil)
  }

  @Test("A chart has a bar for each doubling, whatever the times are")
  func chart() {
    #expect(LatencyChart.lines([]).isEmpty)
    let lines = LatencyChart.lines([-5, 0, 1500, 3000, 3100])
    #expect(lines.count == 3)
    #expect(lines[0] == "  <    1 µs \(String(repeating: "█", count: 40)) 2")
    #expect(lines[1].hasSuffix(" 1") && lines[2].hasSuffix(" 2"))
    let wide = LatencyChart.lines([0, .max, .min])
    #expect(wide.count == 12 && wide[11].hasPrefix("  …\n"))
  }
}
