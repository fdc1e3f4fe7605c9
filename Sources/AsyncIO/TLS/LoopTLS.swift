// Which library protects the connections of a loop. Most loops have no opinion, and OpenSSL does it. A simulation has:
// OpenSSL draws random numbers and looks at the real clock, so its bytes would differ from run to run.

extension BaseEventLoop {
  /// What protects the connections of this loop: contexts that are made in its tasks come from it. Nil for OpenSSL.
  /// Loop thread, or while the loop does not run.
  package var tlsProvider: (any TLSProvider)? {
    get { (residents[LoopTLS.key] as? LoopTLS)?.provider }
    set { residents[LoopTLS.key] = newValue.map(LoopTLS.init) }
  }

  /// Throw code `invalidConfiguration` for a context that belongs to another world than this loop.
  func check(_ context: TLSContext) throws(TLSError) {
    guard context.home != tlsProvider?.home else { return }
    guard let home = tlsProvider?.home else {
      throw TLSError(
        .invalidConfiguration,
        "TLS: the TLSContext was made in a simulation, and protects nothing outside of it. "
          + "Make it where this loop runs.")
    }
    assert(context.home != home)
    throw TLSError(
      .invalidConfiguration,
      "TLS: the TLSContext was made outside of this loop's simulation, and would go differently each time. "
        + "Make it in a task of the simulation.")
  }
}

/// The place of the provider on its loop.
private final class LoopTLS: LoopResident, @unchecked Sendable {
  // Unchecked as the base class is.
  static var key: ObjectIdentifier { ObjectIdentifier(LoopTLS.self) }
  let provider: any TLSProvider

  init(_ provider: any TLSProvider) { self.provider = provider }
}
