// Churn: connect, exchange one message, reset; a given number of connections at a time, without a pause.
//
// The reset (SO_LINGER 0) keeps the client's ports out of TIME_WAIT: some 28,000 of them would be used up within a
// second. The server sees the reset as an end of the connection.
#define _GNU_SOURCE
#include "modes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { EVENTS = 256, LARGEST = 65536 };

struct slot {
  int socket;
  long sent, received;
  uint64_t began;
};

// Sends what is left; a socket that is still connecting takes nothing, and its event comes when it is connected.
static void send_rest(const struct options *options, struct slot *slot, long index) {
  while (slot->sent < options->size) {
    ssize_t length = send(slot->socket, message_of(index) + slot->sent, (size_t)(options->size - slot->sent),
                          MSG_NOSIGNAL);
    if (length < 0) {
      if (errno == EAGAIN || errno == ENOTCONN) return;
      fail("send: %s", strerror(errno));
    }
    slot->sent += length;
  }
}

static void begin(const struct options *options, int epoll, struct slot *slot, long index) {
  *slot = (struct slot){.socket = new_socket(SOCK_NONBLOCK), .began = now_ns()};
  if (start_connecting(slot->socket, options->port) != 0 && errno != EINPROGRESS)
    fail("connect: %s", strerror(errno));
  // On the loopback the connection is there by now, as a rule.
  send_rest(options, slot, index);
  watch(epoll, slot->socket, (uint32_t)index);
}

// True when the whole answer is there.
static bool receive(const struct options *options, struct slot *slot, long index) {
  static char answer[LARGEST];
  while (slot->received < options->size) {
    ssize_t length = recv(slot->socket, answer, (size_t)(options->size - slot->received), 0);
    if (length < 0 && errno == EAGAIN) return false;
    if (length <= 0) fail("the server closed a connection: %s", length ? strerror(errno) : "end of stream");
    if (memcmp(answer, message_of(index) + slot->received, (size_t)length) != 0) fail("bytes came back as others");
    slot->received += length;
  }
  return true;
}

void run_churn(const struct options *options) {
  if (options->size > LARGEST) fail("churn takes messages up to %d bytes", LARGEST);
  struct slot *slots = calloc((size_t)options->connections, sizeof *slots);
  struct epoll_event events[EVENTS];
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  uint64_t done = 0, now;
  find_server(options->pid);
  struct window window = plan_window(options->seconds);
  for (long i = 0; i < options->connections; i++) begin(options, epoll, &slots[i], i);
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    now = now_ns();
    if (window_opens(&window, now)) done = 0;
    if (now >= window.closes) break;
    for (int i = 0; i < ready; i++) {
      uint32_t index = events[i].data.u32;
      struct slot *slot = &slots[index];
      send_rest(options, slot, index);
      if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !receive(options, slot, index)) continue;
      histogram_add(now_ns() - slot->began);
      done++;
      reset(slot->socket);
      begin(options, epoll, slot, index);
    }
  }
  print_result(&(struct result){
    .operations = (double)done, .wall_ns = now_ns() - window.opened,
    .cpu_ns = server_cpu_ns() - window.cpu_at_opening, .memory = -1});
  for (long i = 0; i < options->connections; i++) reset(slots[i].socket);
}
