import Testing

@testable import AsyncIO

@Suite("When a protocol is asked to pause and to go on")
struct WriteFlowTests {
  private func limits(_ high: Int?, _ low: Int?) throws -> [Int] {
    let limits = try WriteBufferLimits(high: high, low: low)
    return [limits.low, limits.high]
  }

  @Test("limits that are left out follow from those that are given")
  func defaults() throws {
    #expect(WriteFlow().limits == WriteBufferLimits.default)
    #expect(try limits(nil, nil) == [16384, 65536])
    #expect(try limits(1000, nil) == [250, 1000])
    #expect(try limits(nil, 100) == [100, 400])
    #expect(try limits(0, nil) == [0, 0])
    #expect(try limits(7, 7) == [7, 7])
    #expect(try limits(nil, .max) == [.max, .max])
  }

  @Test("limits that contradict each other are refused")
  func contradictions() {
    expectRefusal(.invalidArgument) { try WriteBufferLimits(high: 1, low: 2) }
    expectRefusal(.invalidArgument) { try WriteBufferLimits(high: 0, low: 1) }
    expectRefusal(.invalidArgument) { try WriteBufferLimits(high: 5, low: -1) }
    expectRefusal(.invalidArgument) { try WriteBufferLimits(high: -1) }
    expectRefusal(.invalidArgument) { try WriteBufferLimits(low: -1) }
  }

  @Test("pausing is strictly above the upper limit, going on at the lower one, once each")
  func turns() throws {
    var flow = WriteFlow()
    #expect(flow.setLimits(try WriteBufferLimits(high: 100, low: 10), 0) == .nothing)
    let script: [(Int, WriteFlow.Action)] = [
      (100, .nothing), (101, .pause), (500, .nothing), (100, .nothing), (11, .nothing), (10, .resume), (0, .nothing),
      (100, .nothing), (101, .pause), (0, .resume),
    ]
    for (size, action) in script { #expect(flow.update(size) == action, "\(size)") }
  }

  @Test("with limits of zero anything that waits asks for a pause")
  func zero() throws {
    var flow = WriteFlow()
    #expect(flow.setLimits(try WriteBufferLimits(high: 0), 0) == .nothing)
    #expect(flow.update(1) == .pause)
    #expect(flow.update(0) == .resume)
  }

  @Test("new limits count from what waits now on")
  func changes() throws {
    var flow = WriteFlow()
    #expect(flow.setLimits(try WriteBufferLimits(high: 10), 50) == .pause)
    #expect(flow.setLimits(try WriteBufferLimits(high: 1000, low: 100), 50) == .resume)
  }

  @Test("the first part of a paused output ends where the protocol may go on")
  func slices() throws {
    var flow = WriteFlow()
    _ = flow.setLimits(try WriteBufferLimits(high: 100, low: 10), 0)
    #expect(flow.bytesToResume(90) == 90)
    _ = flow.update(150)
    #expect(flow.bytesToResume(150) == 140)
    _ = flow.update(10)
    #expect(flow.bytesToResume(10) == 10)
  }
}
