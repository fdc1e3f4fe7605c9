internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group F: files to sockets.
  static let socketFileChecks: [ConformanceCheck] = [
    ConformanceCheck(75, "sendFile keeps to offset and count, and leaves the position behind", capabilities: .datagrams)
    {
      subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let file = try TemporaryFile(numbered(0..<300_000))
        let whole = try startTask { try await pair.near.sendFile(file.descriptor) }
        try subject.expect("bytes", try await receive(300_000, pair.far) == numbered(0..<300_000))
        try subject.expect("sent", try await whole.value, 300_000)
        try subject.expect("position", try file.descriptor.seek(offset: 0, from: .current), 300_000)
        try subject.expect("part", try await pair.near.sendFile(file.descriptor, offset: 1000, count: 500), 500)
        try subject.expect("its bytes", try await receive(500, pair.far), numbered(1000..<1500))
        try subject.expect("its position", try file.descriptor.seek(offset: 0, from: .current), 1500)
        try subject.expect(
          "beyond the end", try await pair.near.sendFile(file.descriptor, offset: 299_999, count: 500), 1)
        _ = try await receive(1, pair.far)
        let empty = try TemporaryFile([])
        try subject.expect("empty", try await pair.near.sendFile(empty.descriptor), 0)
      }
    },
    ConformanceCheck(75, "sendFile refuses what makes no sense", facet: "arguments", capabilities: .datagrams) {
      subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        let udp = try Socket(family: .ipv4, type: .datagram)
        defer {
          pair.close()
          udp.close()
        }
        let file = try TemporaryFile([1])
        let invalid = "\(EventLoopError.Code.invalidArgument)"
        try subject.expect("datagrams", await outcome { try await udp.sendFile(file.descriptor) }, invalid)
        for count in [0, -1] as [Int64] {
          try subject.expect(
            "count", await outcome { try await pair.near.sendFile(file.descriptor, count: count) }, invalid)
        }
        try subject.expect(
          "offset", await outcome { try await pair.near.sendFile(file.descriptor, offset: -1) }, invalid)
      }
    },
    ConformanceCheck(
      75, "What the system cannot send is read, unless that is refused", facet: "fallback", capabilities: .datagrams
    ) {
      subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let pipe = try FileDescriptor.pipe()
        defer { try? pipe.readEnd.close() }
        try pipe.writeEnd.writeAll(numbered(0..<5000))
        try subject.expect(
          "without", await outcome { try await pair.near.sendFile(pipe.readEnd, fallback: false) }, "notOffered")
        try pipe.writeEnd.close()
        try subject.expect("with", try await pair.near.sendFile(pipe.readEnd), 5000)
        try subject.expect("bytes", try await receive(5000, pair.far) == numbered(0..<5000))
      }
    },
    ConformanceCheck(
      75, "A cancelled sendFile stops, and the position is after what was sent", facet: "cancel",
      capabilities: .datagrams
    ) { subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let file = try TemporaryFile(numbered(0..<32_000_000))
        let sending = try startTask { try await pair.near.sendFile(file.descriptor) }
        let first = try await receive(1_000_000, pair.far)
        sending.cancel()
        try subject.expect("outcome", await outcome { try await sending.value }, "cancelled")
        let position = Int(try file.descriptor.seek(offset: 0, from: .current))
        try pair.near.shutdown(.writing)
        var got = first
        while true {
          let more = try await pair.far.receive(upTo: 65536)
          if more.isEmpty { break }
          got += more
        }
        try subject.require(got == numbered(0..<position), "\(got.count) bytes came, the position is \(position)")
        try subject.require(position < 32_000_000, "it was not cancelled in time")
      }
    },
  ]

  private static func receive(_ count: Int, _ socket: Socket) async throws -> [UInt8] {
    var got: [UInt8] = []
    while got.count < count {
      let more = try await socket.receive(upTo: min(65536, count - got.count))
      if more.isEmpty { break }
      got += more
    }
    return got
  }
}
