// What the snippets of the pages of NIO/ and Frameworks/ leave to their reader.
// Scripts/check-snippets compiles each snippet beside this file; nothing of it is ever run.

import GRPCCore
import GRPCNIOTransportHTTP2
import NIOCore
import NIOHTTP1

struct Greeter: RegistrableRPCService {
  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {}
}

func greet(_ client: GRPCClient<some ClientTransport>) async throws {}

final class Hello: ChannelInboundHandler, Sendable {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart
}
