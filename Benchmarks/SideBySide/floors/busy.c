// The floor of a loop that has other things to do beside its connections: `busy SHAPE PORT`, the server of epoll.c and
// callbacks (../common/busy.h) in the same thread.
//
// hog: a callback in each turn, and a look at the system that does not wait. slow: the next callback's time limits the
// wait, in whole milliseconds: it may come late by one, as with any loop over epoll_wait.
#include "edge.h"

#include "../common/busy.h"

static void hog(void) {
  for (;;) {
    compute(HOG_NS);
    turn(0);
  }
}

static void slow(void) {
  for (uint64_t next = nanoseconds(CLOCK_MONOTONIC);;) {
    uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (now >= next) {
      compute(SLOW_NS);
      next += SLOW_EVERY_NS;
    } else {
      turn((int)((next - now + 999999) / 1000000));
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
