package import AsyncIO
internal import Synchronization

/// Makes contexts without cryptography, for one simulation or for tests. Any thread.
///
/// Unchecked because of the network, whose clock is read in its loop's thread: sessions are asked there.
package final class SimulatedTLSProvider: TLSProvider, @unchecked Sendable {
  private let network: SimulatedNetwork?
  /// In place of random numbers: what follows from it is the same in each run.
  private let count = Atomic<UInt64>(0)

  /// Create a provider for sessions without a simulation, in which no time passes.
  package init() { network = nil }

  init(_ network: SimulatedNetwork) { self.network = network }

  package var description: String { "simulated TLS, without cryptography" }
  package var home: ObjectIdentifier? { ObjectIdentifier(self) }

  package func makeContext(_ configuration: TLSConfiguration) throws(TLSError) -> any TLSProviderContext {
    try SimulatedTLSContext(configuration, self)
  }

  /// A number that was not given out before.
  func nextNumber() -> UInt64 { count.add(1, ordering: .relaxed).newValue }

  /// The date in seconds since 1970, as the clocks of a simulated thread show it.
  var now: Int64 { SimulatedTLS.beginning + (network?.now ?? 0) / 1_000_000_000 }
}
