import AsyncIO
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import HummingbirdTLS
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import AsyncIOHummingbird
@testable import HelloService

/// What is read out of an application that Hummingbird does not show. If a version of it moves these, these tests say
/// so first; a run then fails with an error, and never serves something else than the application says.
@Suite("What an application is asked for by reflection")
struct InteriorTests {
  private func child(_ server: HTTPServerBuilder) throws -> any ServerChildChannel {
    let application = Application(router: helloRouter(), server: server)
    return try Interior.childChannel(of: application, on: MultiThreadedEventLoopGroup.singleton) { _, _, _ in }
  }

  @Test("What serves a connection, of each kind, with its configuration")
  func childChannels() throws {
    let http1 = try child(.http1(configuration: .init(idleTimeout: .seconds(7))))
    #expect((http1 as? HTTP1Channel)?.configuration.idleTimeout == .seconds(7))
    let tls = try child(.tls(.http1(), tlsConfiguration: Certificate.server()))
    #expect(tls is TLSChannel<HTTP1Channel>)
    let http2 = try child(.http2Upgrade(tlsConfiguration: Certificate.server()))
    #expect(http2 is HTTP2UpgradeChannel)
    #expect(try child(.plaintextHTTP2()) is HTTP2Channel)
    #expect(try child(.tls(.plaintextHTTP2(), tlsConfiguration: Certificate.server())) is TLSChannel<HTTP2Channel>)
  }

  @Test("Addresses")
  func addresses() throws {
    #expect(try Interior.address(of: .hostname()) == .host("127.0.0.1", port: 8080))
    #expect(try Interior.address(of: .hostname("::1", port: 0)) == .host("::1", port: 0))
    #expect(try Interior.address(of: .unixDomainSocket(path: "/tmp/a b")) == .unix(path: "/tmp/a b"))
  }

  @Test("Options come before what the application says", arguments: Site.ours)
  func options(site: Site) async throws {
    var setting = Setting()
    setting.configuration = .init(address: .hostname("192.0.2.1", port: 1))
    setting.options.address = .host("localhost", port: 0)
    setting.server = .plaintextHTTP2()
    setting.options.child = { HTTP1Channel(responder: $0) }
    try await site.serve(helloRouter(), setting) { service async throws in
      #expect(try await request(service.port, "GET / HTTP/1.1").text == "Hello, world!\n")
    }
  }

  @Test(
    "The date as HTTP writes it",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_577_836_799, "Tue, 31 Dec 2019 23:59:59 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
  func date(second: Int, text: String) {
    #expect(DateHeader.text(second) == text)
  }
}
