internal import CAsyncIO
internal import Synchronization

/// What the proactor backend knows about one descriptor: the two records that the system works on, the operations that
/// wait for them, and what has come while no task waited.
///
/// It is memory of its own instead of a class, because the system holds the addresses of its records; it lives until
/// the last of them has ended, whatever happens to the descriptor meanwhile.
struct ProactorStream {
  typealias Pointer = UnsafeMutablePointer<ProactorStream>

  /// Receives, lent receives, accepts, and what `addReader` waits for. First, so that its address is the stream's.
  var receiving = casyncio_record()
  /// The operation that waits to receive or accept. Unmanaged: the task that awaits it keeps it alive.
  var reading: Unmanaged<IOOperation>?
  /// Chunks that came while no task waited; in most cases at most one.
  var chunks = ChunkQueue()
  /// How the stream ended, after the chunks: 0, or a negated errno.
  var end = Int.max
  /// The system was asked to wait for readiness, and said that bytes are there.
  var isReadable = false
  /// True if this program's operation, not the backend, asked to end the receive that is with the system.
  var isReadCancelled = false
  var isWriteCancelled = false
  /// True while the records are with the system, or their last events have not been looked at yet. (The port's own view
  /// changes as a batch of events is fetched, before its first one is delivered.)
  var isReceiving = false
  var isSending = false
  /// True if the descriptor was detached; what is still with the system only has to end.
  var isDetached = false
  /// True if the stream is to end after the bytes on their way.
  var endsWriting = false
  /// The number of lists of the backend that refer to it.
  var pins: UInt8 = 0

  /// Sends, connects, and what `addWriter` waits for.
  var sending = casyncio_record()
  var writing: Unmanaged<IOOperation>?
  /// Small writes on their way, and what the next write is told instead of being taken.
  var outbox = Outbox()
  var sendError = 0
  /// The unreported error of bytes that were taken and not sent; 0 if there is none.
  var lost = 0
  /// The end of the input is here, and waits for the result of bytes on their way; or it has waited for that.
  var holdsEnd = false
  var endIsFinal = false

  /// Retained until the stream is freed.
  let descriptor: Unmanaged<IODescriptor>

  static func make(for descriptor: IODescriptor) -> Pointer {
    assert(MemoryLayout<ProactorStream>.offset(of: \.receiving) == 0, "a stream does not begin with its record")
    let stream = Pointer.allocate(capacity: 1)
    stream.initialize(to: ProactorStream(descriptor: .passRetained(descriptor)))
    stream.pointee.receiving.owner = UnsafeMutableRawPointer(stream)
    stream.pointee.sending.owner = UnsafeMutableRawPointer(stream)
    LiveCounters.proactorStreams.add(1, ordering: .relaxed)
    return stream
  }

  /// Free the memory. Nothing of it is with the system, and nothing waits.
  static func free(_ stream: Pointer) {
    assert(!stream.pointee.isWithSystem, "a stream that the system still uses was freed")
    assert(stream.pointee.chunks.isEmpty && stream.pointee.outbox.isEmpty, "a stream was freed with bytes in it")
    let descriptor = stream.pointee.descriptor
    stream.deinitialize(count: 1)
    stream.deallocate()
    LiveCounters.proactorStreams.subtract(1, ordering: .relaxed)
    descriptor._withUnsafeGuaranteedRef { $0.backendState = nil }
    descriptor.release()
  }

  /// Take the error of lost bytes, which is then reported.
  mutating func takeLost() -> Int {
    defer { lost = 0 }
    return lost
  }

  /// Take the end of the input, or the error of bytes that were lost before it.
  mutating func takeEnd() -> Int {
    defer { (end, endIsFinal) = (Int.max, false) }
    return end == 0 ? takeLost() : end
  }

  /// Take what a write is told: the error of an earlier one, once; or, for good, that the stream was ended here.
  mutating func takeSendError() -> Int {
    lost = 0
    defer { if sendError != -Int(EPIPE) { sendError = 0 } }
    return sendError
  }

  var isWithSystem: Bool { isReceiving || isSending }
  /// True if something is there for the next read.
  var hasInput: Bool { isReadable || !chunks.isEmpty || end != Int.max }
}

extension UnsafeMutablePointer<ProactorStream> {
  // The addresses of the records, as the system knows them. Right because the memory does not move.
  var receivingRecord: UnsafeMutablePointer<casyncio_record> {
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: casyncio_record.self)
  }
  var sendingRecord: UnsafeMutablePointer<casyncio_record> {
    (UnsafeMutableRawPointer(self) + MemoryLayout<ProactorStream>.offset(of: \.sending)!)
      .assumingMemoryBound(to: casyncio_record.self)
  }
}

/// Bytes that were received and are lent from the port's memory; or, for a listening socket, a connection.
struct Chunk {
  var bytes: UnsafeMutableRawPointer?
  /// Bytes, or the number of the connection.
  var count = 0
  var lease: UInt32 = 0
}

/// A queue of chunks, the first of them stored in place: a stream rarely has two.
struct ChunkQueue {
  private final class Node {
    var chunk: Chunk
    var next: Node?
    init(_ chunk: Chunk) { self.chunk = chunk }
  }

  private var head = Chunk()
  private(set) var count = 0
  /// The number of all bytes in it.
  private(set) var byteCount = 0
  private var first: Node?
  private unowned(unsafe) var last: Node?

  var isEmpty: Bool { count == 0 }

  @inline(__always)
  mutating func append(_ chunk: Chunk) {
    byteCount += chunk.count
    count += 1
    if count == 1 { head = chunk } else { appendBehind(chunk) }
  }

  private mutating func appendBehind(_ chunk: Chunk) {
    let node = Node(chunk)
    if let last { last.next = node } else { first = node }
    last = node
  }

  @inline(__always)
  mutating func removeFirst() -> Chunk {
    let chunk = head
    byteCount -= chunk.count
    count -= 1
    if count > 0 { moveUp() }
    return chunk
  }

  private mutating func moveUp() {
    head = first!.chunk
    first = first!.next
    if first == nil { last = nil }
  }

  /// Drop the first bytes, which were taken; the chunk goes on after them.
  mutating func dropFirst(_ bytes: Int) {
    head.bytes! += bytes
    head.count -= bytes
    byteCount -= bytes
  }

  var firstChunk: Chunk { head }
}
