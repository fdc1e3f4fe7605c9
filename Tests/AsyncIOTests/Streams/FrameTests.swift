import Testing

@testable import AsyncIO

/// Frames of streams, and the codecs that come with the library.
@Suite(.timeLimit(.minutes(5)))
struct FrameTests {
  /// Decode bytes that come in pieces of one length, as a stream would.
  private func decode(_ codec: some FrameCodec<[UInt8]>, _ bytes: [UInt8], piece: Int) throws -> [[UInt8]] {
    var (codec, buffer, rest, frames) = (codec, [UInt8](), bytes[...], [[UInt8]]())
    while !rest.isEmpty {
      buffer += rest.prefix(piece)
      rest = rest.dropFirst(piece)
      while !buffer.isEmpty, case .frame(let frame, let count) = try codec.decode(buffer.span.bytes) {
        frames.append(frame)
        buffer.removeFirst(count)
      }
    }
    #expect(buffer.isEmpty)
    return frames
  }

  private func encode(_ codec: some FrameCodec<[UInt8]>, _ frames: [[UInt8]]) throws -> [UInt8] {
    try frames.reduce(into: []) { try codec.encode($1, into: &$0) }
  }

  private let frames = [[1], [], [2, 3], numbered(0..<200), []]

  @Test("Frames come back as they were, wherever the stream is cut", arguments: [1, 2, 3, 7, 1000])
  func roundTrips(piece: Int) throws {
    for width in [LengthPrefixed.Width.uint8, .uint16, .uint32, .uint64] {
      for (isLittle, counts) in [(false, false), (true, false), (false, true), (true, true)] {
        let codec = LengthPrefixed(width, littleEndian: isLittle, countsPrefix: counts)
        #expect(try decode(codec, encode(codec, frames), piece: piece) == frames)
      }
    }
    for delimiter in ["\n", "\r\n", "\0\0\0"] {
      let texts = ["", "a", "\r", "a\rb", "long long"].map { Array($0.utf8) }
      let codec = Delimited(delimiter.utf8)
      #expect(try decode(codec, encode(codec, texts), piece: piece) == texts)
      let keeping = Delimited(delimiter.utf8, keepsDelimiter: true)
      #expect(try decode(keeping, encode(codec, texts), piece: piece) == texts.map { $0 + Array(delimiter.utf8) })
    }
    let fixed = FixedSize(3)
    #expect(try decode(fixed, encode(fixed, [[1, 2, 3], [4, 5, 6]]), piece: piece) == [[1, 2, 3], [4, 5, 6]])
  }

  @Test("The bytes of a length lie as the codec says")
  func layout() throws {
    let body: [UInt8] = [7, 8]
    #expect(try encode(LengthPrefixed(.uint8), [body]) == [2, 7, 8])
    #expect(try encode(LengthPrefixed(.uint16), [body]) == [0, 2, 7, 8])
    #expect(try encode(LengthPrefixed(.uint16, littleEndian: true), [body]) == [2, 0, 7, 8])
    #expect(try encode(LengthPrefixed(.uint32, countsPrefix: true), [body]) == [0, 0, 0, 6, 7, 8])
    #expect(try encode(LengthPrefixed(.uint64, littleEndian: true), [body]) == [2, 0, 0, 0, 0, 0, 0, 0, 7, 8])
  }

