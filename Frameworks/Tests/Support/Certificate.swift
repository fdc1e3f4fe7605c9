public import NIOSSL

/// A certificate for localhost and 127.0.0.1 that is its own authority, made for these tests.
public enum Certificate {
  /// The certificate, as PEM.
  public static let chain = """
    -----BEGIN CERTIFICATE-----
    MIIBmzCCAUGgAwIBAgIUfgiR+i4twcYgS9dDGwIzlAIkH40wCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDE5MjgwNVoYDzIxMjYxMTA2
    MTkyODA1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAARpR2hA3RcuFieiM7G9pjjc5kde0y0fMGunPDdmfJlPh6QFixoTCiTc
    6gQbN13+/uwIMJYENJWmSSj+hH7625l4o28wbTAdBgNVHQ4EFgQU3FGqqG/eCMDa
    9Rl8UZhJpX7VpqgwHwYDVR0jBBgwFoAU3FGqqG/eCMDa9Rl8UZhJpX7VpqgwGgYD
    VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
    zj0EAwIDSAAwRQIhAKegP02Ya2wDIDzRaYZBYpZuTRJEuEnFwwPVbOlUewRLAiA7
    J1CaTu9/Oh7QgqoKYiyPrePy4N2vwea1O8NzB703bg==
    -----END CERTIFICATE-----
    """
  /// Its key, as PEM.
  public static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgngjs/U7dFou5ed0a
    zrbKcKYipvr04xlZ27l3YGPEl7GhRANCAARpR2hA3RcuFieiM7G9pjjc5kde0y0f
    MGunPDdmfJlPh6QFixoTCiTc6gQbN13+/uwIMJYENJWmSSj+hH7625l4
    -----END PRIVATE KEY-----
    """

  /// Settings of a server that has it.
  public static func server() throws -> TLSConfiguration {
    .makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes([UInt8](chain.utf8)).map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: [UInt8](key.utf8), format: .pem)))
  }
}
