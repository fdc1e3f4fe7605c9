import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// A proactor backend that a test drives by hand in one thread, step by step: no turn happens that the test does not
/// make, so it decides what the system knows when something is cancelled.
final class ProactorDriver {
  let backend: ProactorBackend
  let loop: ProactorEventLoop

  private init(_ options: casyncio_port_options) throws {
    backend = try ProactorBackend(options: options)
    loop = ProactorEventLoop(proactor: backend)
  }

  /// Begin a run, in a thread that runs no task; end it and close the loop after the body, and expect that the
  /// backend then works on nothing.
  static func run<R: Sendable>(
    _ options: casyncio_port_options = casyncio_port_options(),
    _ body: @escaping @Sendable (ProactorDriver) throws -> R
  ) async throws -> R {
    try await inThread {
      let driver = try ProactorDriver(options)
      defer { try? driver.loop.close() }
      try driver.backend.runWillBegin()
      let result = Result { try body(driver) }
      driver.backend.runDidEnd()
      driver.expectSound()
      return try result.get()
    }
  }

  /// The books of the lent memory agree (invariant I9), and the system works on nothing that the backend does not know
  /// of (invariant I8).
  func expectSound(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(casyncio_lent_is_sound(backend.lent) != 0, sourceLocation: sourceLocation)
    var count = 0
    for case let slot? in backend.slots {
      guard let stream = slot.takeUnretainedValue().stream?.pointee else { continue }
      count += (stream.isReceiving ? 1 : 0) + (stream.isSending ? 1 : 0)
    }
    #expect(Int(casyncio_port_in_flight(backend.port)) >= count, sourceLocation: sourceLocation)
  }

  /// End the run and begin the next one.
  func restart() throws {
    backend.runDidEnd()
    try backend.runWillBegin()
  }

  /// Take a number into care, as a connection or a listener does.
  func adopt(_ number: Int32, isListening: Bool = false) -> IODescriptor {
    let descriptor = IODescriptor(number, loop: loop)
    descriptor.isListening = isListening
    backend.attach(descriptor)
    return descriptor
  }

  /// Take the first end of a pair into care; the backend closes it.
  func adopt(_ pair: SocketPair) -> IODescriptor {
    pair.release(pair.a)
    return adopt(pair.a)
  }

  /// What `close()` of a connection does, in the loop's thread.
  func close(_ descriptor: IODescriptor) { loop.closeDescriptorNow(descriptor) }

  /// Hand over what was started, and take what has ended.
  func step(_ count: Int = 1) throws {
    for _ in 0..<count { try backend.poll(timeout: 0) }
  }

  /// Wait for the operation's end.
  func finish(_ operation: IOOperation, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for _ in 0..<1000 where operation.state == .inFlight { try backend.poll(timeout: 10_000_000) }
    try #require(operation.state == .done, "an operation never ended", sourceLocation: sourceLocation)
  }

  /// Wait until the system has let go of the descriptor, and its number is closed.
  func finish(_ descriptor: IODescriptor, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for _ in 0..<1000 where descriptor.stream != nil { try backend.poll(timeout: 10_000_000) }
    try #require(descriptor.stream == nil, "a descriptor was never let go", sourceLocation: sourceLocation)
  }

  /// The bytes that a receive of either kind has brought; nil for a wait that was for nothing.
  func bytes(of operation: IOOperation) -> [UInt8]? {
    guard operation.result >= 0 else { return [] }
    guard operation.kind == .receiveLent else {
      return Array(UnsafeRawBufferPointer(start: operation.buffer, count: operation.result))
    }
    guard backend.claimLent(operation) else { return nil }
    guard operation.result > 0 else { return [] }
    defer { backend.returnLent(operation) }
    return Array(UnsafeRawBufferPointer(start: operation.buffer, count: operation.result))
  }

  /// Receive until this many bytes are here or the stream ends.
  func receive(_ count: Int, with operation: IOOperation) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      if !backend.submit(operation) { try finish(operation) }
      guard operation.result >= 0 else { break }
      guard let more = self.bytes(of: operation) else { continue }
      if more.isEmpty { break }
      bytes += more
    }
    return bytes
  }
}

extension IOOperation {
  var isCancelled: Bool { state == .done && result == -Int(ECANCELED) }
}

extension casyncio_port_options {
  static func without(_ feature: Int) -> casyncio_port_options {
    var options = casyncio_port_options()
    options.without = UInt32(feature)
    return options
  }

  /// Queues that are full at once.
  static var narrow: casyncio_port_options {
    var options = casyncio_port_options()
    options.entries = 4
    options.event_entries = 8
    return options
  }
}
