// The load generator for TCP servers that echo. One thread; the caller gives it a core of its own.
//
//   load_tcp echo  port=P connections=C size=S seconds=T   closed loop; depth=D messages on their way on each
//   load_tcp echo  port=P ... messages=N                   that many messages on each connection, all of them counted
//   load_tcp open  port=P ... rate=R                       open loop, R messages a second over all connections
//   load_tcp churn port=P connections=C size=S             connect, exchange, reset
//   load_tcp idle  port=P connections=K active=A           K connections that echoed once, then A of them echo
//
// With pid=N, the server's process, it measures the server's CPU time and memory. It prints one line of JSON: ops,
// wall_ns, cpu_ns, percentiles of latency; {"error": ...} and status 1 if anything is wrong, even if a byte that comes
// back differs. The first fifth of a slice is not counted.
#define _GNU_SOURCE
#include "tcp/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void need_descriptors(long count) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if ((rlim_t)count + 16 > limit.rlim_cur)
    fail("%ld connections need more than the %lu descriptors that a process may have (ulimit -Hn)", count,
         (unsigned long)limit.rlim_cur);
}

static void run_echo(const struct options *options) {
  struct connection *connections = establish(options, options->connections);
  find_server(options->pid);
  run_closed(options, connections, options->connections, -1);
  for (long i = 0; i < options->connections; i++) reset(connections[i].socket);
}

static void parse(struct options *options, const char *argument) {
  struct { const char *name; long *value; } numbers[] = {
    {"port", &options->port}, {"pid", &options->pid}, {"connections", &options->connections},
    {"size", &options->size}, {"depth", &options->depth}, {"rate", &options->rate},
    {"messages", &options->messages}, {"active", &options->active}};
  const char *equals = strchr(argument, '=');
  if (!equals || !equals[1]) fail("%s is not name=value", argument);
  size_t length = (size_t)(equals - argument);
  char *end;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (strlen(numbers[i].name) != length || strncmp(numbers[i].name, argument, length) != 0) continue;
    *numbers[i].value = strtol(equals + 1, &end, 10);
    if (*end || *numbers[i].value < 0) fail("%s: a number of 0 or more is expected", argument);
    return;
  }
  if (strncmp(argument, "seconds=", 8) != 0) fail("%s: there is no such argument", argument);
  options->seconds = strtod(equals + 1, &end);
  if (*end || !(options->seconds > 0)) fail("%s: a number above 0 is expected", argument);
}

int main(int count, char **arguments) {
  struct { const char *name; void (*run)(const struct options *); } modes[] = {
    {"echo", run_echo}, {"open", run_open}, {"churn", run_churn}, {"idle", run_idle}};
  struct options options = {.connections = 64, .size = 64, .depth = 1, .rate = 10000, .seconds = 0.5};
  if (count < 2) fail("usage: load_tcp MODE name=value ...; the head of load/tcp.c names them");
  for (int i = 2; i < count; i++) parse(&options, arguments[i]);
  if (!options.port || options.port > 65535) fail("port=1 to 65535 is needed");
  if (!options.connections || !options.size || !options.depth || !options.rate)
    fail("connections, size, depth and rate are at least 1");
  if (options.active > options.connections) fail("active is at most connections");
  need_descriptors(options.connections);
  prepare_message(&options);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(modes[i].name, arguments[1]) == 0) {
      modes[i].run(&options);
      return 0;
    }
  }
  fail("there is no mode %s; there are echo, open, churn and idle", arguments[1]);
}
