import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// Messages with addresses, and waits that take nothing, straight on the backends.
@Suite(.timeLimit(.minutes(5)))
struct MessageOperationTests {
  @Test("A datagram comes with its sender's address, also an empty one", arguments: LoopKind.allCases)
  func receive(kind: LoopKind) async throws {
    try await kind.run { loop in
      #expect(loop.capabilities.contains(.datagrams))
      let (near, nearAddress) = try Datagrams.socket()
      let (far, farAddress) = try Datagrams.socket()
      defer { _ = close(far) }
      let descriptor = IODescriptor(near, loop: loop)
      let receiving = MessageOperation(.receiveFrom, on: descriptor)
      let first = try loopTask { await receiving.complete(on: loop) }
      try await turnUntil { receiving.operation.state == .inFlight }
      for bytes in [Array("abc".utf8), [], Array("defg".utf8)] {
        #expect(Datagrams.send(bytes, from: far, to: nearAddress) == bytes.count)
      }
      #expect(try await first.value == 3)
      #expect(receiving.bytes == Array("abc".utf8) && receiving.sender == farAddress)
      #expect(await receiving.complete(on: loop) == 0)
      #expect(receiving.sender == farAddress && !receiving.operation.isMessageTruncated)
      receiving.operation.count = 2
      #expect(await receiving.complete(on: loop) == 2)
      #expect(receiving.operation.isMessageTruncated && receiving.bytes == Array("de".utf8))
      descriptor.close()
    }
  }

