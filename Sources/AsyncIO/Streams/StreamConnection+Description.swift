internal import Synchronization

extension StreamConnection: CustomStringConvertible {
  /// How logs show it: "StreamConnection 127.0.0.1:7000 to 127.0.0.1:51234 (descriptor 8)", or that it is closed. Any
  /// thread.
  public var description: String {
    wasMoved.load(ordering: .acquiring)
      ? "StreamConnection (moved to another loop)" : descriptor.describeSocket("StreamConnection")
  }

  /// The socket in reports: its number, and the addresses while they are known. Any thread.
  var socketNames: String {
    let addresses = descriptor.addresses
    return socketText(descriptor.fileDescriptor, addresses?.local, addresses?.peer)
  }
}
