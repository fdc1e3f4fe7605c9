import Testing

@testable import AsyncIO

/// How numbers are closed: see `closeNumber`.
@Suite struct NumbersAreClosedTests {
  @Test("close(2) is called in two files: for what only the system knows, and for sockets")
  func oneWay() throws {
    let places = try PublicFace.sources().filter { $0.text.contains("casyncio_close(") }.map(\.file)
    #expect(places.sorted() == ["SystemCalls", "SystemSockets"])
  }
}
