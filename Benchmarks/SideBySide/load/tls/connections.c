// Connections over TLS: the same stream of bytes on each as tcp/plain.c has.
#include "protection.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char incoming[RECEIVE_SIZE];

static void block(struct connection *connection, bool blocking) {
  fcntl(connection->socket, F_SETFL, blocking ? 0 : O_NONBLOCK);
  connection->tls->wire.blocking = blocking;
  wire_woken(&connection->tls->wire, false);
}

static void begin(struct connection *connection, const struct options *options) {
  connection->socket = connect_blocking(options->port);
  connection->tls = malloc(sizeof *connection->tls);
  if (!connection->tls) fail("no memory for a connection");
  protect(connection->tls, connection->socket, false);
  block(connection, false);
  shake_hands(connection->tls);
}

static void say_hello(struct connection *connection, long index) {
  block(connection, true);
  if (!shake_hands(connection->tls)) fail("no end of a handshake within %d s", PATIENCE);
  if (send_protected(connection->tls, message_of(index), HELLO) != HELLO) fail("the first bytes did not leave");
}

static void take_echo(struct connection *connection, long index) {
  char answer[HELLO];
  for (size_t got = 0; got < HELLO;) {
    size_t count = receive_protected(connection->tls, answer + got, HELLO - got);
    if (!count) fail("no echo of the first bytes within %d s", PATIENCE);
    got += count;
  }
  if (memcmp(answer, message_of(index), HELLO) != 0) fail("the first bytes came back as others");
  block(connection, false);
}

// In batches: while the load begins the next handshake the server answers the last, and both cores are busy.
struct connection *establish(const struct options *options, long count) {
  struct connection *connections = calloc((size_t)count, sizeof *connections);
  if (!connections) fail("no memory for %ld connections", count);
  for (long first = 0; first < count; first += BATCH) {
    long end = first + BATCH < count ? first + BATCH : count;
    for (long i = first; i < end; i++) begin(&connections[i], options);
    for (long i = first; i < end; i++) say_hello(&connections[i], i);
    for (long i = first; i < end; i++) take_echo(&connections[i], i);
  }
  return connections;
}

// What OpenSSL could not send it wants to be given again: the same bytes, perhaps with more behind them.
void send_allowed(struct connection *connection, long index, long size) {
  const char *bytes = message_of(index);
  while (connection->sent < connection->allowed) {
    uint64_t offset = connection->sent % (uint64_t)size, length = connection->allowed - connection->sent;
    if (length > message_room_behind(offset)) length = message_room_behind(offset);
    size_t sent = send_protected(connection->tls, bytes + offset, length);
    if (!sent) return;
    connection->sent += sent;
  }
}

uint64_t receive_all(struct connection *connection, long index, long size) {
  const char *bytes = message_of(index);
  uint64_t before = connection->received;
  wire_woken(&connection->tls->wire, false);
  do {
    size_t got = receive_protected(connection->tls, incoming, RECEIVE_SIZE);
    if (!got) break;
    uint64_t offset = connection->received % (uint64_t)size;
    if (connection->received + got > connection->sent) fail("the server answered more than it was sent");
    if (memcmp(incoming, bytes + offset, got) != 0) fail("bytes came back as others");
    connection->received += got;
  } while (!is_drained(connection->tls));
  return connection->received - before;
}
