/// What TLS is made of on this machine.
package enum TLSLibrary {
  /// The name and version of the library that protects connections, or what to install.
  package static var found: (works: Bool, text: String) {
    let works = if case .success = OpenSSL.shared { true } else { false }
    return (works, OpenSSLProvider().description)
  }
}

/// Settings for protected connections, loaded and checked: certificates and keys are in memory. Make one and use it for
/// all connections. Any thread. Answers `ssl.SSLContext`.
package struct TLSContext: Sendable {
  /// The settings that it was made from.
  package let configuration: TLSConfiguration
  package let provided: any TLSProviderContext
  /// The provider whose loop it is for; nil if any loop may use it.
  let home: ObjectIdentifier?

  /// Load the certificates and keys. In a simulation the context is for that simulation.
  ///
  /// Throws ``TLSError`` with code `invalidConfiguration` for what cannot be used, and `libraryMissing` on a machine
  /// without OpenSSL.
  package init(_ configuration: TLSConfiguration) throws(TLSError) {
    try self.init(configuration, provider: LoopIntake.running?.core.tlsProvider ?? OpenSSLProvider())
  }

  package init(_ configuration: TLSConfiguration, provider: any TLSProvider) throws(TLSError) {
    self.configuration = configuration
    provided = try provider.makeContext(configuration)
    home = provider.home
  }
}
