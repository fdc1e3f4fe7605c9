import AsyncIO
import Testing

@Suite struct SmokeTests {
  @Test func runs() async throws {
    let loop = try SelectorEventLoop()
    let x = try await loop.run {
      try await sleep(for: .milliseconds(5))
      return 42
    }
    #expect(x == 42)
    try loop.close()
  }
  @Test func timeout() async throws {
    let loop = try SelectorEventLoop()
    await #expect(throws: TimeoutError.self) {
      try await loop.run { try await withTimeout(.milliseconds(5)) { try await sleep(for: .seconds(50)) } }
    }
    let three = try await loop.run { try await withTimeout(.seconds(5)) { 3 } }
    #expect(three == 3)
    try loop.close()
  }
}
