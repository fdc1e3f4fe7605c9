// `load_start PORT N COMMAND ...`: starts an echo server N times, each time on the next port, which becomes its last
// argument, and measures the time from the start to the first byte that comes back. Prints the median.
//
// The server is started on the loop's core, this program asks from the other one, every 50 microseconds. That is part
// of what is measured, for all alike.

#define _GNU_SOURCE
#include "../common/micro.h"

#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ASK_EVERY_US = 50, ARGUMENTS = 32 };
static const uint64_t PATIENCE = 10ull * 1000000000;

// True if a byte came back.
static bool echoes(int port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool isUp = connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0;
  if (isUp) {
    char byte = 'x';
    require(write(descriptor, &byte, 1) == 1 && read(descriptor, &byte, 1) == 1, "echo");
  }
  close(descriptor);
  return isUp;
}

static uint64_t start_once(char **command, int port) {
  uint64_t start = nanoseconds(CLOCK_MONOTONIC);
  // The child begins on the core on which it was started.
  pin_to(LOOP_CORE);
  pid_t server;
  require(posix_spawnp(&server, command[0], NULL, NULL, command, environ) == 0, command[0]);
  pin_to(OTHER_CORE);
  uint64_t took = 0;
  while (!echoes(port)) {
    took = nanoseconds(CLOCK_MONOTONIC) - start;
    if (took > PATIENCE || waitpid(server, NULL, WNOHANG) != 0) {
      fprintf(stderr, "%s: no answer on port %d\n", command[0], port);
      kill(server, SIGKILL);
      exit(1);
    }
    usleep(ASK_EVERY_US);
  }
  took = nanoseconds(CLOCK_MONOTONIC) - start;
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  return took;
}

static int by_size(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

int main(int count, char **arguments) {
  int port = count >= 4 ? atoi(arguments[1]) : 0, n = count >= 4 ? atoi(arguments[2]) : 0;
  if (port <= 0 || n <= 0 || count - 3 > ARGUMENTS) {
    fprintf(stderr, "usage: load_start PORT N COMMAND ...\n");
    return STATUS_USAGE;
  }
  char text[16], *command[ARGUMENTS + 2] = {NULL};
  for (int i = 3; i < count; i++) command[i - 3] = arguments[i];
  command[count - 3] = text;
  uint64_t *times = calloc((size_t)n, sizeof *times);
  require(times != NULL, "memory for the times");
  for (int i = 0; i < n; i++) {
    snprintf(text, sizeof text, "%d", port + i);
    times[i] = start_once(command, port + i);
  }
  qsort(times, (size_t)n, sizeof *times, by_size);
  printf("{\"ops\":1,\"wall_ns\":%llu}\n", (unsigned long long)times[n / 2]);
  return 0;
}
