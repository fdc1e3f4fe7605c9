// Open loop: messages leave at a fixed rate, each at its time, whether or not those before it came back.
//
// This is how clients who do not know of each other behave. A latency counts from the time at which its message was
// due, even if the load itself was late or the connection was full: what a stalled server keeps waiting is not hidden.
// The load never sleeps; it has a core of its own.
#define _GNU_SOURCE
#include "modes.h"

#include <sys/epoll.h>

enum { EVENTS = 512 };
static const uint64_t PATIENCE_NS = 2000000000u;

struct schedule {
  uint64_t start, rate, connections, total;
};

// Message number n belongs to connection n % connections.
static uint64_t due(const struct schedule *schedule, uint64_t number) {
  return schedule->start + (uint64_t)((double)number * 1e9 / (double)schedule->rate);
}

static void count(const struct schedule *schedule, const struct window *window, uint64_t number, uint64_t now) {
  uint64_t at = due(schedule, number);
  if (at >= window->opens) histogram_add(now > at ? now - at : 0);
}

void run_open(const struct options *options) {
  uint64_t size = (uint64_t)options->size;
  struct connection *connections = establish(options, options->connections);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (long i = 0; i < options->connections; i++) watch(epoll, connections[i].socket, (uint32_t)i);
  find_server(options->pid);

  struct epoll_event events[EVENTS];
  struct window window = plan_window(options->seconds);
  struct schedule schedule = {
    .start = now_ns(), .rate = (uint64_t)options->rate, .connections = (uint64_t)options->connections,
    .total = (uint64_t)(options->seconds * (double)options->rate)};
  struct result result = {.memory = -1};
  uint64_t sent = 0, done = 0, counted = 0, now;
  while (done < schedule.total) {
    now = now_ns();
    if (window_opens(&window, now)) counted = 0;
    if (now >= window.closes && !result.wall_ns) {
      result = (struct result){
        .operations = (double)counted, .wall_ns = now - window.opened,
        .cpu_ns = server_cpu_ns() - window.cpu_at_opening, .memory = -1};
    }
    if (now > window.closes + PATIENCE_NS) break;
    for (; sent < schedule.total && due(&schedule, sent) <= now; sent++) {
      uint64_t index = sent % schedule.connections;
      connections[index].allowed += size;
      send_allowed(&connections[index], (long)index, options->size);
    }
    int ready = epoll_wait(epoll, events, EVENTS, 0);
    for (int i = 0; i < ready; i++) {
      uint32_t index = events[i].data.u32;
      struct connection *connection = &connections[index];
      uint64_t number = connection->received / size;
      receive_all(connection, index, options->size);
      send_allowed(connection, index, options->size);
      now = now_ns();
      for (; number < connection->received / size; number++, done++, counted++)
        count(&schedule, &window, number * schedule.connections + index, now);
    }
  }
  // What did not come back has waited for at least as long as this.
  now = now_ns();
  for (uint64_t index = 0; index < schedule.connections; index++) {
    for (uint64_t number = connections[index].received / size; number < connections[index].allowed / size; number++)
      count(&schedule, &window, number * schedule.connections + index, now);
  }
  if (!result.wall_ns) {
    result.operations = (double)counted;
    result.wall_ns = now - window.opened;
    result.cpu_ns = server_cpu_ns() - window.cpu_at_opening;
  }
  print_result(&result);
  for (uint64_t i = 0; i < schedule.connections; i++) reset(connections[i].socket);
}
