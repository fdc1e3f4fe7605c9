// Clock, the server's CPU time and memory, percentiles, the result.
//
// CPU time comes from the server's process clock (clock_getcpuclockid): nanoseconds, all threads, those that ended too,
// and up to the moment of the call. The files in /proc count whole ticks of 10 ms, or end at the last context switch.
#define _GNU_SOURCE
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("{\"error\": \"");
  vprintf(format, arguments);
  printf("\"}\n");
  va_end(arguments);
  exit(1);
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

// --- the server

enum { MAXIMUM_PROCESSES = 20000 };
static clockid_t server_clocks[MAXIMUM_PROCESSES];
static int server_processes;
static long server_pid;

static void add_process(long pid) {
  if (server_processes == MAXIMUM_PROCESSES) return;
  if (clock_getcpuclockid((pid_t)pid, &server_clocks[server_processes]) == 0) server_processes++;
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
  FILE *children = fopen(path, "r");
  if (!children) return;
  long child;
  while (fscanf(children, "%ld", &child) == 1) add_process(child);
  fclose(children);
}

void find_server(long pid) {
  server_processes = 0;
  server_pid = pid;
  if (pid) add_process(pid);
}

uint64_t server_cpu_ns(void) {
  uint64_t sum = 0;
  for (int i = 0; i < server_processes; i++) sum += read_clock(server_clocks[i]);
  return sum;
}

uint64_t server_memory(void) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", server_pid);
  FILE *file = fopen(path, "r");
  unsigned long kibibytes = 0;
  if (!file) return 0;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "Rss: %lu", &kibibytes) == 1) break;
  }
  fclose(file);
  return (uint64_t)kibibytes * 1024;
}

// --- percentiles: 64 buckets for each power of two

enum { FINENESS = 6, BUCKETS = (64 - FINENESS + 1) << FINENESS };
static uint64_t buckets[BUCKETS], samples, largest;

static int bucket_of(uint64_t ns) {
  if (ns < 1u << FINENESS) return (int)ns;
  int power = 63 - __builtin_clzll(ns);
  return ((power - FINENESS + 1) << FINENESS) + (int)((ns >> (power - FINENESS)) & ((1u << FINENESS) - 1));
}

static uint64_t middle_of(int bucket) {
  if (bucket < 1 << FINENESS) return (uint64_t)bucket;
  int shift = (bucket >> FINENESS) - 1;
  uint64_t low = ((uint64_t)(1 << FINENESS) + (bucket & ((1 << FINENESS) - 1))) << shift;
  return low + ((uint64_t)1 << shift) / 2;
}

void histogram_clear(void) {
  memset(buckets, 0, sizeof buckets);
  samples = largest = 0;
}

void histogram_add(uint64_t ns) {
  buckets[bucket_of(ns)]++;
  samples++;
  if (ns > largest) largest = ns;
}

static uint64_t percentile(double fraction) {
  uint64_t wanted = (uint64_t)(fraction * (double)samples), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += buckets[i];
    if (seen > wanted) return middle_of(i) < largest ? middle_of(i) : largest;
  }
  return largest;
}

// --- the result

void print_result(const struct result *result) {
  printf("{\"ops\": %.3f, \"wall_ns\": %llu, \"cpu_ns\": %llu", result->operations,
         (unsigned long long)result->wall_ns, (unsigned long long)result->cpu_ns);
  if (samples) {
    printf(", \"p50_ns\": %llu, \"p99_ns\": %llu, \"p999_ns\": %llu, \"max_ns\": %llu",
           (unsigned long long)percentile(0.5), (unsigned long long)percentile(0.99),
           (unsigned long long)percentile(0.999), (unsigned long long)largest);
  }
  if (result->memory >= 0) printf(", \"memory\": %.1f", result->memory);
  printf("}\n");
}

// --- the window

struct window plan_window(double seconds) {
  uint64_t now = now_ns();
  return (struct window){.opens = now + (uint64_t)(seconds * 0.2e9), .closes = now + (uint64_t)(seconds * 1e9)};
}

bool window_opens(struct window *window, uint64_t now) {
  if (window->open || now < window->opens) return false;
  window->open = true;
  histogram_clear();
  window->cpu_at_opening = server_cpu_ns();
  window->opened = now_ns();
  // It may open late, after events that took long; it is as long as planned all the same.
  window->closes += window->opened - window->opens;
  return true;
}
