/// Who answers for which names of hosts. A name may begin with "*.", for every name with one label more; whole names go
/// before those.
package struct TLSNames<Owner> {
  /// Nil stands for the one who answers for all names that nobody has.
  private var exact: [String: Owner?] = [:]
  /// By what follows "*.".
  private var wild: [String: Owner?] = [:]

  package init() {}

  package var isEmpty: Bool { exact.isEmpty && wild.isEmpty }

  /// Give a name away. Returns `false` if it was given away before.
  @discardableResult
  package mutating func give(_ name: String, to owner: Owner?) -> Bool {
    let name = Self.plain(name)
    if name.hasPrefix("*.") { return Self.give(String(name.dropFirst(2)), to: owner, in: &wild) }
    return Self.give(name, to: owner, in: &exact)
  }

  private static func give(_ key: String, to owner: Owner?, in names: inout [String: Owner?]) -> Bool {
    guard names.index(forKey: key) == nil else { return false }
    names[key] = .some(owner)
    return true
  }

  /// Let nobody have the names that are still free.
  package mutating func keep(_ names: [String]) {
    for name in names { give(name, to: nil) }
  }

  /// Return the owner of a name; `nil` if it has none.
  package func owner(of name: String) -> Owner? {
    let name = Self.plain(name)
    if let owner = exact[name] { return owner }
    guard let dot = name.firstIndex(of: ".") else { return nil }
    return wild[String(name[name.index(after: dot)...])] ?? nil
  }

  /// Case makes no difference, and neither does the dot at the end that some write.
  private static func plain(_ name: String) -> String {
    let name = name.lowercased()
    return name.hasSuffix(".") ? String(name.dropLast()) : name
  }
}

extension TLSNames: Sendable where Owner: Sendable {}

extension TLSNames {
  /// Give the names in a certificate to its owner, except for those that others have. Throws if none is left: the
  /// certificate would never be shown.
  package mutating func give(_ hostnames: [String], to owner: Owner, of identity: TLSIdentity) throws(TLSError) {
    var isOwner = false
    // Clients ask for names only, by the protocol.
    for name in hostnames where !name.isHostAddress {
      if give(name, to: owner) { isOwner = true }
    }
    guard !isOwner else { return }
    let file =
      switch identity.source {
      case .files(let chain, _): chain
      case .pem: "the text of a further certificate"
      }
    let reason =
      hostnames.isEmpty
      ? "it has no names of hosts" : "others have its names already (\(hostnames.joined(separator: ", ")))"
    throw TLSError(
      .invalidConfiguration,
      "TLS context: the certificate in \(file) would never be chosen: \(reason). Give one with a name of its own "
        + "in subjectAltName, or leave it out.")
  }
}

extension String {
  /// True if a host is named by an address: certificates and hellos have a place of their own for names.
  package var isHostAddress: Bool {
    utf8.contains(UInt8(ascii: ":")) || utf8.allSatisfy { $0 == UInt8(ascii: ".") || (48...57).contains($0) }
  }
}

extension TLSConfiguration {
  /// The same settings for one certificate alone.
  package func withOnly(_ identity: TLSIdentity) -> TLSConfiguration {
    var configuration = self
    configuration.identity = identity
    (configuration.identitiesByName, configuration.furtherIdentities) = ([:], [])
    return configuration
  }
}
