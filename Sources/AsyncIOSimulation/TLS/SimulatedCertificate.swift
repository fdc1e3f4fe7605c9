internal import AsyncIO

/// What a simulated certificate says.
struct SimulatedCertificate: Hashable, Sendable {
  let subject: String
  let issuer: String
  let hosts: [String]
  let purposes: [SimulatedTLS.Purpose]
  let isAuthority: Bool
  let notBefore: Int64
  let notAfter: Int64

  /// The lines between the two marks.
  var lines: [String] {
    [
      "subject: \(subject)", "issuer: \(issuer)", "hosts: \(hosts.joined(separator: " "))",
      "purposes: \(purposes.map(\.rawValue).joined(separator: " "))", "authority: \(isAuthority ? "yes" : "no")",
      "from: \(notBefore)", "until: \(notAfter)",
    ]
  }

  var pem: String { SimulatedPEM.text(.certificate, lines) }

  /// The number that its key has as well.
  var fingerprint: UInt64 {
    var digest = SimulatedDigest()
    digest.mix(Array(lines.joined(separator: "\n").utf8))
    return digest.value
  }

  /// Whether it is for a host: an address, or a name, whose first label a star may stand for.
  func fits(_ host: String) -> Bool {
    let host = host.lowercased()
    return hosts.contains { pattern in
      let pattern = pattern.lowercased()
      guard pattern.hasPrefix("*."), !host.isHostAddress else { return pattern == host }
      guard let dot = host.firstIndex(of: "."), dot > host.startIndex else { return false }
      return pattern.dropFirst() == host[dot...]
    }
  }

  /// The certificate as users see it.
  var presented: TLSCertificate {
    TLSCertificate(
      der: Array(lines.joined(separator: "\n").utf8), subject: subject, issuer: issuer, hostnames: hosts,
      notBefore: notBefore, notAfter: notAfter)
  }
}

extension SimulatedCertificate {
  /// Read the lines of a certificate; nil if they are not those of one.
  init?(lines: [String]) {
    let names = ["subject", "issuer", "hosts", "purposes", "authority", "from", "until"]
    guard lines.count == names.count else { return nil }
    var values: [String] = []
    for (line, name) in zip(lines, names) {
      guard line.hasPrefix(name + ": ") else { return nil }
      values.append(String(line.dropFirst(name.count + 2)))
    }
    guard let from = Int64(values[5]), let until = Int64(values[6]), ["yes", "no"].contains(values[4]) else {
      return nil
    }
    self.init(
      subject: values[0], issuer: values[1], hosts: values[2].split(separator: " ").map(String.init),
      purposes: values[3].split(separator: " ").compactMap { SimulatedTLS.Purpose(rawValue: String($0)) },
      isAuthority: values[4] == "yes", notBefore: from, notAfter: until)
  }
}

/// The form of simulated certificates and keys as texts.
enum SimulatedPEM {
  enum Kind: String {
    case certificate = "CERTIFICATE"
    case key = "PRIVATE KEY"

    var begin: String { "-----BEGIN SIMULATED \(rawValue)-----" }
    var end: String { "-----END SIMULATED \(rawValue)-----" }
    var word: String { self == .key ? "key" : "certificate" }
  }

  static func text(_ kind: Kind, _ lines: [String]) -> String {
    ([kind.begin] + lines + [kind.end, ""]).joined(separator: "\n")
  }

  /// Return the lines of each part of this kind. Throws code `invalidConfiguration` if there is none, or a real one.
  static func parts(_ kind: Kind, in text: String, called name: String) throws(TLSError) -> [[String]] {
    var parts: [[String]] = []
    var current: [String]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line == kind.begin {
        guard current == nil else { throw damaged(kind, name) }
        current = []
      } else if line == kind.end {
        guard let lines = current else { throw damaged(kind, name) }
        parts.append(lines)
        current = nil
      } else if line.hasPrefix("-----BEGIN "), !line.hasPrefix("-----BEGIN SIMULATED ") {
        throw TLSError(
          .invalidConfiguration,
          "TLS context: \(name) has a real \(kind.word), and a simulation has no cryptography to use it with. "
            + "Make one with SimulatedTLS.")
      } else {
        current?.append(line)
      }
    }
    guard current == nil else { throw damaged(kind, name) }
    guard !parts.isEmpty else {
      throw TLSError(
        .invalidConfiguration, "TLS context: there is no \(kind.word) in \(name). Make one with SimulatedTLS.")
    }
    return parts
  }

  static func damaged(_ kind: Kind, _ name: String) -> TLSError {
    TLSError(.invalidConfiguration, "TLS context: a \(kind.word) in \(name) is damaged. Make one with SimulatedTLS.")
  }

  /// Return the certificates of a text, at least one.
  static func certificates(in text: String, called name: String) throws(TLSError) -> [SimulatedCertificate] {
    var certificates: [SimulatedCertificate] = []
    for lines in try parts(.certificate, in: text, called: name) {
      guard let certificate = SimulatedCertificate(lines: lines) else { throw damaged(.certificate, name) }
      certificates.append(certificate)
    }
    return certificates
  }
}
