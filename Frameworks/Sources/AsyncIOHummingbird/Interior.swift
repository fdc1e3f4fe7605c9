internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore

// What an application says about its server and Hummingbird does not show: what serves a connection, and what is in a
// `BindAddress`. Both are read by reflection. The traps:
//
// - A version of Hummingbird may name them otherwise, or keep them elsewhere. Then a run must not serve something else
//   than the application says, HTTP without TLS for instance: it fails, and the error says what to give instead.
// - An address that was read is made again by the public functions and compared, so a wrong reading is noticed.
// - A closure that reflection finds must not be called: its arguments are passed otherwise than the type says. So what
//   serves a connection is not made by the closure of the `HTTPServerBuilder`, but taken out of the server that the
//   builder makes of it. That server is never run, and nobody else has it.

/// An application whose server or address this version of Hummingbird does not let be read.
public struct UnreadableApplication: Error, CustomStringConvertible {
  /// What could not be read.
  public let what: String
  let help: String

  /// What is wrong and what helps.
  public var description: String { "run(on:): this version of Hummingbird does not let \(what) be read. \(help)" }
}

enum Interior {
  /// Make what serves a connection as the application says.
  static func childChannel(
    of application: some ApplicationProtocol, on group: any EventLoopGroup,
    _ responder: @escaping HTTPChannelHandler.Responder
  ) throws -> any ServerChildChannel {
    let server = try application.server.buildServer(
      configuration: ServerConfiguration(), eventLoopGroup: group, logger: application.logger, responder: responder)
    // Nothing but the state is looked into: what else the server holds is alive and has threads.
    for property in Mirror(reflecting: server).children where property.label == "state" {
      if let child = find(in: property.value, depth: 2) { return child }
    }
    throw UnreadableApplication(
      what: "the application's server", help: "Give the options `child`, for instance { HTTP1Channel(responder: $0) }.")
  }

  private static func find(in value: Any, depth: Int) -> (any ServerChildChannel)? {
    for child in Mirror(reflecting: value).children {
      if let found = child.value as? any ServerChildChannel { return found }
      if depth > 0, let found = find(in: child.value, depth: depth - 1) { return found }
    }
    return nil
  }

  /// What is in an address.
  static func address(of address: BindAddress) throws -> LoopServerOptions.Address {
    for child in Mirror(reflecting: address).children {
      for value in Mirror(reflecting: child.value).children {
        if let found = read(value.value), found.asBindAddress == address { return found }
      }
    }
    throw UnreadableApplication(
      what: "the application's address",
      help: "Give the options `address`, for instance .host(\"127.0.0.1\", port: 80)."
    )
  }

  private static func read(_ value: Any) -> LoopServerOptions.Address? {
    if let (host, port) = value as? (String, Int) { return .host(host, port: port) }
    let parts = Mirror(reflecting: value).children.map(\.value)
    if let host = parts.first as? String, let port = parts.last as? Int { return .host(host, port: port) }
    return (parts.first as? String ?? value as? String).map { .unix(path: $0) }
  }
}

extension LoopServerOptions.Address {
  var asBindAddress: BindAddress {
    switch self {
    case .host(let host, let port): .hostname(host, port: port)
    case .unix(let path): .unixDomainSocket(path: path)
    }
  }
}
