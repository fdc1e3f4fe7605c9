@_spi(Channels) internal import AsyncIO
internal import NIOCore
internal import SystemPackage

// Addresses and errors of one side in the words of the other.

extension NIOCore.SocketAddress {
  // What the system's form of an address is copied into: NIO has no other way to make one without a text.
  private static let anyIPv4 = try? NIOCore.SocketAddress(ipAddress: "0.0.0.0", port: 0)
  private static let anyIPv6 = try? NIOCore.SocketAddress(ipAddress: "::", port: 0)

  /// The same address; nil for one that NIO has no form of.
  init?(_ address: AsyncIO.SocketAddress?) {
    guard let address else { return nil }
    if address.isIPv4, case .v4(let any)? = Self.anyIPv4 {
      self.init(Self.copy(of: address, over: any.address))
    } else if address.isIPv6, case .v6(let any)? = Self.anyIPv6 {
      self.init(Self.copy(of: address, over: any.address))
    } else if address.isUnix {
      try? self.init(unixDomainSocketPath: address.unixPath ?? "")
    } else {
      return nil
    }
  }

  /// Return a structure of the system with the bytes of an address of its family.
  private static func copy<Form>(of address: AsyncIO.SocketAddress, over form: Form) -> Form {
    var form = form
    withUnsafeMutableBytes(of: &form) { memory in
      // Right because a structure of C is its bytes, and no more of them are copied than there is room for.
      address.withSystemForm { memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(memory.count))) }
    }
    return form
  }

  /// The same address for the loops. Throws for an address that they have no form of.
  func forLoops() throws -> AsyncIO.SocketAddress {
    if let pathname, case .unixDomainSocket = self { return try AsyncIO.SocketAddress(unixPath: pathname) }
    let made = withSockAddr { address, size in
      // Right because the pointer is to `size` bytes, for the length of the call.
      AsyncIO.SocketAddress(systemForm: UnsafeRawBufferPointer(start: address, count: size))
    }
    guard let made else { throw ChannelError.operationUnsupported }
    return made
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
