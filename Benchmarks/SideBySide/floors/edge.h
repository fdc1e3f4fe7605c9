// An echo server on edge-triggered epoll, all but its main: epoll.c does nothing else, busy.c has callbacks beside it.
//
// A message costs recv and send, and epoll_wait is shared by all that are ready. One buffer serves all connections, so
// it can be large: 1 MiB costs a quarter less in reads of 256 KiB than in reads of 64 KiB.
//
// What the system does not take is kept, and that connection is not read from until it has left: the event of a
// writable socket is asked for only then, once. A read that does not fill the buffer has emptied the socket, so no
// second one asks (edge-triggered: whatever comes later makes an event). An end that came together with the last bytes
// makes none: EPOLLRDHUP tells of it.
#pragma once

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
static const uint32_t WISHES = EPOLLIN | EPOLLRDHUP | EPOLLET;

// What a connection could not send yet; `bytes` is null for almost all of them.
static struct rest {
  char *bytes;
  size_t offset, length;
  bool watched;
} rests[MAXIMUM_DESCRIPTORS];

static char buffer[BUFFER];
static int epoll, listener;

static void end(int fd) {
  free(rests[fd].bytes);
  rests[fd] = (struct rest){0};
  close(fd);
}

static void keep(int fd, const char *bytes, size_t length) {
  struct rest *rest = &rests[fd];
  rest->bytes = malloc(length);
  if (!rest->bytes) abort();
  memcpy(rest->bytes, bytes, length);
  rest->offset = 0;
  rest->length = length;
  if (rest->watched) return;
  rest->watched = true;
  struct epoll_event event = {.events = WISHES | EPOLLOUT, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

// Sends what was kept. False while there is still some, or when the connection has failed and was ended.
static bool send_rest(int fd) {
  struct rest *rest = &rests[fd];
  while (rest->offset < rest->length) {
    ssize_t sent = send(fd, rest->bytes + rest->offset, rest->length - rest->offset, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) end(fd);
      return false;
    }
    rest->offset += (size_t)sent;
  }
  free(rest->bytes);
  rest->bytes = NULL;
  return true;
}

static void echo(int fd, bool ended) {
  // After a rest the event that told of an end may be long past: then all is read until nothing is left.
  if (rests[fd].bytes) {
    if (!send_rest(fd)) return;
    ended = true;
  }
  ssize_t got;
  do {
    got = recv(fd, buffer, BUFFER, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      end(fd);
      return;
    }
    ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      end(fd);
      return;
    }
    if (sent < 0) sent = 0;
    // Room may have come between the send and the wish for its event, which tells of it then.
    if (sent < got) {
      keep(fd, buffer + sent, (size_t)(got - sent));
      return;
    }
  } while (got == BUFFER || ended);
}

static void accept_all(void) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = WISHES, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

static void start_serving(int count, char **arguments) {
  listener = listen_on(count, arguments, SOCK_NONBLOCK);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
}

// One look at the system, for at most this many milliseconds, and all that is ready.
static void turn(int timeout) {
  struct epoll_event events[EVENTS];
  int ready = epoll_wait(epoll, events, EVENTS, timeout);
  for (int i = 0; i < ready; i++) {
    if (events[i].data.fd == listener) {
      accept_all();
    } else {
      echo(events[i].data.fd, events[i].events & EPOLLRDHUP);
    }
  }
}
