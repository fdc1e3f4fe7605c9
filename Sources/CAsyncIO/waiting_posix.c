#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

// An entry is the system's own, under a name that Swift code can use on every system.
_Static_assert(sizeof(casyncio_poll_entry) == sizeof(struct pollfd), "an entry for poll(2) has another size");
_Static_assert(offsetof(casyncio_poll_entry, events) == offsetof(struct pollfd, events), "another place");
_Static_assert(offsetof(casyncio_poll_entry, returned) == offsetof(struct pollfd, revents), "another place");

int64_t casyncio_processor_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t casyncio_seconds_of(struct tm *time) { return (int64_t)timegm(time); }

int casyncio_polls_sockets_only(void) { return 0; }

int casyncio_is_ready(int fd, int events) {
  struct pollfd waited = {.fd = fd, .events = (short)events};
  return poll(&waited, 1, 0) > 0;
}
#endif
