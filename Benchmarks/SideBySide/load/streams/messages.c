// What is sent, and sockets.
//
// Every connection sends the same random message again and again, but begins at an offset of its own within it, so
// that a server that mixes up connections, loses a byte or answers anything else is found out.
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SHIFTS = 251 };

static char *message;         // repeated, so that any part of it is contiguous
static uint64_t message_room; // bytes of it behind the largest offset

const char *message_of(long index) { return message + index % SHIFTS; }

void prepare_message(const struct options *options) {
  uint64_t size = (uint64_t)options->size;
  message_room = size * (uint64_t)(options->depth + 1);
  if (message_room < RECEIVE_SIZE + size) message_room = RECEIVE_SIZE + size;
  uint64_t length = message_room + SHIFTS;
  message = malloc(length);
  if (!message) fail("no memory for a message of %ld bytes", options->size);
  uint64_t state = 88172645463325252u;
  for (uint64_t i = 0; i < length; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    message[i] = i < size ? (char)state : message[i - size];
  }
}

uint64_t message_room_behind(uint64_t offset) { return message_room - offset; }

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

int connect_blocking(long port) {
  int socket = new_socket(0), one = 1;
  struct timeval limit = {.tv_sec = PATIENCE};
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (start_connecting(socket, port) != 0) fail("connect: %s", strerror(errno));
  return socket;
}

void watch(int epoll, int socket, uint32_t number) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = number};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}
