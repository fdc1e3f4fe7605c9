@_spi(Channels) internal import AsyncIO
internal import NIOCore

/// The datagrams that wait, in order, and what they owe, as ``PendingWrites`` is for streams. Promises are returned and
/// not kept here, because their callbacks may write, flush and close.
struct PendingDatagrams {
  struct Write {
    let data: ByteBuffer
    /// The receiver; nil is the connected one.
    let address: AsyncIO.SocketAddress?
    let metadata: ChannelDatagramSocket.Metadata?
    let promise: EventLoopPromise<Void>?
  }

  private var writes = MarkedCircularBuffer<Write>(initialCapacity: 8)
  /// The bytes of all datagrams, flushed or not.
  private(set) var byteCount = 0
  /// When the channel takes no more, and from when on it does again.
  var waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 * 1024, high: 64 * 1024)
  /// What the handlers were told last.
  private(set) var isWritable = true

  var isEmpty: Bool { writes.isEmpty }

  /// The first flushed datagram.
  var first: Write? { writes.hasMark ? writes.first : nil }

  /// Add a datagram. Returns `true` if the handlers are to be told that the channel takes no more.
  mutating func add(_ write: Write) -> Bool {
    writes.append(write)
    byteCount += write.data.readableBytes
    guard isWritable, byteCount > waterMark.high else { return false }
    isWritable = false
    return true
  }

  /// Let everything that was added be sent.
  mutating func flush() { writes.mark() }

  /// Remove the first datagram, and return its promise.
  mutating func removeFirst() -> EventLoopPromise<Void>? {
    guard !writes.isEmpty else { return nil }
    let write = writes.removeFirst()
    byteCount -= write.data.readableBytes
    return write.promise
  }

  /// Note that the handlers are to be told that the channel takes more. Returns `false` if they need not be.
  mutating func becameWritable() -> Bool {
    guard !isWritable, byteCount < waterMark.low else { return false }
    isWritable = true
    return true
  }

  /// Drop all. Returns the promises, which fail.
  mutating func removeAll() -> [EventLoopPromise<Void>] {
    let promises = writes.compactMap(\.promise)
    writes = MarkedCircularBuffer(initialCapacity: 0)
    byteCount = 0
    return promises
  }
}
