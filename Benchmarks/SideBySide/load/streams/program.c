// The arguments of a load generator: a mode, and numbers by name.
#define _GNU_SOURCE
#include "load.h"

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

static void parse(struct options *options, const char *argument) {
  struct { const char *name; long *value; } numbers[] = {
    {"port", &options->port}, {"pid", &options->pid}, {"connections", &options->connections},
    {"size", &options->size}, {"depth", &options->depth}, {"rate", &options->rate},
    {"messages", &options->messages}, {"active", &options->active}, {"resume", &options->resume},
    {"anyanswer", &options->anyanswer}};
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

int run_program(int count, char **arguments, const struct mode *modes) {
  struct options options = {.connections = 64, .size = 64, .depth = 1, .rate = 10000, .seconds = 0.5};
  if (count < 2) fail("usage: MODE name=value ...; the head of the program's own file in load/ names them");
  for (int i = 2; i < count; i++) parse(&options, arguments[i]);
  if (!options.port || options.port > 65535) fail("port=1 to 65535 is needed");
  if (!options.connections || !options.size || !options.depth || !options.rate)
    fail("connections, size, depth and rate are at least 1");
  if (options.active > options.connections) fail("active is at most connections");
  need_descriptors(options.connections);
  prepare_message(&options);
  for (; modes->name; modes++) {
    if (strcmp(modes->name, arguments[1]) == 0) {
      modes->run(&options);
      return 0;
    }
  }
  fail("there is no mode %s; the head of the program's own file in load/ names them", arguments[1]);
}
