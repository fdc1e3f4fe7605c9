import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Datagram transports, beyond lines 106 to 114 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct DatagramTransportTests {
  private final class Proto: DatagramProtocol {
    var transport: DatagramTransport?
    var datagrams: [[UInt8]] = []
    var errors: [IOError] = []
    var ends = 0
    var onDatagram: ((Proto) throws -> Void)?
    var onMade: (() throws -> Void)?
    var onPause: ((Proto) throws -> Void)?

    func connectionMade(_ transport: DatagramTransport) throws {
      self.transport = transport
      try onMade?()
    }

    func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {
      datagrams.append(bytes.withUnsafeBytes { Array($0) })
      try onDatagram?(self)
    }

    func errorReceived(_ error: IOError) { errors.append(error) }
    func pauseWriting() throws { try onPause?(self) }

    func connectionLost(_ error: (any Error)?) {
      ends += 1
      transport = nil
    }
  }

  private struct Failure: Error {}
  private static let any = DatagramName.host("127.0.0.1", port: 0)

  @Test("An error of a callback is reported, and the endpoint lives on", arguments: LoopKind.allCases)
  func callbackThrows(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Recorder<String>()
      loop.exceptionHandler = { _, context in reports.record("\(context)") }
      let (transport, proto) = try await loop.createDatagramEndpoint(localAddress: Self.any) { Proto() }
      proto.onDatagram = { proto in if proto.datagrams.count == 1 { throw Failure() } }
      for number in 0..<3 { try transport.send([UInt8(number)], to: transport.getExtraInfo(.sockname)) }
      try await turnUntil { proto.datagrams.count == 3 }
      #expect(reports.all.count == 1 && reports.all[0].contains("datagramReceived"))
      transport.close()
      try await turnUntil { proto.ends == 1 }
    }
  }

  @Test("What a factory or connectionMade throws is thrown, and the socket is closed", arguments: LoopKind.allCases)
  func factoryThrows(kind: LoopKind) async throws {
    try await kind.run { loop in
      loop.exceptionHandler = { _, _ in }
      await #expect(throws: Failure.self) {
        _ = try await loop.createDatagramEndpoint(localAddress: Self.any) { () throws -> Proto in throw Failure() }
      }
      let proto = Proto()
      proto.onMade = { throw Failure() }
      await #expect(throws: Failure.self) {
        _ = try await loop.createDatagramEndpoint(localAddress: Self.any) { proto }
      }
      try await turnUntil { proto.ends == 1 }
    }
  }

  @Test("Aborted inside callbacks", arguments: LoopKind.allCases)
  func abortInside(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (transport, proto) = try await loop.createDatagramEndpoint(localAddress: Self.any) { Proto() }
      proto.onDatagram = { $0.transport?.abort() }
      for number in 0..<3 { try transport.send([UInt8(number)], to: transport.getExtraInfo(.sockname)) }
      try await turnUntil { proto.ends == 1 }
      #expect(proto.datagrams.count == 1)

      let directory = TemporaryDirectory()
      let far = try Socket(family: .unix, type: .datagram)
      let address = try SocketAddress(unixPath: "\(directory.path)/far")
      try far.bind(to: address)
      let (sender, paused) = try await loop.createDatagramEndpoint(remoteAddress: .address(address)) { Proto() }
      paused.onPause = { $0.transport?.abort() }
      try sender.setWriteBufferLimits(high: 0)
      while !sender.isClosing { try sender.send([UInt8](repeating: 1, count: 1000)) }
      #expect(sender.writeBufferSize == 0)
      try await turnUntil { paused.ends == 1 }
      far.close()
    }
  }

  @Test("A full Unix queue that nobody reports is asked again; a close waits for it", arguments: LoopKind.allCases)
  func fullQueue(kind: LoopKind) async throws {
    try await kind.run { loop in
      let directory = TemporaryDirectory()
      let far = try Socket(family: .unix, type: .datagram)
      let address = try SocketAddress(unixPath: "\(directory.path)/far")
      try far.bind(to: address)
      let (sender, proto) = try await loop.createDatagramEndpoint(family: .unix) { Proto() }
      let count = 200
      for number in 0..<count { try sender.send([UInt8(number)], to: address) }
      #expect(sender.writeBufferSize > 0 && sender.writeBufferSize % 9 == 0)
      sender.close()
      for number in 0..<count { #expect(try await far.receive(upTo: 10) == [UInt8(number)]) }
      try await turnUntil { proto.ends == 1 }
      #expect(proto.errors.isEmpty)
      far.close()
    }
  }

  @Test("A transport that its loop's close finds is ended without a call", arguments: LoopKind.allCases)
  func loopCloses(kind: LoopKind) async throws {
    let log = try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      nonisolated(unsafe) var kept: Proto?
      try loop.run {
        let (_, proto) = try await loop.createDatagramEndpoint(localAddress: Self.any) { Proto() }
        kept = proto
      }
      try loop.close()
      #expect(kept?.ends == 0)
      return log
    }
    #expect(log.messages.contains { $0.contains("DatagramTransport") && $0.contains("was not closed") })
  }
}
