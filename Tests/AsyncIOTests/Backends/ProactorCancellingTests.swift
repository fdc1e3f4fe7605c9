import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Cancelling at every moment of an operation's life: it ends once, nothing that has come is lost, and the memory of
/// the caller is the system's until the end is reported (invariants I15 to I17).
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(5)))
struct ProactorCancellingTests {
  enum Moment: CaseIterable {
    /// The system has not been told of the operation.
    case early
    /// The system works on it.
    case inFlight
    /// It has ended in the system, and nobody has looked.
    case racing
    /// Its end was reported.
    case late
  }

  @Test("A receive: what is not delivered now is delivered next", arguments: Moment.allCases, [false, true])
  func receiving(moment: Moment, isLent: Bool) async throws {
    try await ProactorDriver.run { driver in
      let pair = try SocketPair()
      let operation = IOOperation(isLent ? .receiveLent : .receive, on: driver.adopt(pair))
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 16)
      defer { memory.deallocate() }
      func useMemory() { (operation.buffer, operation.count) = isLent ? (nil, 0) : (memory.baseAddress, memory.count) }
      useMemory()
      #expect(!driver.backend.submit(operation))
      if moment != .early { try driver.step(2) }
      var sent = 0
      if moment == .racing || moment == .late {
        send(numbered(0..<10), to: pair.b)
        sent = 10
      }
      if moment == .late { try driver.finish(operation) }
      driver.backend.cancel(operation)
      // Lent memory is not the caller's, so only the waiting has to end.
      if moment != .late { #expect((operation.state == .inFlight) == !isLent, "memory is the system's until the end") }
      try driver.finish(operation)
      if moment == .early || moment == .inFlight { #expect(operation.isCancelled) }
      if moment == .late { #expect(!operation.isCancelled) }
      var got = operation.isCancelled ? [] : driver.bytes(of: operation) ?? []
      send(numbered(sent..<sent + 20), to: pair.b)
      sent += 20
      while got.count < sent {
        useMemory()
        got += try driver.receive(1, with: operation)
      }
      #expect(got == numbered(0..<sent))
      driver.close(operation.descriptor)
      try driver.finish(operation.descriptor)
    }
  }

  @Test("A large send: the peer gets exactly what is counted as gone", arguments: Moment.allCases)
  func sending(moment: Moment) async throws {
    try await ProactorDriver.run { driver in
      let pair = try SocketPair()
      let operation = IOOperation(.send, on: driver.adopt(pair))
      let total = 1_000_000
      let bytes = numbered(0..<total)
      var got: [UInt8] = []
      try bytes.withUnsafeBytes { bytes in
        operation.buffer = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        operation.count = total
        #expect(!driver.backend.submit(operation))
        if moment != .early { try driver.step(2) }
        if moment == .racing { got += receiveAll(pair.b) }
        while moment == .late && operation.state == .inFlight {
          try driver.step()
          got += receiveAll(pair.b)
        }
        driver.backend.cancel(operation)
        if moment != .late { #expect(operation.state == .inFlight, "memory is the system's until the end") }
        try driver.finish(operation)
      }
      #expect(operation.isCancelled == (moment != .late))
      // The next write begins after what is gone.
      let next = numbered(operation.transferred..<operation.transferred + 100)
      #expect(next.withUnsafeBytes { driver.backend.trySend(operation.descriptor, $0) } == 100)
      driver.close(operation.descriptor)
      for _ in 0..<1000 where operation.descriptor.stream != nil {
        try driver.step()
        got += receiveAll(pair.b)
      }
      got += receiveAll(pair.b)
      #expect(got.count == operation.transferred + 100)
      let isRight = got == numbered(0..<got.count)
      #expect(isRight)
    }
  }

  @Test("A connect ends as connected or as cancelled", arguments: Moment.allCases)
  func connecting(moment: Moment) async throws {
    try await ProactorDriver.run { driver in
      let full = try FullListener()
      if moment == .late { full.makeRoom() }
      let operation = IOOperation(
        .connect, on: driver.adopt(try SystemSockets.shared.open(for: AddressInfo(full.address))))
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(full.address.length), alignment: 16)
      defer { memory.deallocate() }
      full.address.withSockaddr { memory.copyMemory(from: UnsafeRawBufferPointer(start: $0, count: Int($1))) }
      (operation.buffer, operation.count) = (memory.baseAddress, memory.count)
      #expect(!driver.backend.submit(operation))
      if moment != .early { try driver.step(2) }
      if moment == .racing { full.makeRoom() }
      if moment == .late { try driver.finish(operation) }
      driver.backend.cancel(operation)
      if moment != .late { #expect(operation.state == .inFlight, "the address is the system's until the end") }
      try driver.finish(operation)
      switch moment {
      case .early, .inFlight: #expect(operation.isCancelled)
      case .racing: #expect(operation.isCancelled || operation.result == 0)
      case .late: #expect(operation.result == 0)
      }
      driver.close(operation.descriptor)
      try driver.finish(operation.descriptor)
    }
  }

  @Test("An accept: the connection that came is the next one's", arguments: Moment.allCases)
  func accepting(moment: Moment) async throws {
    try await ProactorDriver.run { driver in
      let any = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0))
      let number = try listen(on: any, backlog: 10)
      let address = try #require(SocketAddress.local(of: number))
      let operation = IOOperation(.accept, on: driver.adopt(number, isListening: true))
      var clients: [Int32] = []
      var accepted: [Int32] = []
      defer { for fd in clients + accepted { _ = CAsyncIO.close(fd) } }
      func addClient() throws {
        clients.append(try SystemSockets.shared.open(for: AddressInfo(address)))
        _ = address.withSockaddr { CAsyncIO.connect(clients.last!, $0, $1) }
      }
      #expect(!driver.backend.submit(operation))
      if moment != .early { try driver.step(2) }
      if moment == .racing || moment == .late { try addClient() }
      if moment == .late { try driver.finish(operation) }
      driver.backend.cancel(operation)
      #expect(operation.isCancelled == (moment != .late))
      if operation.result >= 0 { accepted.append(Int32(operation.result)) }
      // One more, which may come while nobody waits.
      try addClient()
      try driver.step(3)
      while accepted.count < clients.count {
        if !driver.backend.submit(operation) { try driver.finish(operation) }
        try #require(operation.result >= 0)
        accepted.append(Int32(operation.result))
      }
      // Those that nobody takes are closed with the listener.
      try addClient()
      try driver.step(3)
      driver.close(operation.descriptor)
      try driver.finish(operation.descriptor)
      let ends = accepted.map { SocketAddress.peer(of: $0) }
      #expect(ends == clients.dropLast().map { SocketAddress.local(of: $0) })
    }
  }

  @Test("A hundred operations in a queue of four, all cancelled at once: each ends, each loses nothing")
  func crowded() async throws {
    try await ProactorDriver.run(.narrow) { driver in
      let pairs = try (0..<100).map { _ in try SocketPair() }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 100 * 16, alignment: 16)
      defer { memory.deallocate() }
      let operations = pairs.map { IOOperation(.receive, on: driver.adopt($0)) }
      for round in 0..<4 {
        for (index, operation) in operations.enumerated() {
          (operation.buffer, operation.count) = (memory.baseAddress! + index * 16, 16)
          #expect(!driver.backend.submit(operation))
        }
        // In the first round none has reached the system, in the others some or all have.
        try driver.step(round)
        for operation in operations { driver.backend.cancel(operation) }
        for operation in operations {
          try driver.finish(operation)
          #expect(operation.isCancelled)
        }
      }
      for (operation, pair) in zip(operations, pairs) {
        send(numbered(0..<5), to: pair.b)
        #expect(try driver.receive(5, with: operation) == numbered(0..<5))
        driver.close(operation.descriptor)
        try driver.finish(operation.descriptor)
      }
    }
  }

  @Test("A cancel at the end of the run ends its operation; the others go on with the next run")
  func cancelThenEnd() async throws {
    try await ProactorDriver.run { driver in
      let pairs = try (0..<2).map { _ in try SocketPair() }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 32, alignment: 16)
      defer { memory.deallocate() }
      let operations = pairs.map { IOOperation(.receive, on: driver.adopt($0)) }
      for (index, operation) in operations.enumerated() {
        (operation.buffer, operation.count) = (memory.baseAddress! + index * 16, 16)
        #expect(!driver.backend.submit(operation))
      }
      try driver.step(2)
      driver.backend.cancel(operations[0])
      try driver.restart()
      #expect(operations[0].isCancelled)
      #expect(operations[1].state == .inFlight)
      send(numbered(0..<5), to: pairs[1].b)
      try driver.finish(operations[1])
      #expect(driver.bytes(of: operations[1]) == numbered(0..<5))
      for operation in operations { driver.close(operation.descriptor) }
      for operation in operations { try driver.finish(operation.descriptor) }
    }
  }
}

/// Send past all loops; the socket has room.
func send(_ bytes: [UInt8], to number: Int32) {
  #expect(CAsyncIO.write(number, bytes, bytes.count) == bytes.count)
}
