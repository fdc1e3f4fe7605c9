import ArgumentParser
import AsyncIO
import AsyncIOPrograms
import CAsyncIO

/// The options of a command whose clients connect with TLS.
struct TLSServerOptions: ParsableArguments {
  @Option(
    name: .customLong("tls-cert"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      """
      Protect the connections: a file with the certificate and those above it, in PEM. May be repeated: a client gets \
      the certificate that has the name it asks for, and the first one if none has.
      """, valueName: "file"))
  var certificates: [String] = []

  @Option(
    name: .customLong("tls-key"), parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      """
      The file with the certificate's key, in PEM: none if the keys stand in the files of the certificates, or one \
      for each --tls-cert, in the same order.
      """, valueName: "file"))
  var keys: [String] = []

  func validate() throws {
    if keys.count > certificates.count {
      throw ValidationError("--tls-key needs a certificate. Add --tls-cert.")
    }
    if !keys.isEmpty, keys.count < certificates.count {
      throw ValidationError(
        "--tls-key: there are \(certificates.count) certificates and \(keys.count) keys. Give one for each, in the "
          + "same order; a file that has both is given to both options.")
    }
  }

  /// Load the certificates, if there are any.
  func context() throws -> TLSContext? {
    var identities = certificates.indices.map {
      TLSIdentity.files(chain: certificates[$0], key: keys.isEmpty ? nil : keys[$0])
    }
    guard !identities.isEmpty else { return nil }
    var configuration = TLSConfiguration.server(identities.removeFirst())
    configuration.furtherIdentities = identities
    return try TLSContext(configuration)
  }
}

/// The options of a command that connects with TLS to a target.
struct TLSTargetOptions: ParsableArguments {
  @Option(
    name: .customLong("tls-ca"), parsing: .unconditional,
    help: ArgumentHelp(
      "Trust the authorities in this file, in PEM, instead of the system's, for a target of tls:.", valueName: "file"))
  var authorities: String?

  @Option(
    name: .customLong("tls-name"), parsing: .unconditional,
    help: ArgumentHelp(
      "The host that the target's certificate must be for, if it is not the one of tls:.", valueName: "name"))
  var name: String?

  @Flag(
    name: .customLong("tls-no-verify"),
    help: """
      Insecure: accept any certificate of the target. Whoever is on the way can read and change everything.
      """)
  var acceptsAnybody = false

  func validate() throws {
    if acceptsAnybody, authorities != nil {
      throw ValidationError("--tls-no-verify looks at no certificate, so --tls-ca has no use. Leave one of them out.")
    }
  }

  /// True if one of the options is given.
  var isGiven: Bool { authorities != nil || name != nil || acceptsAnybody }

  /// Load the certificates that are trusted.
  func context() throws -> TLSContext {
    var configuration = TLSConfiguration.client(trusting: authorities.map(TLSTrust.file) ?? .system)
    if acceptsAnybody { configuration.verification = .none }
    return try TLSContext(configuration)
  }
}

extension EventLoop {
  /// Read files again on SIGHUP. Those that cannot be used leave what was loaded before.
  ///
  /// - Parameter contexts: each with what its files hold, in the words of the report.
  func reloadOnHangup(_ contexts: [(what: String, context: TLSContext)]) throws {
    guard !contexts.isEmpty else { return }
    try addSignalHandler(SIGHUP) {
      for (what, context) in contexts {
        do {
          try context.reload()
          announce("\(what) reloaded")
        } catch {
          announce("\(what) not reloaded, those loaded before stay in use: \(error)")
        }
      }
    }
  }
}
