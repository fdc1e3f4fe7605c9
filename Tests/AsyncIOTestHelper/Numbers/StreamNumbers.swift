import AsyncIO
import AsyncIOConformance
import POSIX
import SystemPackage

/// What a reader of streams is asked for, on streams that have some bytes and an end.
func probeStreams(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  defer { listener.close() }
  func connection(_ body: (StreamConnection) async throws -> Void) async throws {
    let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let server = try await listener.accept()
    defer { server.close() }
    try await client.write("some\nbytes\n")
    client.close()
    try await body(server)
  }
  func pipe(_ body: (PipeReader) async throws -> Void) async throws {
    var ends: [Int32] = [-1, -1]
    guard POSIX.pipe(&ends) == 0 else { return }
    _ = write(ends[1], "some\nbytes\n", 11)
    _ = close(ends[1])
    let reader = try PipeReader(owning: ends[0])
    defer { reader.close() }
    try await body(reader)
  }
  let newline = [UInt8(ascii: "\n")]
  func negative(_ value: Int) -> Bool { value < 0 }

  await probe.each("StreamConnection.read(upTo:)", Extreme.ints, refusing: negative) { value in
    try await connection { _ = try await $0.read(upTo: value) }
  }
  await probe.each("StreamConnection.readExactly(_:)", Extreme.ints, refusing: negative) { value in
    try await connection { _ = try await $0.readExactly(value) }
  }
  await probe.each("StreamConnection.readUntil(_:limit:)", Extreme.ints, refusing: negative) { value in
    try await connection { _ = try await $0.readUntil(newline, limit: value) }
  }
  await probe.each("StreamConnection.readUntil(_:limit:)", [[UInt8]()], refusing: \.isEmpty) { value in
    try await connection { _ = try await $0.readUntil(value) }
  }
  await probe.each("StreamConnection.readUntil(anyOf:limit:)", Extreme.ints, refusing: negative) { value in
    try await connection { _ = try await $0.readUntil(anyOf: [newline, newline + newline], limit: value) }
  }
  await probe.each("StreamConnection.readUntil(anyOf:limit:)", [[], [[]], [newline, []]], refusing: { _ in true }) {
    value in
    try await connection { _ = try await $0.readUntil(anyOf: value) }
  }
  await probe.each("StreamConnection.readLine(limit:)", Extreme.ints, refusing: negative) { value in
    try await connection { while try await $0.readLine(limit: value) != nil {} }
  }
  await probe.each("StreamConnection.readToEnd(limit:)", Extreme.ints, refusing: negative) { value in
    try await connection { _ = try await $0.readToEnd(limit: value) }
  }
  await probe.each("StreamConnection.lines(limit:)", Extreme.ints, refusing: negative) { value in
    try await connection { for try await _ in $0.lines(limit: value) {} }
  }
  func frames(_ codec: some FrameCodec<[UInt8]>) async throws {
    var bytes: [UInt8] = []
    do { try codec.encode([1], into: &bytes) } catch let error as FrameError { _ = error.description }
    try await connection { connection in
      do { for try await _ in connection.frames(codec) {} } catch let error as FrameError { _ = error.description }
    }
  }
  await probe.each("LengthPrefixed.init(_:littleEndian:countsPrefix:maximum:)", Extreme.ints, refusing: negative) {
    for width in [LengthPrefixed.Width.uint8, .uint64] { try await frames(LengthPrefixed(width, maximum: $0)) }
  }
  await probe.each("Delimited.init(_:keepsDelimiter:maximum:)", Extreme.ints, refusing: negative) {
    try await frames(Delimited(newline, maximum: $0))
  }
  await probe.each("FixedSize.init(_:)", Extreme.ints, refusing: { $0 < 1 }) { value in
    if value == 1 { return try await frames(FixedSize(value)) }
    try await connection { connection in
      do { for try await _ in connection.frames(FixedSize(value)) {} } catch let error as FrameError {
        _ = error.description
      }
    }
  }
  await probe.each("BufferedWriter.init(_:limit:)", Extreme.ints) { value in
    try await connection { connection in
      let writer = BufferedWriter(connection, limit: value)
      for _ in 0..<3 { try await writer.write("bytes") }
      try await writer.close()
    }
  }
  await probe.each("PipeReader.read(upTo:)", Extreme.ints, refusing: negative) { value in
    try await pipe { _ = try await $0.read(upTo: value) }
  }
  await probe.each("PipeReader.readExactly(_:)", Extreme.ints, refusing: negative) { value in
    try await pipe { _ = try await $0.readExactly(value) }
  }
  await probe.each("PipeReader.readUntil(_:limit:)", Extreme.ints, refusing: negative) { value in
    try await pipe { _ = try await $0.readUntil(newline, limit: value) }
  }
  await probe.each("PipeReader.readUntil(_:limit:)", [[UInt8]()], refusing: \.isEmpty) { value in
    try await pipe { _ = try await $0.readUntil(value) }
  }
  await probe.each("PipeReader.readUntil(anyOf:limit:)", Extreme.ints, refusing: negative) { value in
    try await pipe { _ = try await $0.readUntil(anyOf: [newline, newline + newline], limit: value) }
  }
  await probe.each("PipeReader.readUntil(anyOf:limit:)", [[], [[]], [newline, []]], refusing: { _ in true }) { value in
    try await pipe { _ = try await $0.readUntil(anyOf: value) }
  }
  await probe.each("PipeReader.readLine(limit:)", Extreme.ints, refusing: negative) { value in
    try await pipe { while try await $0.readLine(limit: value) != nil {} }
  }
  await probe.each("PipeReader.readToEnd(limit:)", Extreme.ints, refusing: negative) { value in
    try await pipe { _ = try await $0.readToEnd(limit: value) }
  }
  await probe.each("PipeReader.lines(limit:)", Extreme.ints, refusing: negative) { value in
    try await pipe { for try await _ in $0.lines(limit: value) {} }
  }
  await probe.each("StreamConnection.forward(to:limit:)", Extreme.int64s, refusing: { $0 < 1 }) { value in
    try await connection { _ = try await $0.forward(to: $0, limit: value) }
  }
  let dead: [Int32] = [.min, -1, .max]
  await probe.each("PipeReader.init(owning:)", dead) { _ = try PipeReader(owning: $0) }
  await probe.each("PipeWriter.init(owning:)", dead) { _ = try PipeWriter(owning: $0) }

  try await withSmallFile { file in
    await probe.each("StreamConnection.sendFile(_:offset:count:fallback:)", Extreme.int64s, refusing: { $0 < 0 }) {
      value in try await connection { _ = try await $0.sendFile(file, offset: value) }
    }
    await probe.each("StreamConnection.sendFile(_:offset:count:fallback:)", Extreme.int64s, refusing: { $0 < 1 }) {
      value in try await connection { _ = try await $0.sendFile(file, count: value) }
    }
    await probe.each("StreamConnection.sendFile(_:offset:count:fallback:)", [Int64.max - 1, .max]) { value in
      try await connection { _ = try await $0.sendFile(file, offset: value, count: value) }
    }
  }
}

/// A file of a few bytes that goes with the call.
func withSmallFile(_ body: (FileDescriptor) async throws -> Void) async throws {
  let file = try TemporaryFile(Array("bytes".utf8))
  try await body(file.descriptor)
  withExtendedLifetime(file) {}
}
