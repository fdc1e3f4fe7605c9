// Connections without protection: the stream of bytes on each.
//
// Sockets are nonblocking and edge-triggered: sending and receiving take turns, so that a message larger than all
// buffers between the two ends cannot make both of them wait for each other.
#define _GNU_SOURCE
#include "../streams/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char incoming[RECEIVE_SIZE];

// In batches: a server whose queue of unaccepted connections overflows costs a second for each that it dropped.
struct connection *establish(const struct options *options, long count) {
  struct connection *connections = calloc((size_t)count, sizeof *connections);
  if (!connections) fail("no memory for %ld connections", count);
  char answer[HELLO];
  for (long first = 0; first < count; first += BATCH) {
    long end = first + BATCH < count ? first + BATCH : count;
    for (long i = first; i < end; i++) {
      connections[i].socket = connect_blocking(options->port);
      if (send(connections[i].socket, message_of(i), HELLO, MSG_NOSIGNAL) != HELLO) fail("send: %s", strerror(errno));
    }
    for (long i = first; i < end; i++) {
      ssize_t got = recv(connections[i].socket, answer, HELLO, MSG_WAITALL);
      if (got < 0 && errno == EAGAIN) fail("no echo of the first bytes within %d s", PATIENCE);
      if (got != HELLO) fail("no echo of the first bytes: %s", got < 0 ? strerror(errno) : "the server closed");
      if (memcmp(answer, message_of(i), HELLO) != 0) fail("the first bytes came back as others");
      fcntl(connections[i].socket, F_SETFL, O_NONBLOCK);
    }
  }
  return connections;
}

void send_allowed(struct connection *connection, long index, long size) {
  const char *bytes = message_of(index);
  while (connection->sent < connection->allowed) {
    uint64_t offset = connection->sent % (uint64_t)size, length = connection->allowed - connection->sent;
    if (length > message_room_behind(offset)) length = message_room_behind(offset);
    ssize_t sent = send(connection->socket, bytes + offset, length, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return;
      fail("send: %s", strerror(errno));
    }
    connection->sent += (uint64_t)sent;
  }
}

uint64_t receive_all(struct connection *connection, long index, long size) {
  const char *bytes = message_of(index);
  uint64_t before = connection->received;
  for (;;) {
    ssize_t got = recv(connection->socket, incoming, RECEIVE_SIZE, 0);
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) fail("the server closed a connection: %s", got ? strerror(errno) : "end of stream");
    uint64_t offset = connection->received % (uint64_t)size;
    if (connection->received + (uint64_t)got > connection->sent) fail("the server answered more than it was sent");
    if (memcmp(incoming, bytes + offset, (size_t)got) != 0) fail("bytes came back as others");
    connection->received += (uint64_t)got;
    // Less than asked for: there is no more, or another event comes.
    if (got < RECEIVE_SIZE) break;
  }
  return connection->received - before;
}
