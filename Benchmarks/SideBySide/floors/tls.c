// The floor of TLS: an echo server of bare OpenSSL on edge-triggered epoll, one thread: `floor_tls CHAIN KEY PORT`.
//
// A message costs recv, SSL_read, SSL_write and send, as it would in a program that is written for nothing else.
// OpenSSL receives into its own buffer, decrypts in place and copies the message into the one buffer that all
// connections share; SSL_write encrypts from there into OpenSSL's buffer, which is sent at once. So nothing is copied
// that OpenSSL's interface does not ask for. With read_ahead a record is one recv instead of two, head and body; and
// after a recv that emptied the socket nobody asks again (common/wire.h).
//
// The settings are those of the servers that are compared to it, where they cost something:
//
// - SSL_MODE_RELEASE_BUFFERS: an idle connection holds neither of its two buffers of 17 KiB. They are allocated for
//   each record, which glibc does in some ten nanoseconds.
// - Session tickets, two of them after a full handshake and one after a resumed one, OpenSSL's default; no cache.
// - No renegotiation, no compression, the server's order of ciphers. The client offers one cipher and one group.
//
// What the system does not take stays in OpenSSL, which must be called again with the same bytes: so these are kept,
// and the connection is not read from until they have left.
#define _GNU_SOURCE
#include "../common/wire.h"
#include "listening.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER = 65536, EVENTS = 256, MAXIMUM_DESCRIPTORS = 1 << 20 };

// A connection, found by its number. `rest` is null for almost all of them.
static struct connection {
  SSL *ssl;
  struct wire wire;
  char *rest;
  size_t offset, length;
} connections[MAXIMUM_DESCRIPTORS];

static char buffer[BUFFER];
static int epoll, listener;
static SSL_CTX *context;

static void end(int fd) {
  struct connection *connection = &connections[fd];
  SSL_free(connection->ssl);
  free(connection->rest);
  *connection = (struct connection){0};
  close(fd);
  ERR_clear_error();
}

enum outcome { DONE, BLOCKED, FAILED };

static enum outcome outcome_of(SSL *ssl, int result) {
  int error = SSL_get_error(ssl, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? BLOCKED : FAILED;
}

// Writes from an offset on, as far as the system takes it.
static enum outcome write_from(SSL *ssl, const char *bytes, size_t *offset, size_t length) {
  while (*offset < length) {
    size_t written;
    int result = SSL_write_ex(ssl, bytes + *offset, length - *offset, &written);
    if (result != 1) return outcome_of(ssl, result);
    *offset += written;
  }
  return DONE;
}

static enum outcome write_or_keep(struct connection *connection, size_t length) {
  size_t offset = 0;
  enum outcome outcome = write_from(connection->ssl, buffer, &offset, length);
  if (outcome != BLOCKED) return outcome;
  connection->length = length - offset;
  connection->offset = 0;
  connection->rest = malloc(connection->length);
  if (!connection->rest) abort();
  memcpy(connection->rest, buffer + offset, connection->length);
  return BLOCKED;
}

static enum outcome write_rest(struct connection *connection) {
  if (!connection->rest) return DONE;
  enum outcome outcome = write_from(connection->ssl, connection->rest, &connection->offset, connection->length);
  if (outcome != DONE) return outcome;
  free(connection->rest);
  connection->rest = NULL;
  return DONE;
}

// The handshake is part of the first reads. A record at a time: that is what SSL_read gives.
static enum outcome echo(struct connection *connection) {
  enum outcome outcome = write_rest(connection);
  while (outcome == DONE) {
    size_t got;
    int result = SSL_read_ex(connection->ssl, buffer, BUFFER, &got);
    if (result != 1) return outcome_of(connection->ssl, result);
    outcome = write_or_keep(connection, got);
    if (connection->wire.drained && !SSL_has_pending(connection->ssl)) break;
  }
  return outcome;
}

static void accept_all(void) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = &connections[fd];
    *connection = (struct connection){.ssl = SSL_new(context), .wire.fd = fd};
    wire_attach(connection->ssl, &connection->wire);
    SSL_set_accept_state(connection->ssl);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

static SSL_CTX *make_context(const char *chain, const char *key) {
  SSL_CTX *result = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(result, TLS1_2_VERSION);
  SSL_CTX_set_mode(
    result, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(result, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(result, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(result, (const unsigned char *)"floor", 5);
  SSL_CTX_set_read_ahead(result, 1);
  if (SSL_CTX_use_certificate_chain_file(result, chain) == 1 &&
      SSL_CTX_use_PrivateKey_file(result, key, SSL_FILETYPE_PEM) == 1)
    return result;
  ERR_print_errors_fp(stderr);
  exit(1);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: %s CHAIN KEY PORT\n", arguments[0]);
    return 2;
  }
  context = make_context(arguments[1], arguments[2]);
  listener = listen_on(count, arguments, SOCK_NONBLOCK);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all();
        continue;
      }
      wire_woken(&connections[fd].wire, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
      if (echo(&connections[fd]) == FAILED) end(fd);
    }
  }
}
