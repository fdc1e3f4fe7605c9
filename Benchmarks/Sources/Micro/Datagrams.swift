// The server's part of a 64-byte round trip on one UDP socket: wait, receive, send back. The client is another program.
//
// - udp: a task that awaits one datagram after the other on an endpoint. udp_protocol: a protocol object that is
//   called.
// - The CPU counts. On two cores the server sleeps before each datagram; with the client on the same core (the names
//   that end in _same) the wake is cheaper and the rest stands out.
// - The server prints "ready" when it is bound; clients wait for it. It ends after N/10 datagrams that are not measured
//   and N that are.

import AsyncIO
import MicroSupport

/// Everything has been measured.
private struct Finished: InterruptError {}

/// For the loop's thread alone, which is what makes the unchecked conformance right.
private final class Answers: @unchecked Sendable {
  var meter: AnswerMeter
  init(_ count: Int) { meter = AnswerMeter(count) }
}

func serveDatagrams(_ bench: Bench) throws {
  let (port, answers) = (bench.port, Answers(bench.count))
  do {
    try bench.runner.run {
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: port)
      announceReady()
      try await endpoint.forEachDatagram { bytes, address in
        answers.meter.willAnswer()
        try await endpoint.send(bytes, to: address)
        if answers.meter.didAnswer() { throw Finished() }
      }
    }
  } catch is Finished {}
}

private final class Echo: DatagramProtocol {
  private let answers: Answers
  private let loop: BaseEventLoop
  private var transport: DatagramTransport?

  init(_ answers: Answers, _ loop: BaseEventLoop) { (self.answers, self.loop) = (answers, loop) }

  func connectionMade(_ transport: DatagramTransport) { self.transport = transport }

  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {
    answers.meter.willAnswer()
    try transport?.send(bytes, to: address)
    if answers.meter.didAnswer() { transport?.close() }
  }

  func connectionLost(_ error: (any Error)?) {
    transport = nil
    loop.stop()
  }
}

func serveDatagramProtocol(_ bench: Bench) throws {
  let (loop, port, answers) = (bench.loop, bench.port, Answers(bench.count))
  try bench.runner.run {
    _ = try await loop.createDatagramEndpoint(localAddress: .host("127.0.0.1", port: port)) { Echo(answers, loop) }
    announceReady()
  }
  // The transport lives on in the loop, which its end stops.
  try loop.runForever()
}
