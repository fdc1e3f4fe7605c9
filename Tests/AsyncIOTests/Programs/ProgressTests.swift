import AsyncIOPrograms
import Testing

/// What long commands show of themselves.
struct ProgressTests {
  private static let second: Int64 = 1_000_000_000

  @Test("A terminal gets a bar, drawn anew at most twenty times a second, and taken away at the end")
  func terminal() {
    var state = ProgressState("x", total: 10, unit: "seeds", isTerminal: true, now: 0)
    let noEnd = state.end()
    #expect(noEnd == nil)
    let first = state.show(1, "", now: 0)
    #expect(first == "\rx [####....................................] 1 of 10 seeds\u{1B}[K")
    let (soon, later) = (state.show(2, "", now: Self.second / 1000), state.show(2, "", now: Self.second))
    #expect(soon == nil && later?.contains("2 of 10") == true)
    let again = state.show(2, "", now: 2 * Self.second)
    let (end, secondEnd) = (state.end(), state.end())
    #expect(again == nil && end == "\r\u{1B}[K" && secondEnd == nil)
  }

  @Test("Elsewhere there is a line now and then, without a control character")
  func lines() {
    var state = ProgressState("x", total: 100, unit: "seeds", isTerminal: false, now: 0)
    var lines: [String] = []
    for number in 0...100 {
      if let text = state.show(number, "more", now: Int64(number) * Self.second / 2) { lines.append(text) }
    }
    let end = state.end()
    #expect(lines.count == 10 && lines[0] == "x: 10 of 100 seeds, 5 s, more\n" && end == nil)
  }

  @Test("No number is too large, and none counts backwards", arguments: [0, 1, .max])
  func extremes(total: Int) {
    var state = ProgressState("x", total: total, unit: "", isTerminal: true, now: 0)
    let (all, less) = (state.show(.max, "", now: .max), state.show(.min, "", now: .max))
    #expect(all?.contains("########################################") == true && less == nil)
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