  @Test("A send waits for room, and then sends its message whole and in order", arguments: LoopKind.allCases)
  func waitForRoom(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (near, far) = try Datagrams.pair()
      defer { _ = close(far) }
      let descriptor = IODescriptor(near, loop: loop)
      let sending = MessageOperation(.sendTo, on: descriptor, count: 8000)
      var sent = 0
      var task: Task<Int, any Error>?
      while task == nil {
        sending.fill(numbered(sent..<sent + 8000))
        if loop.backend.submit(sending.operation) {
          #expect(sending.operation.result == 8000)
          sent += 8000
        } else {
          loop.backend.cancel(sending.operation)
          try await turnUntil { sending.operation.state == .done }
          #expect(sending.operation.result == -Int(ECANCELED))
          task = try loopTask { await sending.complete(on: loop) }
        }
      }
      try await turnUntil { sending.operation.state == .inFlight }
      var got: [UInt8] = []
      while let bytes = Datagrams.receive(from: far) {
        #expect(bytes.count == 8000)
        got += bytes
      }
      #expect(try await task!.value == 8000)
      got += try #require(Datagrams.receive(from: far))
      #expect(got == numbered(0..<sent + 8000))
      descriptor.close()
    }
  }

  @Test(
    "A refused datagram is the result of one operation; the socket works on both ways", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (near, nearAddress) = try Datagrams.socket()
      let descriptor = IODescriptor(near, loop: loop)
      let dead = try Datagrams.deadAddress()
      try #require(dead.withSockaddr { connect(near, $0, $1) } == 0)
      let receiving = MessageOperation(.receiveFrom, on: descriptor)
      let sending = MessageOperation(.sendTo, on: descriptor)
      for _ in 0..<3 {
        let waiting = try loopTask { await receiving.complete(on: loop) }
        try await turnUntil { receiving.operation.state == .inFlight }
        sending.fill([1])
        #expect(await sending.complete(on: loop) == 1)
        #expect(try await waiting.value == -Int(ECONNREFUSED))
      }
      // Somebody listens there now.
      let far = casyncio_socket(AF_INET, datagramType, 0)
      defer { _ = close(far) }
      try #require(dead.withSockaddr { CAsyncIO.bind(far, $0, $1) } == 0)
      let waiting = try loopTask { await receiving.complete(on: loop) }
      #expect(await sending.complete(on: loop) == 1)
      #expect(Datagrams.receive(from: far) == [1])
      #expect(Datagrams.send([2, 3], from: far, to: nearAddress) == 2)
      #expect(try await waiting.value == 2)
      descriptor.close()
    }
  }

  @Test("Receives that are cancelled at random lose no datagram and double none", arguments: LoopKind.allCases)
  func conservation(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (near, nearAddress) = try Datagrams.socket()
      let (far, _) = try Datagrams.socket()
      defer { _ = close(far) }
      let descriptor = IODescriptor(near, loop: loop)
      let receiving = MessageOperation(.receiveFrom, on: descriptor)
      var random = SystemRandomNumberGenerator()
      var (sent, got, cancelled) = (0, 0, 0)
      func sendOne() { sent += Datagrams.send([UInt8(sent & 255)], from: far, to: nearAddress) }
      for round in 0..<1000 {
        let waiting = try loopTask { await receiving.complete(on: loop) }
        let sends = round % 3 != 0
        if sends && Bool.random(using: &random) { sendOne() }
        for _ in 0..<Int.random(in: 0...3, using: &random) { await Task.yield() }
        if random.next() % 4 == 0 { try await sleep(for: .microseconds(30)) }
        if sends && Bool.random(using: &random) { sendOne() }
        waiting.cancel()
        if try await waiting.value == -Int(ECANCELED) {
          cancelled += 1
        } else {
          #expect(receiving.bytes == [UInt8(got & 255)])
          got += 1
        }
      }
      while got < sent {
        await receiving.complete(on: loop)
        #expect(receiving.bytes == [UInt8(got & 255)])
        got += 1
      }
      #expect(Datagrams.receive(from: near) == nil)
      #expect(cancelled > 20 && cancelled < 1000, "\(cancelled) of 1000 were cancelled in time")
      descriptor.close()
    }
  }

  @Test("Writable: at once with room, else when there is some again; nothing is sent", arguments: LoopKind.allCases)
  func writable(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try SocketPair()
      pair.release(pair.a)
      let descriptor = IODescriptor(pair.a, loop: loop)
      let writable = MessageOperation(.writable, on: descriptor)
      #expect(await writable.complete(on: loop) == 0)
      for _ in 0..<3 {
        while pair.fill(pair.a) > 0 {}
        let waiting = try loopTask { await writable.complete(on: loop) }
        try await turnUntil { writable.operation.state == .inFlight }
        let turns = loop.turns
        try await turnUntil { loop.turns > turns + 3 }
        #expect(writable.operation.state == .inFlight)
        while pair.read(65536, from: pair.b) > 0 {}
        #expect(try await waiting.value == 0)
      }
      // A wait that is cancelled, and one that the close ends.
      for closes in [false, true] {
        while pair.fill(pair.a) > 0 {}
        let waiting = try loopTask { await writable.complete(on: loop) }
        try await turnUntil { writable.operation.state == .inFlight }
        if closes { descriptor.close() } else { waiting.cancel() }
        #expect(try await waiting.value == -Int(ECANCELED))
      }
    }
  }

  @Test("Ready asks anew each time, regardless of earlier reports", arguments: LoopKind.allCases)
  func ready(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try SocketPair()
      pair.release(pair.a)
      let descriptor = IODescriptor(pair.a, loop: loop)
      let ready = MessageOperation(.ready, on: descriptor)
      for _ in 0..<3 {
        let waiting = try loopTask { await ready.complete(on: loop) }
        try await turnUntil { ready.operation.state == .inFlight }
        pair.write(5, to: pair.b)
        #expect(try await waiting.value == 0)
        #expect(pair.read(from: pair.a) == 5)
      }
      descriptor.close()
    }
  }

  @Test(
    "Proactor: readiness of a listening socket that is no longer waited for is not a connection",
    .enabled(if: LoopKind.hasProactor, "io_uring is not available"))
  func readyListener() async throws {
    try await ProactorDriver.run { driver in
      let any = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0))
      let number = try listen(on: any, backlog: 4)
      let listener = driver.adopt(number, isListening: true)
      let ready = MessageOperation(.ready, on: listener)
      #expect(!driver.backend.submit(ready.operation))
      try driver.step(2)
      driver.backend.cancel(ready.operation)
      #expect(ready.operation.isCancelled)
      let client = casyncio_socket(AF_INET, casyncio_stream_type, 0)
      defer { _ = close(client) }
      _ = SocketAddress.local(of: number)!.withSockaddr { connect(client, $0, $1) }
      for _ in 0..<100 where listener.stream?.pointee.isReceiving == true {
        try driver.backend.poll(timeout: 10_000_000)
      }
      #expect(listener.stream?.pointee.chunks.isEmpty == true, "a connection that is not one would be closed later")
      #expect(listener.stream?.pointee.isReadable == true)
      let served = casyncio_accept(number)
      #expect(served >= 0, "it is in the system's queue")
      _ = close(served)
      driver.close(listener)
      try driver.finish(listener)
    }
  }

  @Test(
    "Proactor: what waits for a message or for room goes on in the next run; writable stands behind small writes",
    .enabled(if: LoopKind.hasProactor, "io_uring is not available"))
  func nextRun() async throws {
    try await ProactorDriver.run { driver in
      let (near, nearAddress) = try Datagrams.socket()
      let (far, _) = try Datagrams.socket()
      defer { _ = close(far) }
      let descriptor = driver.adopt(near)
      let receiving = MessageOperation(.receiveFrom, on: descriptor)
      #expect(!driver.backend.submit(receiving.operation))
      try driver.step(2)
      try driver.restart()
      #expect(receiving.operation.state == .inFlight)
      #expect(Datagrams.send([7], from: far, to: nearAddress) == 1)
      try driver.finish(receiving.operation)
      #expect(receiving.bytes == [7])
      driver.close(descriptor)
      try driver.finish(descriptor)

      let pair = try SocketPair()
      let stream = driver.adopt(pair)
      let sending = MessageOperation(.send, on: stream)
      let writable = MessageOperation(.writable, on: stream)
      while pair.fill(pair.a) > 0 {}
      sending.fill([1, 2, 3])
      #expect(driver.backend.submit(sending.operation), "small writes are taken")
      #expect(!driver.backend.submit(writable.operation))
      try driver.step(2)
      try driver.restart()
      try driver.step(2)
      #expect(writable.operation.state == .inFlight)
      while pair.read(65536, from: pair.b) > 0 {}
      try driver.finish(writable.operation)
      #expect(writable.operation.result == 0)
      #expect(pair.read(from: pair.b) == 3)
      driver.close(stream)
      try driver.finish(stream)
    }
  }
}
