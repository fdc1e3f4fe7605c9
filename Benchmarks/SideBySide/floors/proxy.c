// The floor of a proxy: `floor_proxy BACKEND_PORT PORT`, edge-triggered epoll, one thread, one buffer for all.
//
// Bytes that one side does not take are kept, and the other side is not read from until they have left. An end of one
// side is passed on when all its bytes were; an error of one side resets both. It copies through user space, as most
// proxies do (splice would need a pipe for each direction).
#define _GNU_SOURCE
#include "listening.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER = 262144, EVENTS = 256, MAXIMUM_DESCRIPTORS = 1 << 20 };

// A socket, found by its number. `rest` are bytes from its peer that it did not take yet.
static struct side {
  int peer;
  char *rest;
  size_t offset, length;
  bool open, ended;
} sides[MAXIMUM_DESCRIPTORS];

static char buffer[BUFFER];
static int epoll;

static void close_side(int fd, bool reset) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  free(sides[fd].rest);
  sides[fd] = (struct side){0};
  close(fd);
}

static void close_both(int fd, bool reset) {
  close_side(sides[fd].peer, reset);
  close_side(fd, reset);
}

enum outcome { DONE, BLOCKED, FAILED };

static enum outcome send_rest(int fd) {
  struct side *side = &sides[fd];
  while (side->offset < side->length) {
    ssize_t sent = send(fd, side->rest + side->offset, side->length - side->offset, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? BLOCKED : FAILED;
    side->offset += (size_t)sent;
  }
  free(side->rest);
  side->rest = NULL;
  return DONE;
}

// What fits leaves; the rest is kept. A socket that is still connecting takes nothing.
static enum outcome send_or_keep(int fd, size_t length) {
  ssize_t sent = send(fd, buffer, length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return FAILED;
  if (sent < 0) sent = 0;
  if ((size_t)sent == length) return DONE;
  struct side *side = &sides[fd];
  side->length = length - (size_t)sent;
  side->offset = 0;
  side->rest = malloc(side->length);
  if (!side->rest) abort();
  memcpy(side->rest, buffer + sent, side->length);
  return BLOCKED;
}

// Moves what `from` has to its peer. Gives FAILED when both are to be reset.
static enum outcome move(int from, bool to_the_end) {
  int to = sides[from].peer;
  if (sides[to].rest) {
    enum outcome outcome = send_rest(to);
    if (outcome != DONE) return outcome;
    to_the_end = true;
  }
  ssize_t got;
  do {
    if (sides[from].ended) return DONE;
    got = recv(from, buffer, BUFFER, 0);
    if (got < 0) return errno == EAGAIN ? DONE : FAILED;
    if (got == 0) {
      sides[from].ended = true;
      return shutdown(to, SHUT_WR) == 0 ? DONE : FAILED;
    }
    enum outcome outcome = send_or_keep(to, (size_t)got);
    if (outcome != DONE) return outcome;
  } while (got == BUFFER || to_the_end);
  return DONE;
}

static void handle(int fd, uint32_t events) {
  // The side may have been closed by an event of this turn that came before.
  if (!sides[fd].open) return;
  int peer = sides[fd].peer;
  bool failed = events & EPOLLERR || move(fd, events & EPOLLRDHUP) == FAILED ||
                (sides[fd].rest && move(peer, true) == FAILED);
  if (failed || (sides[fd].ended && sides[peer].ended)) close_both(fd, failed);
}

static void add(int fd, int peer) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sides[fd] = (struct side){.peer = peer, .open = true};
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int listener, int backend_port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)backend_port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int client;
  while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    int backend = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (backend < 0) {
      close(client);
      continue;
    }
    add(client, backend);
    add(backend, client);
    if (connect(backend, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
      close_both(client, true);
  }
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: %s BACKEND_PORT PORT\n", arguments[0]);
    return 2;
  }
  int listener = listen_on(count, arguments, SOCK_NONBLOCK), backend_port = atoi(arguments[1]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == listener) {
        accept_all(listener, backend_port);
      } else {
        handle(events[i].data.fd, events[i].events);
      }
    }
  }
}
