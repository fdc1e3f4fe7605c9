internal import CAsyncIO
internal import COpenSSL

// The other side's certificates as values.

extension OpenSSL {
  /// Return the chain that the other side sent, its own certificate first.
  func peerCertificates(of ssl: OpaquePointer) -> [TLSCertificate] {
    guard let own = api.pointee.SSL_get1_peer_certificate(ssl) else { return [] }
    defer { api.pointee.X509_free(own) }
    var certificates = [certificate(own)]
    guard let chain = api.pointee.SSL_get_peer_cert_chain(ssl) else { return certificates }
    for index in 0..<api.pointee.OPENSSL_sk_num(chain) {
      guard let element = api.pointee.OPENSSL_sk_value(chain, index) else { continue }
      let next = certificate(OpaquePointer(element))
      // A client's chain begins with the server's own certificate, a server's does not have the client's.
      if next.der != certificates[0].der { certificates.append(next) }
    }
    return certificates
  }

  private func certificate(_ x509: OpaquePointer) -> TLSCertificate {
    TLSCertificate(
      der: der(x509), subject: text(api.pointee.X509_get_subject_name(x509)),
      issuer: text(api.pointee.X509_get_issuer_name(x509)), hostnames: hostnames(x509),
      notBefore: seconds(api.pointee.X509_get0_notBefore(x509)),
      notAfter: seconds(api.pointee.X509_get0_notAfter(x509)))
  }

  private func der(_ x509: OpaquePointer) -> [UInt8] {
    let size = Int(api.pointee.i2d_X509(x509, nil))
    guard size > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      var next: UnsafeMutablePointer<UInt8>? = buffer.baseAddress
      count = max(0, Int(api.pointee.i2d_X509(x509, &next)))
    }
  }

  private func text(_ name: OpaquePointer) -> String {
    guard let memory = api.pointee.BIO_new(api.pointee.BIO_s_mem()) else { return "" }
    defer { _ = api.pointee.BIO_free(memory) }
    // XN_FLAG_RFC2253, without the escapes of bytes beyond ASCII.
    _ = api.pointee.X509_NAME_print_ex(memory, name, 0, 0x111_0317 & ~4)
    var text: [UInt8] = []
    withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
      while true {
        let count = api.pointee.BIO_read(memory, buffer.baseAddress!, Int32(buffer.count))
        guard count > 0 else { break }
        text.append(contentsOf: buffer[..<Int(count)])
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  private func seconds(_ time: OpaquePointer) -> Int64 {
    var broken = tm()
    guard api.pointee.ASN1_TIME_to_tm(time, &broken) == 1 else { return 0 }
    return casyncio_seconds_of(&broken)
  }

  func hostnames(_ x509: OpaquePointer) -> [String] {
    let index = api.pointee.X509_get_ext_by_NID(x509, Int32(OPENSSL_NID_SUBJECT_ALT_NAME), -1)
    guard index >= 0, let found = api.pointee.X509_get_ext(x509, index) else { return [] }
    let value = api.pointee.X509_EXTENSION_get_data(found)
    let bytes = UnsafeBufferPointer(
      start: api.pointee.ASN1_STRING_get0_data(value), count: Int(api.pointee.ASN1_STRING_length(value)))
    return AlternativeNames.hostnames(in: Array(bytes))
  }
}
