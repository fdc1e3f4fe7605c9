internal import CAsyncIO
internal import COpenSSL

// The library that protects connections unless a program brings another: OpenSSL, as the distribution installs and
// mends it. It is opened when the first context is made, so programs without TLS neither need nor load it.

/// OpenSSL's functions, bound once for the process.
///
/// Sendable because nothing in it changes after it was made; OpenSSL's own objects have rules of their own.
struct OpenSSL: @unchecked Sendable {
  /// The bound functions. Never freed: sessions may live as long as the process.
  let api: UnsafePointer<casyncio_openssl>
  /// How a session's input and output are given to OpenSSL.
  let method: OpaquePointer
  /// Where OpenSSL's objects hold a reference to ours.
  let contextIndex: Int32
  let sessionIndex: Int32

  static let shared: Result<OpenSSL, TLSError> = load(path: Environment.openSSL)

  /// The name and version of the library.
  var version: String { String(cString: api.pointee.OpenSSL_version(0)) }
  /// The file that it was loaded from, in the form in which it was looked for.
  var file: String { api.pointee.library.map { String(cString: $0) } ?? "" }

  /// Find and bind the library.
  ///
  /// - Parameter path: the file; nil to look for the known names.
  static func load(path: String?) -> Result<OpenSSL, TLSError> {
    let api = UnsafeMutablePointer<casyncio_openssl>.allocate(capacity: 1)
    let (status, detail) = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
      let status = casyncio_openssl_bind(api, path, text.baseAddress!, text.count)
      return (Int(status), String(cString: text.baseAddress!))
    }
    guard status == CASYNCIO_OPENSSL_OK, let method = casyncio_openssl_method(api) else {
      api.deallocate()
      return .failure(TLSError(.libraryMissing, reason(status, detail)))
    }
    // The classes of objects in crypto.h.
    let contextIndex = api.pointee.CRYPTO_get_ex_new_index(1, 0, nil, nil, nil, nil)
    let sessionIndex = api.pointee.CRYPTO_get_ex_new_index(0, 0, nil, nil, nil, nil)
    return .success(
      OpenSSL(api: UnsafePointer(api), method: method, contextIndex: contextIndex, sessionIndex: sessionIndex))
  }

  private static func reason(_ status: Int, _ detail: String) -> String {
    let fix =
      "Install OpenSSL 3 (Debian, Ubuntu: apt install libssl3; Fedora: dnf install openssl-libs; Alpine: apk add "
      + "libssl3; macOS: brew install openssl@3; Windows: put libssl-3 and libcrypto-3 beside the program), or set "
      + "ASYNCIO_OPENSSL to the path of libssl."
    return switch status {
    case CASYNCIO_OPENSSL_NOT_FOUND: "TLS needs OpenSSL, and no libssl was found (\(detail)). \(fix)"
    case CASYNCIO_OPENSSL_WRONG_VERSION: "TLS needs OpenSSL 1.1.1 or later, and found \(detail). \(fix)"
    case CASYNCIO_OPENSSL_LACKS: "TLS cannot use the library that was found: \(detail). \(fix)"
    default: "TLS cannot use the library that was found: no memory."
    }
  }
}

/// Makes contexts with OpenSSL.
struct OpenSSLProvider: TLSProvider {
  var description: String {
    switch OpenSSL.shared {
    case .success(let openssl): "\(openssl.version) (\(openssl.file))"
    case .failure(let error): error.message
    }
  }

  func makeContext(_ configuration: TLSConfiguration) throws(TLSError) -> any TLSProviderContext {
    try OpenSSLContext(configuration, OpenSSL.shared.get())
  }
}
