internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group F: sockets by hand.
  static let socketOperationChecks: [ConformanceCheck] =
    socketReceivingChecks + socketSendingChecks + socketFileChecks

  private static let socketReceivingChecks: [ConformanceCheck] = [
    ConformanceCheck(65, "A receive with data there ends without a wait", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        try await pair.far.sendAll(Array("data".utf8))
        // A simulated network takes its time.
        try await sleep(for: .milliseconds(1))
        let trail = Trail()
        let other = try startTask { trail.mark("other") }
        trail.mark(try await pair.near.receive(upTo: 10).count)
        _ = try await other.value
        try subject.expect("order", trail, "4 other")
      }
    },
    ConformanceCheck(
      66, "A second receive on one socket is refused, the first goes on", capabilities: .datagrams,
      deviation: "CPython lets the second one take the place of the first, which then waits for ever."
    ) { subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let first = try startTask { try await pair.near.receive(upTo: 10) }
        try await letTurn()
        try subject.expect("second", await outcome { try await pair.near.receive(upTo: 10) }, "busy")
        try subject.expect("accept", await outcome { try await pair.near.accept() }, "busy")
        try await pair.far.sendAll([1, 2, 3])
        try subject.expect("first", try await first.value, [1, 2, 3])
      }
    },
    ConformanceCheck(67, "A receive that follows a cancelled one gets the data", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let first = try startTask { try await pair.near.receive(upTo: 10) }
        try await letTurn()
        first.cancel()
        try subject.expect("first", await outcome { try await first.value }, "cancelled")
        let second = try startTask { try await pair.near.receive(upTo: 10) }
        try await letTurn()
        try await pair.far.sendAll([1, 2, 3])
        try subject.expect("second", try await second.value, [1, 2, 3])
      }
    },
    ConformanceCheck(
      68, "A cancelled operation leaves no registration: the number can be watched by others at once",
      capabilities: [.datagrams, .descriptorWatches]
    ) { subject in
      try subject.run { loop in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let waiting = try startTask { try await pair.near.receive(upTo: 10) }
        try await letTurn()
        try subject.expectRefusal("detach while it waits", .busy) { try pair.near.detach() }
        waiting.cancel()
        try subject.expect("outcome", await outcome { try await waiting.value }, "cancelled")
        let number = try pair.near.detach()
        let taken = try Socket(fileDescriptor: number)
        defer { taken.close() }
        let trail = Trail()
        let other = try taken.detach()
        try loop.addReader(other) {
          trail.mark("readable")
          _ = try loop.removeReader(other)
        }
        try await pair.far.sendAll([1])
        while trail.count == 0 { try await sleep(for: .milliseconds(1)) }
        try await letTurn()
        try subject.expect("reports", trail, "readable")
        try Socket(fileDescriptor: other).close()
      }
    },
    ConformanceCheck(
      69, "A socket that is closed ends what waits on it", capabilities: .datagrams,
      deviation: "CPython leaves the operation pending until it is cancelled."
    ) { subject in
      try subject.run { _ in
        for isAccept in [false, true] {
          let pair = try await TCPPair.make()
          let listener = try await TCPPair.listening()
          defer { pair.close() }
          let waiting = try startTask {
            if isAccept { _ = try await listener.accept() } else { _ = try await pair.near.receive(upTo: 10) }
          }
          try await letTurn()
          pair.near.close()
          listener.close()
          try subject.expect(
            isAccept ? "accept" : "receive", await outcome { try await waiting.value }, "\(Errno.canceled)")
          try subject.expect(
            "afterwards", await outcome { try await pair.near.receive(upTo: 1) }, "\(Errno.badFileDescriptor)")
        }
      }
    },
    ConformanceCheck(72, "A connection that comes after a cancelled accept is the next one's", capabilities: .datagrams)
    {
      subject in
      try subject.run { _ in
        let listener = try await TCPPair.listening()
        defer { listener.close() }
        for _ in 0..<20 {
          let accepting = try startTask { try await listener.accept() }
          try await letTurn(2)
          accepting.cancel()
          let near = try Socket(family: .ipv4)
          try await near.connect(to: listener.localAddress!)
          try subject.expect("cancelled", await outcome { try await accepting.value }, "cancelled")
          let far = try await listener.accept()
          try await near.sendAll([7])
          try subject.expect("byte", try await far.receive(upTo: 1), [7])
          near.close()
          far.close()
        }
      }
    },
    ConformanceCheck(
      73, "A blocking socket is refused, and the message says what helps",
      capabilities: [.datagrams, .systemDescriptors]
    ) { subject in
      try subject.run { _ in
        let socket = try Socket(family: .ipv4)
        let number = try socket.detach()
        try setBlocking(number)
        do {
          _ = try Socket(fileDescriptor: number)
          try subject.fail("a blocking socket was taken")
        } catch let error as EventLoopError {
          try subject.expect("code", error.code, .invalidArgument)
          try subject.expect("names the fix", error.description.contains("setNonBlocking"))
        }
        try Socket.setNonBlocking(number)
        try Socket(fileDescriptor: number).close()
      }
    },
    ConformanceCheck(74, "Datagrams go to addresses and come with them", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let (near, far) = (
          try Socket(family: .ipv4, type: .datagram), try Socket(family: .ipv4, type: .datagram)
        )
        defer {
          near.close()
          far.close()
        }
        for socket in [near, far] { try socket.bind(to: loopback(0)) }
        try await near.send([1, 2, 3], to: far.localAddress!)
        let datagram = try await far.receiveDatagram(upTo: 100)
        try subject.expect("bytes", datagram.bytes, [1, 2, 3])
        try subject.expect("sender", datagram.address == near.localAddress)
        try await near.send([4, 5], to: far.localAddress!)
        var memory = [UInt8](repeating: 0, count: 8)
        try subject.expect(
          "more than the memory", await outcome { try await receive(far, into: &memory, count: 9) },
          "\(EventLoopError.Code.invalidArgument)")
        let (count, sender) = try await receive(far, into: &memory, count: nil)
        try subject.expect("into memory", Array(memory.prefix(count)), [4, 5])
        try subject.expect("sender of it", sender == near.localAddress)
        try await near.send([6, 7, 8], to: far.localAddress!)
        try subject.expect(
          "a longer one", await outcome { try await far.receive(upTo: 2) }, "\(Errno.messageTooLong)")
      }
    },
  ]

  private static func receive(
    _ socket: Socket, into memory: inout [UInt8], count: Int?
  ) async throws -> (Int, SocketAddress) {
    var span = memory.mutableSpan
    var bytes = span.mutableBytes
    return try await socket.receiveDatagram(into: &bytes, count: count)
  }

  private static func receive(_ socket: Socket, into memory: inout [UInt8]) async throws -> Int {
    var span = memory.mutableSpan
    var bytes = span.mutableBytes
    return try await socket.receive(into: &bytes)
  }

  private static let socketSendingChecks: [ConformanceCheck] = [
    ConformanceCheck(70, "64 MiB to a slow reader arrive whole and in order", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let total = 64 << 20
        let writing = try startTask { try await pair.near.sendAll(numbered(0..<total)) }
        var got = 0
        var memory = [UInt8](repeating: 0, count: 65536)
        while got < total {
          let count = try await receive(pair.far, into: &memory)
          try subject.require(count > 0, "the stream ended after \(got) bytes")
          try subject.require(areNumbered(memory, count, from: got), "bytes after \(got) are wrong")
          got += count
          if got % 7 == 0 { try await sleep(for: .zero) }
        }
        try await writing.value
        try subject.expect("received", got, total)
      }
    },
    ConformanceCheck(70, "A cancelled send of 64 MiB stops", facet: "cancel", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let pair = try await TCPPair.make()
        defer { pair.close() }
        let total = 64 << 20
        let writing = try startTask { try await pair.near.sendAll(numbered(0..<total)) }
        try await letTurn()
        writing.cancel()
        try subject.expect("outcome", await outcome { try await writing.value }, "cancelled")
        try pair.near.shutdown(.writing)
        var got = 0
        var memory = [UInt8](repeating: 0, count: 65536)
        while case let count = try await receive(pair.far, into: &memory), count > 0 {
          try subject.require(areNumbered(memory, count, from: got), "bytes after \(got) are wrong")
          got += count
        }
        try subject.require(got > 0 && got < total, "\(got) of \(total) bytes were sent")
      }
    },
    ConformanceCheck(71, "A refused connect names the address; a name is resolved", capabilities: .datagrams) {
      subject in
      try subject.run { _ in
        let gone = try await TCPPair.listening()
        let address = gone.localAddress!
        gone.close()
        let socket = try Socket(family: .ipv4)
        defer { socket.close() }
        do {
          try await socket.connect(to: address)
          try subject.fail("connected to nobody")
        } catch let error as IOError {
          try subject.expect("error", error.errno, .connectionRefused)
          try subject.expect("names the address", error.description.contains("\(address)"))
        }
        let listener = try await TCPPair.listening()
        defer { listener.close() }
        let other = try Socket(family: .ipv4)
        defer { other.close() }
        try await other.connect(host: "localhost", port: listener.localAddress!.port!)
        try subject.expect("peer", other.peerAddress == listener.localAddress)
      }
    },
  ]
}