  @Test("A frame that is too long is refused by its length, before its bytes come; what is written as well")
  func tooLong() throws {
    var codec = LengthPrefixed(.uint32, maximum: 10)
    let tooLong = FrameError.tooLong(maximum: 10)
    #expect(throws: tooLong) { try codec.decode(([0, 0, 0, 11] as [UInt8]).span.bytes) }
    #expect(throws: tooLong) { try codec.decode([UInt8](repeating: 255, count: 4).span.bytes) }
    #expect(throws: tooLong) { try encode(codec, [numbered(0..<11)]) }
    #expect(throws: FrameError.tooLong(maximum: 255)) { try encode(LengthPrefixed(.uint8), [numbered(0..<256)]) }
    #expect(throws: FrameError.tooLong(maximum: 254)) {
      try encode(LengthPrefixed(.uint8, countsPrefix: true), [numbered(0..<255)])
    }
    var huge = LengthPrefixed(.uint64, maximum: .max)
    #expect(throws: FrameError.self) { try huge.decode([UInt8](repeating: 255, count: 8).span.bytes) }
    #expect(throws: FrameError.self) { try huge.decode(([127] + [UInt8](repeating: 255, count: 7)).span.bytes) }
    var lines = Delimited("\r\n".utf8, maximum: 3)
    #expect(try decode(lines, Array("abc\r\n".utf8), piece: 1) == [Array("abc".utf8)])
    for text in ["abcd\r\n", "abcde"] {
      #expect(throws: FrameError.tooLong(maximum: 3)) { try lines.decode(Array(text.utf8).span.bytes) }
    }
    #expect(throws: FrameError.tooLong(maximum: 3)) { try encode(lines, [[1, 2, 3, 4]]) }
  }

  @Test("What would not come back is not written, and no argument ends the process")
  func refusals() throws {
    expectRefusal(.invalidArgument) { try encode(Delimited("\n".utf8), [Array("a\nb".utf8)]) }
    // The first delimiter would begin in the frame.
    expectRefusal(.invalidArgument) { try encode(Delimited("aa".utf8), [Array("a".utf8)]) }
    expectRefusal(.invalidArgument) { try encode(FixedSize(2), [[1]]) }
    let nothing: [any FrameCodec<[UInt8]>] = [
      LengthPrefixed(maximum: -1), Delimited([]), Delimited([0], maximum: .min), FixedSize(0), FixedSize(.min),
    ]
    for codec in nothing {
      expectRefusal(.invalidArgument) { try encode(codec, [[1]]) }
      expectRefusal(.invalidArgument) { try decode(codec, [1], piece: 1) }
    }
    #expect(throws: FrameError.malformed("the length of a frame is 3, less than the 4 bytes of the length")) {
      try decode(LengthPrefixed(.uint32, countsPrefix: true), [0, 0, 0, 3], piece: 4)
    }
  }

  @Test("A connection and a pipe give frames to the end, and say when it comes too early", arguments: LoopKind.allCases)
  func streams(kind: LoopKind) async throws {
    let codec = LengthPrefixed(.uint16)
    try await kind.withPair { near, far in
      let writing = try loopTask {
        for size in [0, 1, 5000, 40_000] { try await near.write(frame: numbered(0..<size), as: codec) }
        try await near.write([0, 9, 1, 2])
        try near.writeEOF()
      }
      var sizes: [Int] = []
      await #expect(throws: FrameError.truncated(byteCount: 4)) {
        for try await frame in far.frames(codec) {
          #expect(frame == numbered(0..<frame.count))
          sizes.append(frame.count)
        }
      }
      #expect(sizes == [0, 1, 5000, 40_000])
      #expect(try await far.readToEnd() == [0, 9, 1, 2], "what was not a frame is still there")
      try await writing.value
    }
    try await kind.withPipe { reader, writer in
      for text in ["one", "two"] { try await writer.write(frame: Array(text.utf8), as: Delimited("\n".utf8)) }
      writer.close()
      var lines: [String] = []
      for try await line in reader.frames(Delimited("\n".utf8)) { lines.append(String(decoding: line, as: UTF8.self)) }
      #expect(lines == ["one", "two"])
    }
  }

  @Test("A reader that is cancelled amid a frame loses none of it", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await near.write([0, 4, 1, 2])
      let reading = try loopTask {
        for try await _ in far.frames(LengthPrefixed(.uint16)) { Issue.record("the frame is not complete") }
      }
      try await turnUntil { far.leftover.count == 4 && far.isReading }
      reading.cancel()
      await #expect(throws: CancellationError.self) { try await reading.value }
      try await near.write([3, 4])
      var frames = far.frames(LengthPrefixed(.uint16)).makeAsyncIterator()
      #expect(try await frames.next() == [1, 2, 3, 4])
    }
  }

  @Test("A length that was announced costs no memory", arguments: LoopKind.allCases)
  func announced(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await near.write([0x40, 0, 0, 0, 1, 2, 3])
      let reading = try loopTask {
        var frames = far.frames(LengthPrefixed(.uint32, maximum: .max)).makeAsyncIterator()
        return try await frames.next()
      }
      try await turnUntil { far.leftover.count == 7 && far.isReading }
      #expect(far.leftover.bytes.capacity < 1 << 16)
      reading.cancel()
      _ = await reading.result
    }
  }

  /// Gives no end.
  private struct Broken: FrameCodec {
    mutating func decode(_ bytes: RawSpan) throws -> FrameStep<Int> { .frame(1, byteCount: bytes.byteCount + 1) }
    func encode(_ frame: Int, into bytes: inout [UInt8]) throws {}
  }

  @Test("A codec that takes more than there is is refused", arguments: LoopKind.allCases)
  func broken(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await near.write([1])
      let error = try await failure(EventLoopError.self) { for try await _ in far.frames(Broken()) {} }
      #expect(error.code == .invalidArgument)
    }
  }
}
