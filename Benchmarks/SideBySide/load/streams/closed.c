// Closed loop: each connection has `depth` messages on their way and sends the next one when one came back.
//
// It shows what a message costs a server that is busy all the time. It says nothing about latency under a given load:
// a server that stalls is sent nothing meanwhile (open.c). A message counts by its bytes, so that few large ones in a
// short window are not rounded to whole messages; its latency counts from its first byte out to its last byte in.
#define _GNU_SOURCE
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512 };

// A message may leave whenever fewer than `depth` are on their way, and no more than `messages` if those are limited.
static void allow(const struct options *options, struct connection *connection, uint64_t now) {
  uint64_t size = (uint64_t)options->size, depth = (uint64_t)options->depth;
  uint64_t target = connection->received / size + depth, limit = (uint64_t)options->messages;
  if (limit && target > limit) target = limit;
  for (uint64_t number = connection->allowed / size; number < target; number++) connection->times[number % depth] = now;
  connection->allowed = target * size;
}

static void answer(const struct options *options, struct connection *connection, long index, uint64_t *bytes) {
  uint64_t size = (uint64_t)options->size, depth = (uint64_t)options->depth;
  uint64_t done = connection->received / size, now;
  *bytes += receive_all(connection, index, options->size);
  if (connection->received / size > done) {
    now = now_ns();
    for (; done < connection->received / size; done++) histogram_add(now - connection->times[done % depth]);
    allow(options, connection, now);
  }
  send_allowed(connection, index, options->size);
}

void run_closed(const struct options *options, struct connection *connections, long count, double memory) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event events[EVENTS];
  uint64_t bytes = 0, goal = (uint64_t)(options->messages * options->size * count);
  for (long i = 0; i < count; i++) {
    connections[i].times = calloc((size_t)options->depth, sizeof(uint64_t));
    watch(epoll, connections[i].socket, (uint32_t)i);
  }

  struct window window = {0};
  // A count has no warming up: all of it counts.
  if (goal) window_opens(&window, now_ns());
  for (long i = 0; i < count; i++) {
    allow(options, &connections[i], now_ns());
    send_allowed(&connections[i], i, options->size);
  }
  // The first messages may take longer than the slice, if they are large and many.
  if (!goal) window = plan_window(options->seconds);
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    uint64_t now = now_ns();
    if (window_opens(&window, now)) bytes = 0;
    if (goal ? bytes == goal : now >= window.closes) break;
    for (int i = 0; i < ready; i++) {
      uint32_t index = events[i].data.u32;
      answer(options, &connections[index], index, &bytes);
    }
    if (goal && now > window.opened + 60000000000u) fail("the messages did not come back within 60 s");
  }
  print_result(&(struct result){
    .operations = (double)bytes / (double)options->size,
    .wall_ns = now_ns() - window.opened,
    .cpu_ns = server_cpu_ns() - window.cpu_at_opening,
    .memory = memory,
  });
  close(epoll);
}

void run_echo(const struct options *options) {
  struct connection *connections = establish(options, options->connections);
  find_server(options->pid);
  run_closed(options, connections, options->connections, -1);
  for (long i = 0; i < options->connections; i++) reset(connections[i].socket);
}
