import COpenSSL
import Testing

@testable import AsyncIO

/// Where records end, and what becomes of bytes after them; and what sessions ask OpenSSL.
@Suite(
  "TLS records", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSRecordTests {
  @Test(
    "hazard L9: plain bytes after a goodbye are the connection's, even in one segment with it",
    arguments: LoopKind.allCases, [0, 10, 40_000])
  func plainAfterGoodbye(kind: LoopKind, count: Int) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let (near, peer) = (pair.near, pair.far)
      let server = try loopTask {
        try await near.startTLS(TLSContext(TLSSessionTests.server()))
        let secret = try await near.readToEnd()
        try await near.unwrapTLS()
        return try await (secret, near.readLine())
      }
      let side = try SessionPair.Side(TLSContext(TLSSessionTests.client()), serverName: "localhost")
      try await side.shakeHands(over: peer)
      let secret = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
      if count > 0 { try side.send(secret) }
      try side.session.end()
      try await peer.write(side.takeOutput() + [UInt8]("plain\n".utf8))
      let (got, line) = try await server.value
      #expect(got == secret)
      #expect(line == "plain")
    }
  }

  @Test("A session takes no byte after the record that it reads", arguments: [TLSVersion.tls12, .tls13])
  func borders(_ version: TLSVersion) throws {
    let pair = try established(version)
    try pair.client.send([1, 2, 3])
    try pair.client.send([4])
    try pair.client.session.end()
    let records = pair.client.takeOutput()
    let input = records + [UInt8]("plain".utf8)
    let (session, bytes) = (pair.server.session, pair.server.bytes)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 16)
    defer { memory.deallocate() }
    memory.copyBytes(from: input)
    bytes.input = UnsafeRawBufferPointer(memory)
    #expect(try Self.read(session) == [1, 2, 3])
    #expect(try Self.read(session) == [4])
    #expect(bytes.input.count > 5)
    #expect(try Self.read(session) == nil)
    #expect(Array(bytes.input) == [UInt8]("plain".utf8))
    // Asked again, a session that has ended takes nothing either.
    #expect(try Self.read(session) == nil)
    #expect(bytes.input.count == 5)
  }

  @Test("A connection goes on after its output was waited for", arguments: LoopKind.allCases)
  func flushed(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      for round in 0..<3 {
        try await near.write("question \(round)\n")
        // Waits until the system has what was written, with no read under way.
        let file = try NumberedFile(100)
        #expect(try await near.sendFile(file.descriptor) == 100)
        #expect(try await far.readLine() == "question \(round)")
        #expect(try await far.readExactly(100) == numbered(0..<100))
        try await far.write("answer\n")
        #expect(try await near.readLine() == "answer")
      }
    }
  }

  // MARK: Errors that others left in OpenSSL's list

  @Test("hazard L10: errors of others change nothing", arguments: [TLSVersion.tls12, .tls13])
  func errorsOfOthers(_ version: TLSVersion) throws {
    let pair = try established(version)
    try leaveError()
    try pair.client.send([1, 2, 3])
    try leaveError()
    pair.server.receive([])
    #expect(pair.server.failure == nil, "a session that has to wait took another's error for its own")
    pair.exchange()
    #expect(pair.server.plain == [1, 2, 3])
    try leaveError()
    try pair.client.session.end()
    let goodbye = pair.client.takeOutput()
    try leaveError()
    pair.server.receive(goodbye)
    #expect(pair.server.hasEnded)
    #expect(pair.server.failure == nil)
  }

  @Test("A failure has its own reason, and not one that others left", arguments: [TLSVersion.tls12, .tls13])
  func ownReason(_ version: TLSVersion) throws {
    let pair = try established(version)
    try pair.client.send([1, 2, 3])
    var record = pair.client.takeOutput()
    record[record.count - 1] ^= 1
    try leaveError()
    pair.server.receive(record)
    let expected = try #require(pair.server.failure)
    #expect(!expected.message.contains(Self.otherReason), "\(expected)")
    let alert = pair.server.takeOutput()
    #expect(!alert.isEmpty)
    try leaveError()
    pair.client.receive(alert)
    let heard = try #require(pair.client.failure)
    #expect(heard.message.contains("alert"), "\(heard)")
    #expect(!pair.client.hasEnded, "an alert was taken for a goodbye")
  }

  /// What OpenSSL calls the error that `leaveError()` leaves.
  private static let otherReason = "no start line"

  /// Leave an error in this thread's list, as code may that calls OpenSSL and does not look at its errors.
  private func leaveError() throws {
    let api = try OpenSSL.shared.get().api
    let empty = try #require(api.pointee.BIO_new(api.pointee.BIO_s_mem()))
    #expect(api.pointee.PEM_read_bio_X509(empty, nil, { _, _, _, _ in 0 }, nil) == nil)
    _ = api.pointee.BIO_free(empty)
    let entry = api.pointee.ERR_peek_error()
    #expect(api.pointee.ERR_reason_error_string(entry).map { String(cString: $0) } == Self.otherReason)
  }

  // MARK: Support

  private func established(_ version: TLSVersion) throws -> SessionPair {
    var client = TLSSessionTests.client()
    client.maximumVersion = version
    let pair = try SessionPair(client: client, server: TLSSessionTests.server())
    pair.exchange()
    try #require(pair.client.isEstablished && pair.server.isEstablished)
    return pair
  }

  private static func read(_ session: any TLSSession) throws -> [UInt8]? {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)
    defer { memory.deallocate() }
    return try session.read(into: memory).map { Array(memory[..<$0]) }
  }
}
