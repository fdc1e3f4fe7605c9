// Idle connections: how many resident bytes each one adds, and what one costs that works among them.
//
// The server is warmed first: its first messages touch code, buffers and pools that no further connection adds.
#define _GNU_SOURCE
#include "load.h"

#include <unistd.h>

enum { WARMING_MESSAGES = 5000, SETTLING_US = 300000 };

static void warm(const struct options *options) {
  struct connection *one = establish(options, 1);
  for (int i = 0; i < WARMING_MESSAGES; i++) {
    one->allowed += (uint64_t)options->size;
    send_allowed(one, 0, options->size);
    while (one->received < one->allowed) receive_all(one, 0, options->size);
  }
  reset(one->socket);
  usleep(SETTLING_US);
}

void run_idle(const struct options *options) {
  find_server(options->pid);
  warm(options);
  uint64_t before = server_memory(), cpu = server_cpu_ns(), start = now_ns();
  struct connection *connections = establish(options, options->connections);
  uint64_t wall = now_ns() - start;
  usleep(SETTLING_US);
  uint64_t after = server_memory();
  double memory = ((double)after - (double)before) / (double)options->connections;
  if (memory < 0) memory = 0;
  if (options->active) {
    run_closed(options, connections, options->active, memory);
  } else {
    print_result(&(struct result){
      .operations = (double)options->connections, .wall_ns = wall, .cpu_ns = server_cpu_ns() - cpu, .memory = memory});
  }
  for (long i = 0; i < options->connections; i++) reset(connections[i].socket);
}
