// The client's side of TLS: what it offers, and OpenSSL's calls with their failures.
//
// Certificates are not verified against an authority: that is the client's work, and would only make the load slower.
// That the server has the key of its certificate is checked by OpenSSL in any case.
#include "protection.h"

#include <openssl/err.h>
#include <stdio.h>

static const char CIPHER[] = "TLS_AES_256_GCM_SHA384", GROUP[] = "X25519";

static SSL_CTX *context(void) {
  static SSL_CTX *made;
  if (made) return made;
  made = SSL_CTX_new(TLS_client_method());
  if (!made || !SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION) || !SSL_CTX_set_ciphersuites(made, CIPHER) ||
      !SSL_CTX_set1_groups_list(made, GROUP))
    fail("OpenSSL does not offer TLS 1.3 with %s and %s", CIPHER, GROUP);
  SSL_CTX_set_mode(
    made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(made, 1);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  return made;
}

static int keep(SSL *ssl, SSL_SESSION *session) {
  SSL_SESSION **place = SSL_get_app_data(ssl);
  if (!place) return 0;
  SSL_SESSION_free(*place);
  *place = session;
  return 1;
}

void keep_sessions(void) {
  SSL_CTX_set_session_cache_mode(context(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context(), keep);
}

void protect(struct secret *secret, int socket, bool blocking) {
  *secret = (struct secret){.ssl = SSL_new(context()), .wire = {.fd = socket, .blocking = blocking}};
  if (!secret->ssl) fail("no memory for a session of OpenSSL");
  wire_attach(secret->ssl, &secret->wire);
  SSL_set_connect_state(secret->ssl);
}

// Ends the program unless the session waits for its socket.
static void wait_or_fail(SSL *ssl, int result, const char *what) {
  int error = SSL_get_error(ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  if (error == SSL_ERROR_ZERO_RETURN) fail("%s: the server said goodbye", what);
  unsigned long reason = ERR_peek_error();
  fail("%s: %s", what, reason ? ERR_reason_error_string(reason) : "the server closed a connection");
}

static void announce(SSL *ssl) {
  static bool said;
  if (said) return;
  said = true;
  EVP_PKEY *key = SSL_get0_peer_certificate(ssl) ? X509_get0_pubkey(SSL_get0_peer_certificate(ssl)) : NULL;
  fprintf(stderr, "%s, %s, %s, key of the certificate: %s, %d bits\n", SSL_get_version(ssl), SSL_get_cipher_name(ssl),
          GROUP, key ? EVP_PKEY_get0_type_name(key) : "none", key ? EVP_PKEY_get_bits(key) : 0);
}

bool shake_hands(struct secret *secret) {
  int result = SSL_do_handshake(secret->ssl);
  if (result == 1) {
    announce(secret->ssl);
    return true;
  }
  wait_or_fail(secret->ssl, result, "handshake");
  return false;
}

size_t send_protected(struct secret *secret, const char *bytes, size_t length) {
  size_t count;
  int result = SSL_write_ex(secret->ssl, bytes, length, &count);
  if (result == 1) return count;
  wait_or_fail(secret->ssl, result, "send");
  return 0;
}

size_t receive_protected(struct secret *secret, char *bytes, size_t length) {
  size_t count;
  int result = SSL_read_ex(secret->ssl, bytes, length, &count);
  if (result == 1) return count;
  wait_or_fail(secret->ssl, result, "receive");
  return 0;
}

bool is_drained(const struct secret *secret) { return secret->wire.drained && !SSL_has_pending(secret->ssl); }
