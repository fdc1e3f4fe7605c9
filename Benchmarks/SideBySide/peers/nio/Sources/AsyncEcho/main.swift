// SwiftNIO's echo server over async channels: a task for each connection, in the way of its own example.
//
// The tasks run on Swift's pool of threads, so each message goes from the event loop to a task and back.
import NIOCore
import NIOPosix

guard let port = CommandLine.arguments.last.flatMap(Int.init) else { fatalError("the last argument is a port") }
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let server = try await ServerBootstrap(group: group)
  .serverChannelOption(.backlog, value: 4096)
  .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
  .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  .bind(host: "127.0.0.1", port: port) { channel in
    channel.eventLoop.makeCompletedFuture {
      try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
    }
  }
try await withThrowingDiscardingTaskGroup { tasks in
  try await server.executeThenClose { connections in
    for try await connection in connections {
      tasks.addTask {
        // A connection that fails ends alone.
        try? await connection.executeThenClose { inbound, outbound in
          for try await bytes in inbound { try await outbound.write(bytes) }
        }
      }
    }
  }
}
