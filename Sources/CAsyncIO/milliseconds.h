// Where a call has no nanoseconds.
#ifndef CASYNCIO_MILLISECONDS_H
#define CASYNCIO_MILLISECONDS_H

#include <stdint.h>

// Round up, never down, and never past what an int holds. Less than nothing is -1: for ever.
static inline int milliseconds_rounded_up(int64_t nanoseconds) {
  if (nanoseconds < 0) return -1;
  int64_t ms = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
  return ms > 86400000 ? 86400000 : (int)ms;
}

#endif
