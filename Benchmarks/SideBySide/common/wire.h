// OpenSSL's way to a socket, for the floor and for the load: as its own, and it knows when the socket is empty.
//
// OpenSSL's own BIO for sockets asks the system until it says that nothing is there, which is a call for each message.
// Here a receive that brought less than was asked for has emptied the socket, and the next read is told so without a
// call: sockets are watched edge-triggered, so whatever comes later makes an event. The program calls `wire_woken` when
// an event has come. An end that came together with the last bytes makes no event of its own: then all is asked for
// until nothing is left.
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/socket.h>

struct wire {
  int fd;
  bool blocking; // while a connection is made
  bool drained;  // nothing is there until the next event
  bool ended;    // the peer sends no more
};

static inline void wire_woken(struct wire *wire, bool ended) {
  wire->drained = false;
  wire->ended |= ended;
}

static int wire_read(BIO *bio, char *out, size_t size, size_t *count) {
  struct wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *count = 0;
  if (!wire->drained) {
    ssize_t got = recv(wire->fd, out, size, 0);
    if (got > 0) {
      wire->drained = (size_t)got < size && !wire->ended && !wire->blocking;
      *count = (size_t)got;
      return 1;
    }
    if (got == 0 || (errno != EAGAIN && errno != ENOTCONN)) return 0;
    wire->drained = true;
  }
  BIO_set_retry_read(bio);
  return 0;
}

static int wire_write(BIO *bio, const char *in, size_t size, size_t *count) {
  struct wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *count = 0;
  ssize_t sent = send(wire->fd, in, size, MSG_NOSIGNAL);
  if (sent >= 0) {
    *count = (size_t)sent;
    return 1;
  }
  if (errno == EAGAIN || errno == ENOTCONN) BIO_set_retry_write(bio);
  return 0;
}

static long wire_control(BIO *bio, int command, long number, void *argument) {
  (void)bio, (void)number, (void)argument;
  return command == BIO_CTRL_FLUSH;
}

static int wire_create(BIO *bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// Gives a session the socket. The wire has to live as long as the session.
static inline void wire_attach(SSL *ssl, struct wire *wire) {
  static BIO_METHOD *method;
  if (!method) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    BIO_meth_set_read_ex(method, wire_read);
    BIO_meth_set_write_ex(method, wire_write);
    BIO_meth_set_ctrl(method, wire_control);
    BIO_meth_set_create(method, wire_create);
  }
  BIO *bio = BIO_new(method);
  BIO_set_data(bio, wire);
  SSL_set_bio(ssl, bio, bio);
}
