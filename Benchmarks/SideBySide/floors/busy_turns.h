// The program of a busy floor: the shapes of ../common/busy.h over two functions of the file that includes this one.
// `look` serves what is there; `wait_at_most` waits for something to serve, and no longer than it is told.
#ifndef BENCHMARK_BUSY_TURNS_H
#define BENCHMARK_BUSY_TURNS_H

#include "../common/busy.h"

static void look(void);
static void wait_at_most(uint64_t left_ns);

static void hog(void) {
  for (;;) {
    compute(HOG_NS);
    look();
  }
}

static void slow(void) {
  for (uint64_t next = nanoseconds(CLOCK_MONOTONIC);;) {
    uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (now >= next) {
      compute(SLOW_NS);
      next += SLOW_EVERY_NS;
    } else {
      wait_at_most(next - now);
    }
  }
}

int main(int count, char **arguments) {
  enum shape shape = shape_of(count, arguments);
  start_serving(count, arguments);
  if (shape == HOG) {
    hog();
  } else {
    slow();
  }
}

#endif
