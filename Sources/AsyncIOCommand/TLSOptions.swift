import ArgumentParser
import AsyncIO

/// The options of a command whose clients connect with TLS.
struct TLSServerOptions: ParsableArguments {
  @Option(
    name: .customLong("tls-cert"), parsing: .unconditional,
    help: "Protect the connections: a file with the certificate and those above it, in PEM.")
  var certificate: String?

  @Option(
    name: .customLong("tls-key"), parsing: .unconditional,
    help: "The file with the certificate's key, in PEM; the file of the certificate unless given.")
  var key: String?

  func validate() throws {
    if key != nil && certificate == nil {
      throw ValidationError("--tls-key needs a certificate. Add --tls-cert.")
    }
  }

  /// Load the certificate, if there is one.
  func context() throws -> TLSContext? {
    guard let certificate else { return nil }
    return try TLSContext(.server(.files(chain: certificate, key: key)))
  }
}
