// A client and a server of SwiftNIO with NIOSSL, for the tests of TLS.
//
//   nio-tls-peer serve chain=FILE key=FILE [ca=FILE] [alpn=A,B] [version=1.2|1.3]
//       prints "listening on PORT". Answers the first line of each client with what was agreed on, and says goodbye.
//   nio-tls-peer ask port=PORT ca=FILE name=HOST [chain=FILE key=FILE] [alpn=A,B] [version=1.2|1.3]
//       sends "question" and a newline, and prints what comes until the server's goodbye. Status 1 if anything fails.
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

let words = CommandLine.arguments
guard words.count > 1 else { fatalError("arguments: serve or ask, and name=value") }
let options = Options(words[2...])
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

switch words[1] {
case "serve": try await serve(options, group)
case "ask": try await ask(options, group)
default: fatalError("there is no mode \(words[1])")
}

/// Print a line at once, though a pipe reads it.
func announce(_ line: String) {
  print(line)
  fflush(nil)
}
