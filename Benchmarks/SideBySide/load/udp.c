// `load_udp PORT N CORE`: N/10 and then N round trips of 64 bytes from one connected UDP socket, one at a time.
// Prints the wall time of the last N and percentiles of a round trip.
//
// A server that loses a datagram ends the measurement: on the loopback nothing is lost that was not dropped on purpose.

#define _GNU_SOURCE
#include "../common/micro.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { SIZE = 64 };

static int connected_socket(int port) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct timeval patience = {5, 0};
  require(setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0, "setsockopt");
  require(connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  return descriptor;
}

static uint64_t round_trip(int descriptor) {
  char bytes[SIZE] = "ping", answer[2 * SIZE];
  uint64_t start = nanoseconds(CLOCK_MONOTONIC);
  require(send(descriptor, bytes, SIZE, 0) == SIZE, "send");
  require(recv(descriptor, answer, sizeof answer, 0) == SIZE, "receive");
  return nanoseconds(CLOCK_MONOTONIC) - start;
}

static int by_size(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

int main(int count, char **arguments) {
  long n = count == 4 ? atol(arguments[2]) : 0;
  if (n <= 0) {
    fprintf(stderr, "usage: load_udp PORT N CORE\n");
    return STATUS_USAGE;
  }
  pin_to(atoi(arguments[3]));
  int descriptor = connected_socket(atoi(arguments[1]));
  uint64_t *times = calloc((size_t)n, sizeof *times);
  require(times != NULL, "memory for the times");
  for (long i = 0; i < n / 10; i++) round_trip(descriptor);
  uint64_t start = nanoseconds(CLOCK_MONOTONIC);
  for (long i = 0; i < n; i++) times[i] = round_trip(descriptor);
  uint64_t wall = nanoseconds(CLOCK_MONOTONIC) - start;
  qsort(times, (size_t)n, sizeof *times, by_size);
  printf("{\"ops\":%ld,\"wall_ns\":%llu,\"p50_ns\":%llu,\"p99_ns\":%llu}\n", n, (unsigned long long)wall,
         (unsigned long long)times[n / 2], (unsigned long long)times[n * 99 / 100]);
  return 0;
}
