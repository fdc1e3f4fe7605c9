import AsyncIO
import POSIX
import SystemPackage

nonisolated(unsafe) let loopsPortCases: [String: () throws -> Void] = [
  "loops-listen": loopsListen,
  "loops-serve-protocols": loopsServeProtocols,
  "loops-datagrams": loopsDatagrams,
  "loops-ports": loopsPorts,
]

/// What the clients of both loops tell, until both have answered.
private func answers(_ ask: () async throws -> [UInt8]) async throws -> [UInt8] {
  var seen: Set<UInt8> = []
  // Which loop gets a client is the system's choice: a fair coin shows one side 200 times in a row about never.
  for _ in 0..<200 where seen.count < 2 { seen.formUnion(try await ask()) }
  return seen.sorted()
}

private func hello(to port: UInt16) async throws -> [UInt8] {
  let connection = try await StreamConnection.connect(host: "127.0.0.1", port: port)
  defer { connection.close() }
  return try await connection.readExactly(1)
}

/// A handler runs on the loop that accepted its connection, before and after it has waited for another one.
private func loopsListen() throws {
  let barrier = try Barrier(2)
  let places = Notes()
  try AsyncIO.run(loops: 2) { group in
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, sharedBy: group)
    let serving = try group.loop.createTask {
      try await listener.serve { connection in
        _ = try await group.run(on: 1 - group.index) {}
        places.add("\(try getRunningLoop() === group.loop)")
        try await connection.write([UInt8(group.index)])
      }
    }
    try await barrier.wait()
    if group.index == 0 { fact("answers", try await answers { try await hello(to: listener.port) }) }
    try await barrier.wait()
    listener.close()
    try await serving.get()
  }
  fact("on their loops", Set(places.all) == ["true"])
}

private final class Greeter: StreamProtocol {
  private let index: Int

  init(_ index: Int) { self.index = index }

  func connectionMade(_ transport: StreamTransport) throws {
    try transport.write([UInt8(index)])
    transport.close()
  }

  func dataReceived(_ bytes: RawSpan) {}
}

private func loopsServeProtocols() throws {
  let barrier = try Barrier(2)
  try AsyncIO.run(loops: 2) { group in
    let index = group.index
    let server = try await group.loop.createServer(host: "127.0.0.1", port: 0, sharedBy: group) { Greeter(index) }
    try await barrier.wait()
    let port = server.addresses[0].port ?? 0
    if group.index == 0 { fact("answers", try await answers { try await hello(to: port) }) }
    try await barrier.wait()
    server.close()
    try await server.waitClosed()
  }
}

private func loopsDatagrams() throws {
  let barrier = try Barrier(2)
  try AsyncIO.run(loops: 2) { group in
    let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0, sharedBy: group)
    let answering = try group.loop.createTask {
      while true {
        let datagram = try await endpoint.receive()
        try await endpoint.send([UInt8(group.index)], to: datagram.address)
      }
    }
    try await barrier.wait()
    if group.index == 0, let address = endpoint.localAddress {
      let seen = try await answers {
        let client = try await DatagramEndpoint.connect(to: address)
        defer { client.close() }
        try await client.send([1])
        return try await client.receive().bytes
      }
      fact("answers", seen)
    }
    try await barrier.wait()
    answering.cancel()
    endpoint.close()
  }
}

/// Every address has the same port on all loops; a port that is taken is an error on all; one loop shares with nobody.
private func loopsPorts() throws {
  let addresses = try AsyncIO.run(loops: 3) { group in
    let listener = try await StreamListener.bind(port: 0, sharedBy: group)
    defer { listener.close() }
    return listener.addresses.map(\.description)
  }
  fact("same", Set(addresses).count == 1 && addresses[0].isEmpty == false)
  try AsyncIO.run(loops: 2) { group in
    let taken = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    defer { taken.close() }
    let port = try await group.shared { taken.port }
    let barrier = try await group.shared { try Barrier(2) }
    do {
      _ = try await StreamListener.bind(host: "127.0.0.1", port: port, sharedBy: group)
    } catch let error as IOError { fact("\(group.index) taken", error.errno.rawValue == EADDRINUSE) }
    try await barrier.wait()
  }
  try AsyncIO.run(loops: 1) { group in
    let alone = try await StreamListener.bind(host: "127.0.0.1", port: 0, sharedBy: group)
    defer { alone.close() }
    do {
      _ = try await StreamListener.bind(host: "127.0.0.1", port: alone.port, reusePort: true)
      fact("alone", "shared")
    } catch let error as IOError { fact("alone", error.errno.rawValue == EADDRINUSE) }
  }
}
