// An HTTP server of SwiftNIO's handlers on one loop: `channels_http LOOP VERSION BYTES [CHAIN KEY] PORT`. The loop is
// `nio`, `selector` or `proactor`, the version 1 or 2; each answer has a body of so many bytes.
import AsyncIO
import AsyncIONIO
import NIOCore
import NIOPosix

let words = CommandLine.arguments
guard words.count == 5 || words.count == 7, let bytes = Int(words[3]), let port = words.last.flatMap(Int.init) else {
  fatalError("arguments: LOOP VERSION BYTES [CHAIN KEY] PORT")
}
let pipeline = try Pipeline(
  bytes: bytes, files: words.count == 7 ? (words[4], words[5]) : nil, speaksHTTP2: words[2] == "2")
let address = try NIOCore.SocketAddress(ipAddress: "127.0.0.1", port: port)
let listener: any Channel
if words[1] == "nio" {
  listener = try ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
    .serverChannelOption(.backlog, value: 4096)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelInitializer(pipeline.configure)
    .bind(to: address).wait()
} else {
  let isProactor = words[1] == "proactor"
  let group = try AsyncIOEventLoopGroup(numberOfThreads: 1) {
    isProactor ? try ProactorEventLoop() : try SelectorEventLoop()
  }
  listener = try AsyncIOServerBootstrap(group: group)
    .serverChannelOption(.backlog, value: 4096)
    .childChannelInitializer(pipeline.configure)
    .bind(to: address).wait()
}
try listener.closeFuture.wait()
