extension StreamListener {
  /// Begin the handshake of an accepted connection. One that cannot begin is closed: it must not go on without.
  func protect(_ connection: StreamConnection, _ tls: TLSProtection) {
    do throws(TLSError) {
      try connection.beginTLS(tls)
    } catch {
      connection.abort()
      core.callExceptionHandler(
        ExceptionContext(message: "TLS could not begin on an accepted connection; it is closed", exception: error))
    }
  }
}
