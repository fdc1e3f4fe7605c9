// SwiftNIO's echo server on one event loop, and nothing else.
import NIOPosix
import Serving

try await serve(on: MultiThreadedEventLoopGroup(numberOfThreads: 1))
