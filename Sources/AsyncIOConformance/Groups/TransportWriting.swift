internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group G, what a transport sends.
  static let transportWritingChecks: [ConformanceCheck] = [
    ConformanceCheck(
      92, "A small write is sent within the turn, and order is kept when some of it has to wait",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        try pair.transport.write([1, 2, 3])
        try subject.expect("waits", pair.transport.writeBufferSize, 0)
        try await sleep(for: .zero)
        try subject.expect("the peer has", pair.sockets.bytes(from: pair.peer), [1, 2, 3])
        try pair.transport.write(numbered(0..<2_000_000))
        try subject.expect("the rest waits", pair.transport.writeBufferSize > 0)
        try pair.transport.writeLines([numbered(2_000_000..<2_000_010), [], numbered(2_000_010..<2_000_100)])
        try pair.transport.write([])
        let bytes = try await subject.read(2_000_100, from: pair.peer, of: pair.sockets)
        try subject.expect("all of it in order", bytes == numbered(0..<2_000_100))
        pair.transport.close()
      }
    },
    ConformanceCheck(
      93, "Above the upper limit the protocol pauses, at the lower one it goes on, once each",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        try pair.transport.setWriteBufferLimits(high: 1000, low: 100)
        try subject.expect("limits", "\(pair.transport.writeBufferLimits.low)", "100")
        pair.sockets.fill(pair.sockets.far)  // the other direction, which this must not disturb
        try pair.transport.write(numbered(0..<1_000_000))
        try subject.expect("paused inside write", pair.probe.trail.marks.last == "pause")
        try pair.transport.write(numbered(1_000_000..<1_000_100))
        let waits = pair.transport.writeBufferSize
        try subject.expect("more than the limit waits", waits > 1000)
        let bytes = try await subject.read(1_000_100, from: pair.peer, of: pair.sockets)
        try subject.expect("all of it in order", bytes == numbered(0..<1_000_100))
        try await subject.turn("resumed") { pair.probe.trail.marks.contains("resume") }
        let marks = pair.probe.trail.marks.filter { $0 != "data" }
        try subject.expect("calls", marks.joined(separator: " "), "made pause resume")
        pair.transport.abort()
      }
    },
    ConformanceCheck(
      93, "Limits that are left out follow from the others; limits that contradict each other are refused",
      facet: "limits", capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        let transport = pair.transport
        func limits() -> String { "\(transport.writeBufferLimits.low) \(transport.writeBufferLimits.high)" }
        try subject.expect("at first", limits(), "16384 65536")
        try transport.setWriteBufferLimits(low: 100)
        try subject.expect("low given", limits(), "100 400")
        try transport.setWriteBufferLimits(high: 100)
        try subject.expect("high given", limits(), "25 100")
        try transport.setWriteBufferLimits(high: 0)
        try subject.expect("high 0", limits(), "0 0")
        try subject.expectRefusal("high below low", .invalidArgument) {
          try transport.setWriteBufferLimits(high: 1, low: 2)
        }
        try subject.expectRefusal("negative", .invalidArgument) { try transport.setWriteBufferLimits(low: -1) }
        try subject.expect("a refusal changes nothing", limits(), "0 0")
        try transport.write(numbered(0..<1_000_000))
        try subject.expect("with 0 anything that waits pauses", pair.probe.trail.text, "made pause")
        try transport.setWriteBufferLimits(high: 8_000_000, low: 4_000_000)
        try subject.expect("new limits count at once", pair.probe.trail.text, "made pause resume")
        transport.abort()
      }
    },
    ConformanceCheck(
      93, "An error of pauseWriting or resumeWriting is reported and closes nothing", facet: "errors",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        struct NoPause: Error {}
        let pair = try await subject.probedPair(loop) {
          $0.onPause = { throw NoPause() }
          $0.onResume = { throw NoPause() }
        }
        try pair.transport.write(numbered(0..<1_000_000))
        _ = try await subject.read(1_000_000, from: pair.peer, of: pair.sockets)
        try await subject.turn("resumed") { pair.probe.trail.marks.last == "resume" }
        let reports = subject.takeReports()
        try subject.expect("reports", reports.count, 2)
        try subject.expect("the protocol's errors", reports.allSatisfy { $0.exception is NoPause })
        try subject.expect("closing", pair.transport.isClosing, false)
        pair.transport.close()
      }
    },
    ConformanceCheck(
      94, "What resumeWriting writes comes after what was written before",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let sent = Box(1_000_000)
        let pair = try await subject.probedPair(loop)
        let transport = pair.transport
        pair.probe.onPause = { transport.pauseReading() }
        pair.probe.onResume = {
          transport.resumeReading()
          let next = sent.value
          guard next < 3_000_000 else { return }
          sent.value = next + 500_000
          try transport.write(numbered(next..<next + 500_000))
        }
        try transport.write(numbered(0..<1_000_000))
        let bytes = try await subject.read(3_000_000, from: pair.peer, of: pair.sockets)
        try subject.expect("all of it in order", bytes == numbered(0..<3_000_000))
        pair.probe.onPause = {}
        pair.probe.onResume = {}
        transport.close()
      }
    },
    ConformanceCheck(
      95, "close sends what waits and what is written meanwhile, and then tells; what is written later is dropped",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        try pair.transport.write(numbered(0..<1_000_000))
        pair.transport.close()
        pair.transport.close()
        try subject.expect("told inside close", pair.probe.isLost, false)
        try pair.transport.write(numbered(1_000_000..<1_000_010))
        for _ in 0..<3 { try await sleep(for: .zero) }
        try subject.expect("told before it is sent", pair.probe.isLost, false)
        let bytes = try await subject.read(1_000_010, from: pair.peer, of: pair.sockets)
        try await subject.turn("lost") { pair.probe.isLost }
        for _ in 0..<10 { try pair.transport.write([9]) }
        try subject.expect("all of it", bytes == numbered(0..<1_000_010))
        try await subject.turn("nothing more, then the end") { pair.sockets.isAtEnd(pair.peer) }
        try subject.expect("the reason", pair.probe.lost == nil)
      }
    },
    ConformanceCheck(
      95, "A closing transport takes what resumeWriting writes", facet: "resume",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        let transport = pair.transport
        let isWritten = Box(false)
        pair.probe.onResume = {
          guard !isWritten.value else { return }
          isWritten.value = true
          try transport.write(numbered(1_000_000..<1_050_000))
          try transport.writeLines([numbered(1_050_000..<1_100_000)])
        }
        try transport.write(numbered(0..<1_000_000))
        transport.close()
        let bytes = try await subject.read(1_100_000, from: pair.peer, of: pair.sockets)
        try subject.expect("bytes", bytes.count, 1_100_000)
        try subject.expect("in order", bytes == numbered(0..<1_100_000))
        try await subject.turn("lost") { pair.probe.isLost }
        try subject.expect("the reason", pair.probe.lost == nil)
      }
    },
    ConformanceCheck(
      96, "abort drops what waits and tells in the next turn", capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        try pair.transport.write(numbered(0..<1_000_000))
        try subject.expect("waits", pair.transport.writeBufferSize > 0)
        pair.transport.abort()
        try subject.expect("waits after", pair.transport.writeBufferSize, 0)
        try subject.expect("told inside abort", pair.probe.isLost, false)
        try await sleep(for: .zero)
        try subject.expect("told in the next turn", pair.probe.isLost, true)
        try subject.expect("the reason", pair.probe.lost == nil)
        pair.transport.abort()
        pair.transport.close()
      }
    },
    ConformanceCheck(
      97, "writeEOF sends the end behind the data; later writes are refused, twice is fine",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        try subject.expect("can", pair.transport.canWriteEOF)
        try pair.transport.write(numbered(0..<1_000_000))
        try pair.transport.writeEOF()
        try pair.transport.writeEOF()
        try subject.expectRefusal("a write after the end", .invalidState) { try pair.transport.write([1]) }
        try subject.expectRefusal("an empty one", .invalidState) { try pair.transport.write([]) }
        let bytes = try await subject.read(1_000_000, from: pair.peer, of: pair.sockets)
        try subject.expect("all of it", bytes == numbered(0..<1_000_000))
        try await subject.turn("the end") { pair.sockets.isAtEnd(pair.peer) }
        pair.sockets.write(5, to: pair.peer)
        try await subject.turn("the other direction works") { pair.probe.received.count == 5 }
        pair.transport.close()
      }
    },
    ConformanceCheck(
      75, "A file goes over a transport after what was written, and nothing is written meanwhile", facet: "transport",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        let transport = pair.transport
        let file = try TemporaryFile(numbered(0..<1_000_000))
        try transport.write(numbered(0..<500_000))
        let sending = try loop.createTask { [transport = Unshared(transport)] in
          try await loop.sendfile(transport.value, file.descriptor, offset: 500_000, count: 400_000)
        }
        try await subject.turn("writes are refused") {
          (try? transport.write([])) == nil
        }
        try subject.expect("reading meanwhile", transport.isReading, false)
        let bytes = try await subject.read(900_000, from: pair.peer, of: pair.sockets)
        try subject.expect("sent", try await sending.get(), 400_000)
        try subject.expect("all of it in order", bytes == numbered(0..<900_000))
        try subject.expect("the position", try file.descriptor.seek(offset: 0, from: .current), 900_000)
        try subject.expect("reading afterwards", transport.isReading, true)
        try transport.write([1])
        try await subject.expectRefusal("a count of 0", .invalidArgument) {
          try await loop.sendfile(transport, file.descriptor, count: 0)
        }
        transport.close()
        try await subject.expectRefusal("a closing transport", .invalidState) {
          try await loop.sendfile(transport, file.descriptor)
        }
      }
    },
  ]
}

/// Takes something into another task of the same loop. Right as unchecked because both are in the loop's thread.
private struct Unshared<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
