/// The version of this package, for all its programs.
package enum Version {
  /// The next release, and `-dev` until it is there.
  package static let current = "0.1.0-dev"
}
