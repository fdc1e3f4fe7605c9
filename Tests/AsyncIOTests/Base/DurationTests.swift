import AsyncIO
import Testing

/// Durations that grow without a cap.
struct DurationTests {
  private static let longest = Duration(attoseconds: .max)
  private static let mostNegative = Duration(attoseconds: .min)

  @Test("A back-off that is doubled for ever stops at the longest duration, and timers and limits accept it")
  func doubling() async throws {
    for kind in LoopKind.allCases {
      try await kind.run { loop in
        var delay = Duration.seconds(1)
        for _ in 0..<200 {
          delay *= 2
          try loop.callLater(delay) { Issue.record("a timer that is too far away has fired") }.cancel()
        }
        #expect(delay == Self.longest)
        #expect(try await withTimeout(delay) { 1 } == 1)
      }
    }
  }

  @Test(
    "What fits is the product; what does not is the end on its side",
    arguments: [
      (.seconds(3), 4, .seconds(12)), (.seconds(3), -4, .seconds(-12)), (.zero, Int.max, .zero), (longest, 0, .zero),
      (longest, 1, longest), (mostNegative, 1, mostNegative), (longest, 2, longest), (longest, -2, mostNegative),
      (mostNegative, -1, longest), (mostNegative, 2, mostNegative), (.seconds(-1), Int.max, .seconds(-Int64.max)),
      (.seconds(1e15), Int.max, longest), (.seconds(1e15), Int.min, mostNegative),
    ] as [(Duration, Int, Duration)])
  func product(of duration: Duration, _ factor: Int, is expected: Duration) {
    var product = duration
    product *= factor
    #expect(product == expected)
  }
}
