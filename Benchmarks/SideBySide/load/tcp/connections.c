// Connections, and the stream of bytes on each.
//
// Every connection sends the same random message again and again, but begins at an offset of its own within it, so
// that a server that mixes up connections, loses a byte or answers anything else is found out. Sockets are nonblocking
// and edge-triggered: sending and receiving take turns, so that a message larger than all buffers between the two ends
// cannot make both of them wait for each other.
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SHIFTS = 251, HELLO = 64, BATCH = 128, PATIENCE = 20, RECEIVE_SIZE = 256 * 1024 };

static char *message;         // repeated, so that any part of it is contiguous
static uint64_t message_room; // bytes of it behind the largest offset
static char *incoming;

const char *message_of(long index) { return message + index % SHIFTS; }

void prepare_message(const struct options *options) {
  uint64_t size = (uint64_t)options->size;
  message_room = size * (uint64_t)(options->depth + 1);
  if (message_room < RECEIVE_SIZE + size) message_room = RECEIVE_SIZE + size;
  uint64_t length = message_room + SHIFTS;
  message = malloc(length);
  incoming = malloc(RECEIVE_SIZE);
  if (!message || !incoming) fail("no memory for a message of %ld bytes", options->size);
  uint64_t state = 88172645463325252u;
  for (uint64_t i = 0; i < length; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    message[i] = i < size ? (char)state : message[i - size];
  }
}

int new_socket(int flags) {
  int result = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (result < 0) fail("socket: %s", strerror(errno));
  return result;
}

int start_connecting(int socket, long port) {
  struct sockaddr_in address = {
    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return connect(socket, (struct sockaddr *)&address, sizeof address);
}

void reset(int socket) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(socket);
}

static int connect_blocking(long port) {
  int socket = new_socket(0), one = 1;
  struct timeval limit = {.tv_sec = PATIENCE};
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (start_connecting(socket, port) != 0) fail("connect: %s", strerror(errno));
  return socket;
}

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

void watch(int epoll, int socket, uint32_t number) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = number};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

void send_allowed(struct connection *connection, long index, long size) {
  const char *bytes = message_of(index);
  while (connection->sent < connection->allowed) {
    uint64_t offset = connection->sent % (uint64_t)size, length = connection->allowed - connection->sent;
    if (length > message_room - offset) length = message_room - offset;
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
