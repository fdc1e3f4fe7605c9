import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Sockets by hand, beyond lines 65 to 75 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct SocketTests {
  /// Two connected stream sockets of the running loop.
  static func pair() throws -> (Socket, Socket) {
    let pair = try SocketPair()
    pair.release(pair.a)
    pair.release(pair.b)
    return (try Socket(fileDescriptor: pair.a), try Socket(fileDescriptor: pair.b))
  }

  @Test("What cannot be a socket by hand is refused and stays the caller's", arguments: LoopKind.allCases)
  func adoption(kind: LoopKind) async throws {
    try await kind.withPair { near, _ in
      var ends: [Int32] = [-1, -1]
      try #require(pipe(&ends) == 0)
      for end in ends { try Socket.setNonBlocking(end) }
      expectRefusal(.invalidArgument) { try Socket(fileDescriptor: ends[0]) }
      for end in ends { #expect(CAsyncIO.close(end) == 0, "it is open still") }
      #expect(throws: IOError(.badFileDescriptor, "Socket", "descriptor 900000")) {
        try Socket(fileDescriptor: 900_000)
      }
      let number = near.descriptor.fileDescriptor
      expectRefusal(.invalidState) { try Socket(fileDescriptor: number) }
      #expect(near.localAddress != nil)
    }
    let pair = try SocketPair()
    expectRefusal(.noRunningLoop) { try Socket(fileDescriptor: pair.a) }
  }

  @Test("A listening socket that is taken over accepts", arguments: LoopKind.allCases)
  func takenListener(kind: LoopKind) async throws {
    try await kind.run { _ in
      let number = try listen(on: SocketAddress(ipLiteral: "127.0.0.1", port: 0)!, backlog: 4)
      let listener = try Socket(fileDescriptor: number)
      #expect(listener.type == .stream && listener.family == .ipv4)
      #expect(try listener.get(.isListening))
      let accepting = try loopTask { try await listener.accept() }
      let client = try Socket(family: .ipv4)
      try await client.connect(to: listener.localAddress!)
      let served = try await accepting.value
      #expect(served.peerAddress == client.localAddress)
      for socket in [listener, client, served] { socket.close() }
    }
  }

  @Test("A task of another thread uses an endpoint", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    try await kind.run { _ in
      let (near, far) = try Self.pair()
      let other = Task.detached {
        try await near.sendAll(numbered(0..<1_000_000))
        let answer = try await near.receive(upTo: 10)
        expectRefusal(.wrongThread) { try near.detach() }
        let waiting = Task.detached { try await near.receive(upTo: 10) }
        near.close()
        return (answer, await waiting.result)
      }
      var got: [UInt8] = []
      while got.count < 1_000_000 { got += try await far.receive(upTo: 65536) }
      #expect(got == numbered(0..<1_000_000))
      try await far.sendAll([1, 2])
      let (answer, ended) = try await other.value
      #expect(answer == [1, 2])
      #expect(throws: IOError.self) { try ended.get() }
      #expect(try await far.receive(upTo: 10) == [], "the end of the stream")
      far.close()
    }
  }

  @Test("Options keep their types", arguments: LoopKind.allCases)
  func options(kind: LoopKind) async throws {
    try await kind.run { _ in
      let socket = try Socket(family: .ipv4)
      for option in [SocketOption<Bool>.reuseAddress, .keepAlive, .noDelay] {
        #expect(try !socket.get(option))
        try socket.set(option, to: true)
        #expect(try socket.get(option))
      }
      try socket.set(.sendBufferSize, to: 40_000)
      #expect(try socket.get(.sendBufferSize) >= 40_000)
      #expect(try socket.get(.linger) == nil)
      try socket.set(.linger, to: .seconds(3))
      #expect(try socket.get(.linger) == .seconds(3))
      for part in [Duration.milliseconds(500), .nanoseconds(1), Duration(secondsComponent: 0, attosecondsComponent: 1)]
      {
        try socket.set(.linger, to: part)
        #expect(try socket.get(.linger) == .seconds(1), "a part of a second is a whole one, and no reset")
      }
      try socket.set(.linger, to: .zero)
      #expect(try socket.get(.linger) == .zero)
      try socket.set(.linger, to: .seconds(1e20))
      #expect(try socket.get(.linger) == .seconds(Int32.max))
      expectRefusal(.invalidArgument) { try socket.set(.linger, to: .nanoseconds(-1)) }
      for size in [-1, Int.min] {
        expectRefusal(.invalidArgument) { try socket.set(.sendBufferSize, to: size) }
        expectRefusal(.invalidArgument) { try socket.set(.receiveBufferSize, to: size) }
      }
      expectRefusal(.invalidArgument) { try socket.listen(backlog: -1) }
      #expect(try socket.get(.type) == .stream)
      expectRefusal(.invalidArgument) { try socket.set(.type, to: .datagram) }
      let option = SocketOption<Int32>(level: SOL_SOCKET, name: SO_PRIORITY)
      try socket.set(option, to: 3)
      #expect(try socket.get(option) == 3)
      socket.close()
      #expect(throws: IOError.self) { try socket.get(.noDelay) }
      #expect(socket.fileDescriptor == -1 && socket.localAddress == nil)
    }
  }

  @Test("A detached number is open, is not touched any more, and can be taken anew", arguments: LoopKind.allCases)
  func detached(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (near, far) = try Self.pair()
      for _ in 0..<3 {
        let waiting = try loopTask { try await near.receive(upTo: 1) }
        try await turnUntil { near.receiving.state == .inFlight }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
      }
      let number = try near.detach()
      #expect(near.isClosed)
      await #expect(throws: IOError.self) { try await near.receive(upTo: 1) }
      try await far.sendAll([1, 2, 3])
      let turns = loop.turns
      try await turnUntil { loop.turns > turns + 3 }
      let again = try Socket(fileDescriptor: number)
      #expect(try await again.receive(upTo: 10) == [1, 2, 3])
      again.close()
      far.close()
    }
  }

  @Test("Arguments that make no sense", arguments: LoopKind.allCases)
  func arguments(kind: LoopKind) async throws {
    try await kind.run { _ in
      let (near, far) = try Self.pair()
      let negative = try await failure(EventLoopError.self) { _ = try await near.receive(upTo: -1) }
      #expect(negative.code == .invalidArgument)
      #expect(try await near.receive(upTo: 0) == [])
      try await near.sendAll([])
      await #expect(throws: IOError.self) { try await near.accept() }
      near.close()
      far.close()
    }
  }

  @Test("However much room is asked for, what comes decides how much is taken", arguments: LoopKind.allCases)
  func room(kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try Datagrams.pair()
      let (near, far) = (try Socket(fileDescriptor: ends.0), try Socket(fileDescriptor: ends.1))
      try far.set(.sendBufferSize, to: 212_992)
      // Longer than what the library takes for a datagram of unknown length, where the system can send so much.
      let isLong = try far.get(.sendBufferSize) >= 400_000
      for maximum in [1 << 20, 1 << 40, Int.max - 1, .max] {
        let receiving = try loopTask { try await near.receiveDatagram(upTo: maximum).bytes }
        try await turnUntil { near.isReceiving }
        try await far.sendAll(numbered(0..<(isLong ? 300_000 : 3_000)))
        #expect(try await receiving.value == numbered(0..<(isLong ? 300_000 : 3_000)))
        try await far.sendAll([])
        #expect(try await near.receive(upTo: maximum) == [], "an empty one also counts")
        let cancelled = try loopTask { try await near.receive(upTo: maximum) }
        try await turnUntil { near.isReceiving }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
      }
      try await far.sendAll(numbered(0..<3_000))
      let short = try await failure(IOError.self) { _ = try await near.receive(upTo: 2_999) }
      #expect(short.errno == .messageTooLong)
      near.close()
      far.close()
    }
  }

  @Test("A Unix datagram to a full queue that nobody reports waits for room", arguments: LoopKind.allCases)
  func fullQueue(kind: LoopKind) async throws {
    try await kind.run { _ in
      let path = TemporaryDirectory()
      let address = try SocketAddress(unixPath: "\(path.path)/s")
      let far = try Socket(family: .unix, type: .datagram)
      try far.bind(to: address)
      let near = try Socket(family: .unix, type: .datagram)
      let count = 300
      let sending = try loopTask {
        for number in 0..<count { try await near.send([UInt8(number & 255)], to: address) }
      }
      // Its queue is full before it is read.
      try await sleep(for: .milliseconds(5))
      for number in 0..<count {
        let datagram = try await far.receiveDatagram(upTo: 10)
        #expect(datagram.bytes == [UInt8(number & 255)])
        #expect(datagram.address.unixPath == nil, "it has no name")
      }
      try await sending.value
      near.close()
      far.close()
    }
  }

  @Test("Sockets that are dropped, cancelled and refused leave nothing", arguments: LoopKind.allCases)
  func leaks(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      let work: @Sendable () async throws -> Void = {
        try await kind.run { _ in
          let listener = try Socket(family: .ipv4)
          try listener.bind(to: SocketAddress(ipLiteral: "127.0.0.1", port: 0)!)
          try listener.listen()
          for _ in 0..<50 {
            let accepting = try loopTask { try await listener.accept() }
            try await sleep(for: .zero)
            accepting.cancel()
            let client = try Socket(family: .ipv4)
            try await client.connect(to: listener.localAddress!)
            _ = try? await accepting.value
            if accepting.isCancelled { _ = try await listener.accept() }
            let (near, far) = try SocketTests.pair()
            _ = (near, far)
          }
        }
      }
      try await work()
      try await expectNoLeaks { try await work() }
    }
  }
}
