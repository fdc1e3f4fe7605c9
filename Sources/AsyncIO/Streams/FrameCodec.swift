/// What a codec says of the bytes that have come.
public enum FrameStep<Frame> {
  /// A frame, and how many bytes from the front it took.
  case frame(Frame, byteCount: Int)
  /// The frame is not complete: it takes this many bytes from the front, or more.
  case more(atLeast: Int)
}

/// How messages lie in a stream of bytes: ``LengthPrefixed``, ``Delimited``, ``FixedSize``, or a type of your own.
///
/// ```swift
/// let codec = LengthPrefixed(.uint32, maximum: 1 << 20)
/// for try await message in connection.frames(codec) {
///   try await connection.write(frame: message, as: codec)
/// }
/// ```
/// A codec is a value. Each stream is decoded by a copy of its own, which may remember how far it has looked.
public protocol FrameCodec<Frame>: Sendable {
  /// A message.
  associatedtype Frame: Sendable

  /// Look for the next frame at the front of the bytes that have come and were not taken; there is at least one. The
  /// next call gets the same bytes and more, or those after the frame. Throws ``FrameError``, or an error of its own,
  /// for bytes that cannot be a frame; it is asked before they are all there, so that a peer cannot announce more than
  /// the program wants to keep.
  mutating func decode(_ bytes: RawSpan) throws -> FrameStep<Frame>

  /// Append the bytes of a frame. Throws for a frame that ``decode(_:)`` would not give back.
  func encode(_ frame: Frame, into bytes: inout [UInt8]) throws
}

/// Bytes that are not a frame.
public enum FrameError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A frame, of the peer or of this side, is longer than the codec allows.
  case tooLong(maximum: Int)
  /// The stream ended after this many bytes of a frame.
  case truncated(byteCount: Int)
  /// What the peer sent is not of the codec's form, for the reason given.
  case malformed(String)

  /// What happened, and what to do about it.
  public var description: String {
    switch self {
    case .tooLong(let maximum):
      "a frame is longer than the maximum of \(maximum) bytes. Raise the maximum of the codec, or send shorter frames."
    case .truncated(let byteCount): "the stream ended after \(byteCount) bytes of a frame. The peer was cut off."
    case .malformed(let reason): "\(reason). Close the connection: the border of the next frame is not known."
    }
  }
}

// MARK: Reading

/// The frames of a stream to its end.
private struct Frames<Source: ByteSource, Codec: FrameCodec>: AsyncSequence, Sendable {
  let source: Source
  let codec: Codec

  struct AsyncIterator: AsyncIteratorProtocol {
    let source: Source
    var codec: Codec

    mutating func next() async throws -> Codec.Frame? { try await source.readFrame(&codec) }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source, codec: codec) }
}

extension StreamConnection {
  /// The frames of the stream to its end. Each loop over it reads what has not been read yet; one that is left or
  /// cancelled loses no byte, not even of a frame that is half there.
  ///
  /// The iteration throws ``FrameError`` for a frame that is too long or malformed, and for an end amid a frame; the
  /// bytes are then still there. Otherwise it throws as ``read(upTo:)``. Memory is taken for bytes that have come, and
  /// never for a length that was announced.
  public func frames<Codec: FrameCodec>(_ codec: Codec) -> some AsyncSequence<Codec.Frame, any Error> & Sendable {
    Frames(source: self, codec: codec)
  }
}

extension PipeReader {
  /// The frames of the stream to its end. See ``StreamConnection/frames(_:)``.
  public func frames<Codec: FrameCodec>(_ codec: Codec) -> some AsyncSequence<Codec.Frame, any Error> & Sendable {
    Frames(source: self, codec: codec)
  }
}

extension ByteSource {
  fileprivate func readFrame<Codec: FrameCodec>(_ codec: inout Codec) async throws -> Codec.Frame? {
    try claimReading()
    defer { releaseReading() }
    if !leftover.isEmpty { try await checkpoint() }
    while true {
      var needed = 1
      if !leftover.isEmpty {
        switch try leftover.withBytes({ try codec.decode($0) }) {
        case .frame(let frame, let byteCount):
          guard byteCount >= 0, byteCount <= leftover.count else {
            throw EventLoopError(
              .invalidArgument,
              "frames: the codec took \(byteCount) of \(leftover.count) bytes. Return the length of the frame.")
          }
          leftover.drop(byteCount)
          return frame
        case .more(let least): needed = max(least, leftover.count + 1)
        }
      }
      while leftover.count < needed {
        guard try await receiveMore() else {
          if leftover.isEmpty { return nil }
          throw FrameError.truncated(byteCount: leftover.count)
        }
      }
    }
  }
}

// MARK: Writing

extension ByteSink {
  /// Write a frame, head and body in one piece. Throws as the codec and as ``write(_:)-(RawSpan)``; a frame that the
  /// codec refuses is not begun.
  public func write<Codec: FrameCodec>(frame: Codec.Frame, as codec: Codec) async throws {
    var bytes: [UInt8] = []
    try codec.encode(frame, into: &bytes)
    try await write(bytes.span.bytes)
  }
}
