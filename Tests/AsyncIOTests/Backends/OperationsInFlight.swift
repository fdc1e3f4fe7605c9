import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// One waiting operation of every kind, each awaited by a task of the loop: what a run leaves when it ends.
final class OperationsInFlight: @unchecked Sendable {
  // Right because a test uses it in one thread at a time: the thread of the run, or between runs the test's own.
  static let large = 16_000_000

  let loop: BaseEventLoop
  let reader: StreamPair
  let chunks: StreamPair
  let handler: StreamPair
  let writer: StreamPair
  let holder: StreamPair
  let listener: StreamListener
  let full: FullListener
  let watched: SocketPair

  private(set) var reading: LoopTask<[UInt8]>!
  private(set) var lent: LoopTask<[UInt8]>!
  private(set) var synchronous: LoopTask<Void>!
  private(set) var writing: LoopTask<Void>!
  private(set) var accepting: LoopTask<StreamConnection>!
  private(set) var connecting: LoopTask<StreamConnection>!
  private(set) var holding: LoopTask<[UInt8]>!
  let got = Recorder<[UInt8]>()
  let watchCalls = Recorder<Int>()
  let holdsChunk = Flag()
  /// Opens the closure that holds its chunk. Not of the loop: it has to work when that is closed.
  let release: AsyncStream<Void>.Continuation
  private let released: AsyncStream<Void>

  /// On the running loop; returns when everything waits in the backend.
  static func start() async throws -> OperationsInFlight {
    let all = try await OperationsInFlight()
    try all.startTasks()
    try await turnUntil {
      all.reader.near.isReading && all.chunks.near.isReading && all.handler.near.isReading
        && all.writer.near.isWriting && all.listener.accepting[0].state == .inFlight && all.holdsChunk.isSet
        && all.isConnecting
    }
    return all
  }

  private init() async throws {
    loop = try #require(try getRunningLoop() as? BaseEventLoop)
    reader = try await .make()
    chunks = try await .make()
    handler = try await .make()
    writer = try await .make()
    holder = try await .make()
    listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    full = try FullListener()
    watched = try SocketPair()
    (released, release) = AsyncStream.makeStream()
  }

  private func startTasks() throws {
    let (reader, chunks, handler, writer, holder) = (reader.near, chunks.near, handler.near, writer.near, holder.near)
    let (got, watchCalls, listener, full) = (got, watchCalls, listener, full)
    reading = try loop.createTask { try await reader.readExactly(3) }
    lent = try loop.createTask {
      var bytes: [UInt8] = []
      try await chunks.forEachChunk { bytes += $0.withUnsafeBytes { Array($0) } }
      return bytes
    }
    synchronous = try loop.createTask {
      try await handler.serveChunks { bytes, _ in got.record(bytes.withUnsafeBytes { Array($0) }) }
    }
    writing = try loop.createTask { try await writer.write(numbered(0..<Self.large)) }
    accepting = try loop.createTask { try await listener.accept() }
    connecting = try loop.createTask { try await StreamConnection.connect(to: full.address) }
    holding = try loop.createTask { [holdsChunk, released] in
      var bytes: [UInt8] = []
      try await holder.forEachChunk { chunk in
        holdsChunk.set()
        for await _ in released { break }
        // Read after the wait, wherever that has brought this.
        bytes += chunk.withUnsafeBytes { Array($0) }
      }
      return bytes
    }
    try loop.addReader(watched.a) { [watched] in watchCalls.record(watched.read(from: watched.a)) }
    _ = try loop.createTask { [far = self.holder.far] in try await far.write(numbered(0..<1000)) }
  }

  /// A connect waits: its socket is the one in care that is neither connected nor listening.
  private var isConnecting: Bool { full.isBeingConnectedTo(by: loop) }

  /// Whether nothing of it has ended.
  var allWait: Bool {
    let isDone = [
      reading.isDone, lent.isDone, synchronous.isDone, writing.isDone, accepting.isDone, connecting.isDone,
      holding.isDone,
    ]
    return !isDone.contains(true)
  }

  /// End everything well, on the running loop, and check what came.
  func finish() async throws {
    try await reader.far.write("abc")
    #expect(try await reading.get() == Array("abc".utf8))
    try await chunks.far.write(numbered(0..<100_000))
    try chunks.far.writeEOF()
    let all = try await lent.get() == numbered(0..<100_000)
    #expect(all)
    try await handler.far.write(numbered(0..<5000))
    try handler.far.writeEOF()
    try await synchronous.get()
    let pushed = got.all.flatMap { $0 } == numbered(0..<5000)
    #expect(pushed)
    let written = try await writer.far.readExactly(Self.large) == numbered(0..<Self.large)
    #expect(written)
    try await writing.get()
    let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let served = try await accepting.get()
    try await client.write("x")
    #expect(try await served.readExactly(1) == [UInt8(ascii: "x")])
    full.makeRoom()
    try await connecting.get().close()
    watched.write(1, to: watched.b)
    try await turnUntil { watchCalls.all == [1] }
    release.yield()
    try holder.far.writeEOF()
    let held = try await holding.get() == numbered(0..<1000)
    #expect(held)
    client.close()
    served.close()
  }

  /// What each task throws, "nothing" for one that does not.
  func outcomes() async -> [String] {
    func outcome<R>(_ task: LoopTask<R>) async -> String {
      do { _ = try await task.get() } catch { return (error as? EventLoopError).map { "\($0.code)" } ?? "\(error)" }
      return "nothing"
    }
    return await [
      outcome(reading), outcome(lent), outcome(synchronous), outcome(writing), outcome(accepting), outcome(connecting),
    ]
  }

  func close() {
    for pair in [reader, chunks, handler, writer, holder] { pair.close() }
    listener.close()
    _ = try? loop.removeReader(watched.a)
  }
}

/// A listening socket whose queue is full: a client that connects to it waits.
final class FullListener: @unchecked Sendable {
  // Right because a test uses it in one thread at a time.
  let address: SocketAddress
  private let socket: Int32
  private var fillers: [Int32] = []

  init() throws {
    let any = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0))
    socket = try listen(on: any, backlog: 1)
    address = try #require(SocketAddress.local(of: socket))
    // Over the loopback a connection is made inside the call; the first one that is not has found the queue full.
    repeat {
      let filler = try SystemSockets.shared.open(for: AddressInfo(address))
      fillers.append(filler)
      _ = address.withSockaddr { connect(filler, $0, $1) }
    } while SocketAddress.peer(of: fillers.last!) != nil && fillers.count < 100
    try #require(fillers.count < 100, "the queue of a listener has no end here")
  }

  deinit {
    makeRoom()
    _ = CAsyncIO.close(socket)
  }

  /// Take what waits in the queue. A client that was refused a place tries again within a second or two.
  func makeRoom() {
    for filler in fillers { _ = CAsyncIO.close(filler) }
    fillers = []
    while case let accepted = accept(socket, nil, nil), accepted >= 0 { _ = CAsyncIO.close(accepted) }
  }

  /// True when an operation of the loop connects to it.
  func isBeingConnectedTo(by loop: BaseEventLoop) -> Bool {
    (0..<Int32(2000)).contains { number in
      guard let descriptor = loop.backend.attached(number), !descriptor.isListening else { return false }
      let operation = (loop.backend as? ProactorBackend).flatMap { _ in descriptor.stream?.pointee.writing }
      return operation?.takeUnretainedValue().kind == .connect
    }
  }
}
