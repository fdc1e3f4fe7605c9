internal import CAsyncIO
internal import COpenSSL

// The seam between connections and what protects them. A session is a machine without sockets: bytes of the peer go in,
// bytes for the peer come out, and it says what it waits for. The link above it has the operations, the time limits and
// the order of calls.

/// Makes the contexts of connections: a library that implements TLS.
package protocol TLSProvider: Sendable {
  /// The name and version, for reports.
  var description: String { get }
  /// What tells it from others if its contexts are for the loops that have it as their provider; nil if they are for
  /// any loop.
  var home: ObjectIdentifier? { get }
  /// Load certificates and keys, and check the settings.
  func makeContext(_ configuration: TLSConfiguration) throws(TLSError) -> any TLSProviderContext
}

extension TLSProvider {
  /// None: its contexts are for any loop.
  package var home: ObjectIdentifier? { nil }
}

/// What all connections with the same settings share. Any thread.
package protocol TLSProviderContext: AnyObject, Sendable {
  /// Make a session.
  ///
  /// - Parameters:
  ///   - serverName: for clients: the host whose certificate is expected, and that the server is told of.
  ///   - bytes: the session's input and output.
  func makeSession(serverName: String?, bytes: TLSBytes) throws(TLSError) -> any TLSSession
}

/// The protection of one connection, for one thread at a time.
package protocol TLSSession: AnyObject {
  /// For clients, before the handshake: go on with what was agreed on with this service, if there is something, and
  /// keep for it what there will be. Without this call everything is agreed on anew.
  func resume(_ service: TLSService)

  /// Go on with the handshake as far as the input allows. Returns `true` when it is over. After an error the output may
  /// hold an alert, which the peer should get.
  func handshake() throws(TLSError) -> Bool

  /// Decrypt into the memory, once the handshake is over: at most one record. Returns the number of bytes, 0 if more
  /// input is needed, and nil after the peer's goodbye.
  func read(into memory: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int?

  /// Take the input as far as the next bytes for the user, which stay to be read. Returns `false` after the peer's
  /// goodbye.
  func lookAhead() throws(TLSError) -> Bool

  /// True if it asks ``TLSBytes`` to receive when the input is used up, where the link has set that up.
  var receivesByItself: Bool { get }

  /// Bytes that were decrypted and not read yet.
  var pending: Int { get }

  /// Encrypt the bytes, once the handshake is over and before ``end()``.
  func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError)

  /// Say goodbye: nothing is written after that. The peer may still send.
  func end() throws(TLSError)

  /// What was agreed on, once the handshake is over.
  func information() -> TLSInformation
}

extension TLSSession {
  /// False: all input is handed to it.
  package var receivesByItself: Bool { false }
}

/// The input and the output of a session, at one place in memory for as long as the session lives.
///
/// Input is lent for the length of a call. Output is collected in memory that is lent as well: one block serves all
/// connections of a loop, and what could not be sent at once is taken out of it.
package final class TLSBytes {
  let pointer: UnsafeMutablePointer<casyncio_tls_bytes>

  package init() {
    pointer = .allocate(capacity: 1)
    pointer.initialize(to: casyncio_tls_bytes())
  }

  deinit { pointer.deallocate() }

  /// The bytes of the peer that were not consumed.
  package var input: UnsafeRawBufferPointer {
    get { UnsafeRawBufferPointer(start: pointer.pointee.input, count: pointer.pointee.input_count) }
    set {
      pointer.pointee.input = newValue.baseAddress?.assumingMemoryBound(to: UInt8.self)
      pointer.pointee.input_count = newValue.count
    }
  }

  /// Whether the peer has ended its stream, so that nothing comes after the input.
  package var inputHasEnded: Bool {
    get { pointer.pointee.input_ended != 0 }
    set { pointer.pointee.input_ended = newValue ? 1 : 0 }
  }

  /// Return the next bytes of the peer, at most `count` of them, and count them as consumed.
  package func takeInput(_ count: Int) -> UnsafeRawBufferPointer {
    let all = input
    let taken = UnsafeRawBufferPointer(rebasing: all[..<min(count, all.count)])
    input = UnsafeRawBufferPointer(rebasing: all[taken.count...])
    return taken
  }

  /// The bytes for the peer.
  package var output: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: pointer.pointee.output, count: pointer.pointee.output_count)
  }

  /// Add bytes for the peer.
  package func writeOutput(_ bytes: UnsafeRawBufferPointer) {
    let needed = pointer.pointee.output_count + bytes.count
    if pointer.pointee.output_capacity < needed {
      var capacity = max(1024, pointer.pointee.output_capacity)
      while capacity < needed { capacity *= 2 }
      // The block is C's, because OpenSSL's part grows it as well.
      guard let larger = realloc(pointer.pointee.output, capacity) else { fatalError("no memory for records") }
      pointer.pointee.output = larger.assumingMemoryBound(to: UInt8.self)
      pointer.pointee.output_capacity = capacity
    }
    UnsafeMutableRawBufferPointer(start: pointer.pointee.output! + pointer.pointee.output_count, count: bytes.count)
      .copyMemory(from: bytes)
    pointer.pointee.output_count = needed
  }
}
