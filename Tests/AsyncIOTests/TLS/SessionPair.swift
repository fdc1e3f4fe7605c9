import COpenSSL

@testable import AsyncIO

/// A client's and a server's session that exchange bytes in memory, in pieces of a chosen size.
final class SessionPair {
  /// One side: its session, and what it has got.
  final class Side {
    let bytes = TLSBytes()
    let session: any TLSSession
    var plain: [UInt8] = []
    var isEstablished = false
    var hasEnded = false
    var failure: TLSError?
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 16)

    init(_ context: TLSContext, serverName: String?, place: String = "443") throws(TLSError) {
      session = try context.provided.makeSession(serverName: serverName, bytes: bytes)
      if let serverName { session.resume(TLSService(host: serverName, place: place)) }
    }

    /// Take what is to be sent.
    func takeOutput() -> [UInt8] {
      let output = bytes.output
      defer { bytes.pointer.pointee.output_count = 0 }
      // An empty array made in place writes to the one that all empty arrays share, which the sanitizer sees.
      if output.isEmpty { return [] }
      // Copied at once: fuzzing takes millions of records.
      return [UInt8](unsafeUninitializedCapacity: output.count) { memory, count in
        UnsafeMutableRawBufferPointer(memory).copyMemory(from: output)
        count = output.count
      }
    }

    deinit {
      bytes.pointer.pointee.output?.deallocate()
      memory.deallocate()
    }

    /// Hand bytes over, as if they had been received.
    func receive(_ input: [UInt8], ended: Bool = false) {
      input.withUnsafeBytes { input in
        bytes.input = input
        bytes.inputHasEnded = ended
        do throws(TLSError) { try advance() } catch { failure = failure ?? error }
        bytes.input = UnsafeRawBufferPointer(start: nil, count: 0)
      }
    }

    private func advance() throws(TLSError) {
      if !isEstablished { isEstablished = try session.handshake() }
      guard isEstablished else { return }
      while !hasEnded {
        guard let count = try session.read(into: memory) else {
          hasEnded = true
          return
        }
        if count == 0 { return }
        plain.append(contentsOf: UnsafeRawBufferPointer(rebasing: memory[..<count]))
      }
    }

    func send(_ plain: [UInt8]) throws {
      try plain.withUnsafeBytes { try session.write($0) }
    }
  }

  let client: Side
  let server: Side

  convenience init(
    client: TLSConfiguration, server: TLSConfiguration, serverName: String? = "localhost"
  ) throws(TLSError) {
    try self.init(TLSContext(client), TLSContext(server), serverName: serverName)
  }

  init(_ client: TLSContext, _ server: TLSContext, serverName: String? = "localhost") throws(TLSError) {
    self.client = try Side(client, serverName: serverName)
    self.server = try Side(server, serverName: nil)
  }

  /// Let both sides talk until neither has anything to say.
  func exchange(piece: Int = .max) {
    var isFirst = true
    while true {
      if isFirst { client.receive([]) }
      isFirst = false
      let toServer = client.takeOutput()
      deliver(toServer, to: server, piece)
      let toClient = server.takeOutput()
      deliver(toClient, to: client, piece)
      if toServer.isEmpty && toClient.isEmpty { return }
    }
  }

  private func deliver(_ bytes: [UInt8], to side: Side, _ piece: Int) {
    var index = 0
    while index < bytes.count {
      let end = min(bytes.count, index + min(piece, bytes.count))
      side.receive(Array(bytes[index..<end]))
      index = end
    }
  }
}
