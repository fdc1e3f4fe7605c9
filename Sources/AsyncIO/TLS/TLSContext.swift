/// What TLS is made of on this machine.
package enum TLSLibrary {
  /// The name and version of the library that protects connections, or what to install.
  package static var found: (works: Bool, text: String) {
    let works = if case .success = OpenSSL.shared { true } else { false }
    return (works, OpenSSLProvider().description)
  }
}

/// Settings for protected connections, loaded and checked: certificates and keys are in memory. Make one and use it for
/// all connections; copies are the same context. Any thread. Answers `ssl.SSLContext`.
public struct TLSContext: Sendable {
  /// The settings that it was made from.
  public let configuration: TLSConfiguration
  /// The provider whose loop it is for; nil if any loop may use it.
  let home: ObjectIdentifier?
  private let loaded: Loaded

  /// What was loaded last, for all copies.
  private final class Loaded: Sendable {
    let provider: any TLSProvider
    let newest: Lock<any TLSProviderContext>

    init(_ configuration: TLSConfiguration, _ provider: any TLSProvider) throws(TLSError) {
      self.provider = provider
      newest = Lock(try provider.makeContext(configuration))
    }
  }

  /// Load the certificates and keys. In a simulation the context is for that simulation.
  ///
  /// Throws ``TLSError`` with code `invalidConfiguration` for what cannot be used, and `libraryMissing` on a machine
  /// without OpenSSL.
  public init(_ configuration: TLSConfiguration) throws(TLSError) {
    try self.init(configuration, provider: LoopIntake.running?.core.tlsProvider ?? OpenSSLProvider())
  }

  package init(_ configuration: TLSConfiguration, provider: any TLSProvider) throws(TLSError) {
    self.configuration = configuration
    home = provider.home
    loaded = try Loaded(configuration, provider)
  }

  /// What the next session is made from.
  package var provided: any TLSProviderContext { loaded.newest.withLock { $0 } }

  /// Read the files of the configuration again: connections that begin from now on get the new certificates and keys,
  /// through every copy of this context. Connections that run, and handshakes that have begun, go on with what they
  /// have. A session that was agreed on before is not resumed.
  ///
  /// Reads files, and so may keep its thread waiting. Any thread.
  ///
  /// Throws as the initializer, and then what was loaded before stays in use.
  public func reload() throws(TLSError) {
    let fresh = try loaded.provider.makeContext(configuration)
    // What is dropped is freed after the lock is left.
    let old = loaded.newest.withLock { context in
      defer { context = fresh }
      return context
    }
    _ = old
  }
}
