import NIOSSL

/// What stands behind the mode, as `name=value`.
///
/// - `ca`: whose certificates are accepted. A server that has it wants certificates of its clients.
/// - `chain`, `key`: the certificate of this side.
/// - `alpn`: application protocols, separated by commas.
/// - `version`: 1.2 or 1.3, and nothing else is spoken.
struct Options {
  private var values: [String: String] = [:]

  init(_ words: ArraySlice<String>) {
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { fatalError("\(word) is not name=value") }
      values[String(parts[0])] = String(parts[1])
    }
  }

  subscript(_ name: String) -> String? { values[name] }

  /// The value of an option that has to be there.
  func required(_ name: String) -> String {
    guard let value = values[name] else { fatalError("\(name)= is missing") }
    return value
  }

  private func identity() throws -> ([NIOSSLCertificateSource], NIOSSLPrivateKeySource) {
    let chain = try NIOSSLCertificate.fromPEMFile(required("chain")).map { NIOSSLCertificateSource.certificate($0) }
    return (chain, .privateKey(try NIOSSLPrivateKey(file: required("key"), format: .pem)))
  }

  func serverConfiguration() throws -> TLSConfiguration {
    let (chain, key) = try identity()
    var result = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
    if let ca = self["ca"] {
      result.trustRoots = .file(ca)
      result.certificateVerification = .noHostnameVerification
    }
    apply(to: &result)
    return result
  }

  func clientConfiguration() throws -> TLSConfiguration {
    var result = TLSConfiguration.makeClientConfiguration()
    result.trustRoots = .file(required("ca"))
    if self["chain"] != nil {
      let (chain, key) = try identity()
      (result.certificateChain, result.privateKey) = (chain, key)
    }
    apply(to: &result)
    return result
  }

  private func apply(to configuration: inout TLSConfiguration) {
    configuration.applicationProtocols = self["alpn"]?.split(separator: ",").map(String.init) ?? []
    guard let version = self["version"] else { return }
    let only: TLSVersion = version == "1.2" ? .tlsv12 : .tlsv13
    (configuration.minimumTLSVersion, configuration.maximumTLSVersion) = (only, only)
  }
}
