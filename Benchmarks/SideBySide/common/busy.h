// What the loops of the busy servers in C do beside serving; the programs of others have the same shapes.
//
// hog: a callback that computes for 20 microseconds and wants to run again at once, forever.
// slow: a callback that computes for 2 milliseconds, every 50 milliseconds.
//
// Computing is measured in the thread's own CPU time, so the work is the same for everybody.
#ifndef BENCHMARK_BUSY_H
#define BENCHMARK_BUSY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOG_NS = 20000, SLOW_NS = 2000000, SLOW_EVERY_NS = 50000000 };
enum shape { HOG, SLOW };

static inline uint64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline void compute(uint64_t duration) {
  uint64_t end = nanoseconds(CLOCK_THREAD_CPUTIME_ID) + duration;
  while (nanoseconds(CLOCK_THREAD_CPUTIME_ID) < end) {}
}

// The shape that the first argument names. Ends the program with status 2 if there is no such.
static inline enum shape shape_of(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "hog") == 0) return HOG;
  if (count == 3 && strcmp(arguments[1], "slow") == 0) return SLOW;
  fprintf(stderr, "usage: %s hog|slow PORT\n", arguments[0]);
  exit(2);
}

#endif
