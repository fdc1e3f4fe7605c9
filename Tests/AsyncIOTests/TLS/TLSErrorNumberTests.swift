import COpenSSL
import Testing

@testable import AsyncIO

/// What OpenSSL's numbers mean, in each of its versions.
@Suite("TLS error numbers", .enabled(if: TLSLibrary.found.works, "OpenSSL is not installed"))
struct TLSErrorNumberTests {
  /// Call the body with this machine's library under the number of another version.
  private static func with<R>(version: UInt, _ body: (OpenSSL) -> R) throws -> R {
    let installed = try OpenSSL.shared.get()
    var functions = installed.api.pointee
    functions.version = version
    return withUnsafePointer(to: functions) {
      body(
        OpenSSL(
          api: $0, method: installed.method, contextIndex: installed.contextIndex, sessionIndex: installed.sessionIndex)
      )
    }
  }

  @Test(
    "An authority that is none has one number before 3.0 and another one since",
    arguments: [
      (0x1010_1010, 24, TLSError.Code.wrongPurpose), (0x3000_0020, 79, .wrongPurpose),
      (0x3000_0020, 24, .certificateRejected),
    ] as [(UInt, Int, TLSError.Code)])
  func invalidAuthority(_ version: UInt, _ number: Int, _ code: TLSError.Code) throws {
    let failure = try Self.with(version: version) { $0.certificateFailure(number, "TLS handshake") }
    #expect(failure.code == code, "\(failure)")
    #expect(failure.message.contains("not for an authority") == (code == .wrongPurpose))
  }
}
