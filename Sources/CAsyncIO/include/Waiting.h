// Clocks, and waits that end at a time or are woken. Each wait returns a value >= 0, or the negated errno.
#ifndef CASYNCIO_WAITING_H
#define CASYNCIO_WAITING_H

#include "CompletionPort.h"
#include "Platform.h"

// MARK: Clocks

// Return the monotonic clock in nanoseconds: the one that the waits below count on.
#if defined(_WIN32)
int64_t casyncio_monotonic_nanoseconds(void);
#else
static inline int64_t casyncio_monotonic_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
#endif
// Return the processor time of the calling thread in nanoseconds.
int64_t casyncio_processor_nanoseconds(void);
// Return the seconds from 1970 to a broken-down time of UTC.
int64_t casyncio_seconds_of(struct tm *CASYNCIO_NONNULL time);

// MARK: Wake-ups

// Make a pair of descriptors that ends a wait: a pipe, or both ends are one number (an eventfd on Linux, on Windows a
// datagram socket that is connected to itself).
int casyncio_wake_create(int *CASYNCIO_NONNULL read_end, int *CASYNCIO_NONNULL write_end);
// End the wait. Safe in signal handlers; keeps errno.
void casyncio_wake_signal(int write_end);
void casyncio_wake_drain(int read_end);

// MARK: Waiting with nanoseconds

// A descriptor to wait for. `events` and `returned` have the flags of poll(2), under the platform's names.
typedef struct casyncio_poll_entry {
  int fd;
  short events;
  short returned;
} casyncio_poll_entry;

// Return 1 if only sockets can be waited for, by casyncio_poll and by a selector of the system, else 0.
int casyncio_polls_sockets_only(void);
// Return 1 if casyncio_poll does not round to milliseconds, else 0.
int casyncio_poll_is_exact(void);
// Wait, and return the number of entries with something to report. A negative timeout waits for ever; a timeout is
// never cut short by rounding. May be interrupted.
int casyncio_poll(casyncio_poll_entry *CASYNCIO_NULLABLE entries, size_t count, int64_t nanoseconds);
// Return the flag of poll(2) that asks for the end of a peer's stream and reports it; 0 if the system has none.
int casyncio_poll_end_flag(void);
// Return 1 if the descriptor is ready for what `events` (POLLIN, POLLOUT) names, has failed or has hung up; else 0.
int casyncio_is_ready(int fd, int events);

#if defined(__linux__)
// Make an epoll instance.
int casyncio_epoll_create(void);
// Add, change or remove an entry; `operation` is one of EPOLL_CTL_.
int casyncio_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token);
// Wait as above. A kernel before 5.11 has no epoll_pwait2: the timeout is then rounded up to milliseconds.
int casyncio_epoll_wait(int epoll, struct epoll_event *CASYNCIO_NONNULL events, int capacity, int64_t nanoseconds);
#endif

#endif
