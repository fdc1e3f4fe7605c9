internal import AsyncIO
internal import NIOCore
internal import SystemPackage

// Addresses and errors of one side in the words of the other.

extension NIOCore.SocketAddress {
  /// The same address; nil for one that NIO has no form of.
  init?(_ address: AsyncIO.SocketAddress?) {
    guard let address else { return nil }
    let made: NIOCore.SocketAddress?
    if address.isUnix {
      made = try? NIOCore.SocketAddress(unixDomainSocketPath: address.unixPath ?? "")
    } else if let host = address.host, let port = address.port {
      made = try? NIOCore.SocketAddress(ipAddress: host, port: Int(port))
    } else {
      made = nil
    }
    guard let made else { return nil }
    self = made
  }

  /// The same address for the loops. Throws for an address that they have no form of.
  func forLoops() throws -> AsyncIO.SocketAddress {
    if let pathname, case .unixDomainSocket = self { return try AsyncIO.SocketAddress(unixPath: pathname) }
    if let ipAddress, let port, let number = UInt16(exactly: port),
      let address = AsyncIO.SocketAddress(ipLiteral: ipAddress, port: number)
    {
      return address
    }
    throw ChannelError.operationUnsupported
  }
}

extension NIOCore.IOError {
  /// The same error, in NIO's form: its handlers ask for `errnoCode`.
  init(_ error: AsyncIO.IOError) {
    self.init(errnoCode: error.errno.rawValue, reason: "\(error)")
  }

  /// The error of a call that returned a negated errno.
  init(result: Int, _ operation: String) {
    self.init(errnoCode: Int32(-result), reason: operation)
  }
}

/// Do something whose errors are the loops', and throw NIO's.
func inNIOsWords<Value>(_ body: () throws -> Value) throws -> Value {
  do {
    return try body()
  } catch let error as AsyncIO.IOError {
    throw NIOCore.IOError(error)
  }
}
