import AsyncIO
import AsyncIONIO
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Resolvers of the program's: the same one for NIO's bootstrap and for ours.
@Suite("Resolvers of the program's", .timeLimit(.minutes(2)))
struct ResolverTests {
  /// What a query comes to, and when.
  enum Answer: Sendable {
    case address, refused, nothing, failure, never
    /// After the other one.
    case lateAddress, lateRefused
  }

  /// IPv6, then IPv4.
  static let answers: [(Answer, Answer)] = [
    (.address, .address), (.address, .nothing), (.nothing, .address), (.address, .failure), (.failure, .address),
    (.refused, .address), (.address, .refused), (.refused, .refused), (.refused, .failure), (.nothing, .refused),
    (.failure, .failure), (.nothing, .nothing), (.lateAddress, .address), (.lateAddress, .refused),
    (.lateRefused, .address), (.address, .lateAddress), (.refused, .lateAddress), (.refused, .lateRefused),
    (.never, .address), (.address, .never),
  ]

  @Test("Addresses are tried as they come, those of IPv6 first", arguments: answers)
  func order(v6: Answer, v4: Answer) async throws {
    try await compare { channels in
      let listeners = [
        try await channels.listen(on: try NIOCore.SocketAddress(ipAddress: "::1", port: 0)) { _ in },
        try await channels.listen { _ in },
      ]
      let resolver = Answering(v6, v4, listeners.map { $0.localAddress! }, on: channels.group.next())
      do {
        let channel = try await channels.connect(with: resolver, timeout: .seconds(10))
        resolver.events.note("connected \(channel.remoteAddress!.protocol)")
        try await channel.close()
      } catch {
        resolver.events.note(Self.failures(of: error))
      }
      for listener in listeners { try await listener.close() }
      resolver.finish()
      return resolver.events.all
    }
  }

  /// What was tried, in either side's error.
  private static func failures(of error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      let lookup = error.dnsAAAAError ?? error.dnsAError
      return failures(error.connectionErrors.map(\.target), error.connectionErrors.isEmpty ? lookup : nil)
    case let error as AsyncIOConnectionError:
      let lookup = error.lookupError is Answering.Unknown ? error.lookupError : nil
      return failures(error.connectionErrors.map(\.target), lookup)
    default: return Events.name(of: error)
    }
  }

  private static func failures(_ targets: [NIOCore.SocketAddress], _ lookup: (any Error)?) -> String {
    "tried \(targets.map(\.protocol)), \(lookup.map { Events.name(of: $0) } ?? "no error") of the look-up"
  }

  @Test("A resolver that does not answer is given up with the connection")
  func timeout() async throws {
    try await compare { channels in
      let resolver = Answering(.never, .never, [], on: channels.group.next())
      do {
        _ = try await channels.connect(with: resolver, timeout: .milliseconds(20))
      } catch {
        resolver.events.note(Events.name(of: error))
      }
      resolver.finish()
      return resolver.events.all
    }
  }

  @Test("Futures of another loop, and a host that is a literal", arguments: Site.ours)
  func otherLoop(site: Site) async throws {
    let other = NIOSingletons.posixEventLoopGroup.next()
    try await site.run { channels in
      let listener = try await channels.listen { _ in }
      let resolver = Answering(.nothing, .address, [listener.localAddress!, listener.localAddress!], on: other)
      let channel = try await channels.connect(with: resolver, timeout: .seconds(10), host: "192.0.2.1")
      #expect(channel.remoteAddress == listener.localAddress)
      #expect(resolver.events.all.prefix(2) == ["AAAA 192.0.2.1:1", "A 192.0.2.1:1"])
      try await channel.close()
      try await listener.close()
    }
  }

  @Test("An error without addresses has a text", arguments: Site.ours)
  func text(site: Site) async throws {
    try await site.run { channels in
      let resolver = Answering(.nothing, .nothing, [], on: channels.group.next())
      do {
        _ = try await channels.connect(with: resolver, timeout: .seconds(10))
        Issue.record("connected")
      } catch {
        #expect("\(error)".contains("the resolver has no address of example"))
      }
    }
  }
}

/// A resolver with two answers.
private final class Answering: Resolver, AsyncIOResolver, Sendable {
  struct Unknown: Error {}

  let events = Events()
  private let answers: (ResolverTests.Answer, ResolverTests.Answer)
  private let addresses: [NIOCore.SocketAddress]
  private let loop: any NIOCore.EventLoop
  private let promises: [EventLoopPromise<[NIOCore.SocketAddress]>]
  private let isFinished = Mutex([false, false])

  init(
    _ v6: ResolverTests.Answer, _ v4: ResolverTests.Answer, _ addresses: [NIOCore.SocketAddress],
    on loop: any NIOCore.EventLoop
  ) {
    (answers, self.addresses, self.loop) = ((v6, v4), addresses, loop)
    promises = [loop.makePromise(), loop.makePromise()]
  }

  func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[NIOCore.SocketAddress]> {
    events.note("AAAA \(host):\(port)")
    return query(0, answers.0)
  }

  func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[NIOCore.SocketAddress]> {
    events.note("A \(host):\(port)")
    return query(1, answers.1)
  }

  func cancelQueries() { events.note("cancelled") }

  private func query(_ index: Int, _ answer: ResolverTests.Answer) -> EventLoopFuture<[NIOCore.SocketAddress]> {
    switch answer {
    case .never: break
    case .lateAddress, .lateRefused:
      // Sooner than IPv4 alone would be tried, and later than an attempt on this machine takes to fail.
      loop.scheduleTask(in: .milliseconds(20)) { self.end(index, answer) }
    default: loop.execute { self.end(index, answer) }
    }
    return promises[index].futureResult
  }

  private func end(_ index: Int, _ answer: ResolverTests.Answer) {
    guard finish(index) else { return }
    switch answer {
    case .address, .lateAddress: promises[index].succeed([addresses[index]])
    case .refused, .lateRefused:
      // A port on which nobody listens.
      let host = index == 0 ? "::1" : "127.0.0.1"
      promises[index].completeWith(Result { [try NIOCore.SocketAddress(ipAddress: host, port: 1)] })
    case .nothing: promises[index].succeed([])
    default: promises[index].fail(Unknown())
    }
  }

  private func finish(_ index: Int) -> Bool {
    isFinished.withLock { isFinished in
      defer { isFinished[index] = true }
      return !isFinished[index]
    }
  }

  /// Keep the promises that nobody has kept.
  func finish() { for index in 0..<2 where finish(index) { promises[index].fail(Unknown()) } }
}

extension Channels {
  fileprivate func connect(
    with resolver: Answering, timeout: TimeAmount, host: String = "example"
  ) async throws -> any Channel {
    site == .nio
      ? try await ClientBootstrap(group: group).resolver(resolver).connectTimeout(timeout)
        .connect(host: host, port: 1).get()
      : try await AsyncIOClientBootstrap(group: group).resolver(resolver).connectTimeout(timeout)
        .connect(host: host, port: 1).get()
  }
}
