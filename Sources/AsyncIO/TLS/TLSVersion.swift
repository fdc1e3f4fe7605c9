/// A version of the protocol. Answers `ssl.TLSVersion`.
public enum TLSVersion: UInt16, Comparable, Sendable, CustomStringConvertible {
  /// TLS 1.2.
  case tls12 = 0x0303
  /// TLS 1.3.
  case tls13 = 0x0304

  /// "TLSv1.2" or "TLSv1.3".
  public var description: String { self == .tls12 ? "TLSv1.2" : "TLSv1.3" }

  /// Older versions are less.
  public static func < (a: TLSVersion, b: TLSVersion) -> Bool { a.rawValue < b.rawValue }
}
