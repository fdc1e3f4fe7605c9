// What the micro programs in C have in common: clocks and the report, the two runs, random numbers, cores, threads.
//
// A program takes `WORK N`, does the work N/10 times unmeasured and N times measured, and prints what the second run
// took: {"ops":N,"wall_ns":..,"cpu_ns":..}. CPU is that of the whole process. Status 2 says that the program does not
// offer the work.

#ifndef BENCHMARK_MICRO_H
#define BENCHMARK_MICRO_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATUS_NOT_OFFERED = 2, STATUS_USAGE = 64 };

// The loop's core, and that of everybody who talks to it.
enum { LOOP_CORE = 0, OTHER_CORE = 1 };

static inline void require(bool isFine, const char *what) {
  if (isFine) return;
  perror(what);
  exit(1);
}

// --- clocks

static inline uint64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

struct stopwatch {
  uint64_t wall, cpu;
};

static inline struct stopwatch stopwatch_start(void) {
  return (struct stopwatch){nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static inline void stopwatch_report(struct stopwatch start, long operations) {
  struct stopwatch end = stopwatch_start();
  printf("{\"ops\":%ld,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n", operations, (unsigned long long)(end.wall - start.wall),
         (unsigned long long)(end.cpu - start.cpu));
  fflush(stdout);
}

// --- the two runs

static inline void measure_after(long warm_up, long count, void (*work)(long count)) {
  work(warm_up);
  struct stopwatch start = stopwatch_start();
  work(count);
  stopwatch_report(start, count);
}

static inline void measure(long count, void (*work)(long count)) { measure_after(count / 10, count, work); }

// --- random numbers: xorshift, the same in every run and in every language

static uint64_t random_state = 88172645463325252;

static inline uint64_t random_below(uint64_t limit) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % limit;
}

// A timer of the works is due 1 to 3600 seconds from now.
static inline uint64_t random_deadline_ms(void) { return 1000 + random_below(3599000); }

// --- cores and threads

static inline void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

struct threads {
  pthread_t ids[8];
  int count;
};

static inline void threads_start(struct threads *threads, int count, void *(*body)(void *), void *argument) {
  threads->count = count;
  for (int i = 0; i < count; i++) {
    require(pthread_create(&threads->ids[i], NULL, body, argument) == 0, "pthread_create");
  }
}

static inline void threads_join(struct threads *threads) {
  for (int i = 0; i < threads->count; i++) pthread_join(threads->ids[i], NULL);
}

#endif
