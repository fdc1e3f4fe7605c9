internal import NIOCore

/// The writes that wait, in order, and what they owe: a promise each, and the channel's word on whether it takes more.
///
/// A promise is kept when the last byte of its write, and of all before it, is with the system. Promises are returned
/// and not kept here, because their callbacks may write, flush and close.
struct PendingWrites {
  private struct Write {
    var data: IOData
    let promise: EventLoopPromise<Void>?
  }

  private var writes = MarkedCircularBuffer<Write>(initialCapacity: 8)
  /// The bytes of all writes, flushed or not.
  private(set) var byteCount = 0
  /// When the channel takes no more, and from when on it does again.
  var waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 * 1024, high: 64 * 1024)
  /// What the handlers were told last.
  private(set) var isWritable = true

  /// The number of promises of all writes.
  private(set) var promiseCount = 0

  var isEmpty: Bool { writes.isEmpty }
  /// True if something may be sent.
  var isFlushed: Bool { writes.hasMark }

  /// The first flushed write.
  var first: IOData? { writes.hasMark ? writes.first?.data : nil }

  /// Add a write. Returns `true` if the handlers are to be told that the channel takes no more.
  mutating func add(_ data: IOData, _ promise: EventLoopPromise<Void>?) -> Bool {
    writes.append(Write(data: data, promise: promise))
    byteCount += data.readableBytes
    if promise != nil { promiseCount += 1 }
    guard isWritable, byteCount > waterMark.high else { return false }
    isWritable = false
    return true
  }

  /// Let everything that was added be sent.
  mutating func flush() { writes.mark() }

  /// Call the body with the flushed buffers from the first one on, until it returns `false` or a file comes.
  func forEachBuffer(_ body: (ByteBuffer) -> Bool) {
    guard let last = writes.markedElementIndex else { return }
    var index = writes.startIndex
    while true {
      guard case .byteBuffer(let buffer) = writes[index].data, body(buffer), index != last else { return }
      index = writes.index(after: index)
    }
  }

  /// Note that bytes have gone, and add the promises that are to be kept now.
  mutating func sent(_ count: Int, _ promises: inout [EventLoopPromise<Void>]) {
    assert(count <= byteCount, "more bytes were sent than there were")
    byteCount -= count
    var left = count
    // A write of nothing goes with what is before it.
    while writes.hasMark, let first = writes.first, first.data.readableBytes <= left {
      left -= first.data.readableBytes
      if let promise = first.promise {
        promises.append(promise)
        promiseCount -= 1
      }
      _ = writes.removeFirst()
    }
    if left > 0 { writes[writes.startIndex].data.skip(left) }
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
    promiseCount = 0
    return promises
  }
}

extension IOData {
  /// Drop the first bytes.
  fileprivate mutating func skip(_ count: Int) {
    switch self {
    case .byteBuffer(var buffer):
      buffer.moveReaderIndex(forwardBy: count)
      self = .byteBuffer(buffer)
    case .fileRegion(var region):
      region.moveReaderIndex(forwardBy: count)
      self = .fileRegion(region)
    }
  }
}
