/// Answers what needs a thread. Tests put in their own; it is called in a thread of the resolver and may block.
package struct NameService: Sendable {
  package var addresses: @Sendable (AddressQuery) throws -> [AddressInfo]
  package var names: @Sendable (SocketAddress, NameInfoFlags) throws -> NameInfo

  package init(
    addresses: @escaping @Sendable (AddressQuery) throws -> [AddressInfo] = SystemNames.addresses,
    names: @escaping @Sendable (SocketAddress, NameInfoFlags) throws -> NameInfo = SystemNames.names
  ) {
    self.addresses = addresses
    self.names = names
  }
}
