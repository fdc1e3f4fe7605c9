#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"
#include "milliseconds.h"

#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

// MARK: Wake-ups

int casyncio_wake_create(int *read_end, int *write_end) {
  int fd = casyncio_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (fd < 0) return fd;
  *read_end = *write_end = fd;
  return 0;
}

void casyncio_wake_signal(int write_end) {
  int kept = errno;
  uint64_t one = 1;
  while (write(write_end, &one, sizeof one) < 0 && errno == EINTR) {}
  errno = kept;
}

void casyncio_wake_drain(int read_end) {
  uint64_t count;
  while (read(read_end, &count, sizeof count) < 0 && errno == EINTR) {}
}

// MARK: Waiting with nanoseconds

static struct timespec timespec_of(int64_t nanoseconds) {
  struct timespec t = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return t;
}

int casyncio_epoll_create(void) { return casyncio_above_standard(epoll_create1(EPOLL_CLOEXEC)); }

int casyncio_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

int casyncio_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t nanoseconds) {
  static _Atomic int missing;
  int n;
  if (nanoseconds <= 0 || atomic_load_explicit(&missing, memory_order_relaxed)) {
    // Not through the C library, whose form is a point at which a thread can be cancelled, and pays for that.
    int milliseconds = milliseconds_rounded_up(nanoseconds);
#ifdef SYS_epoll_wait
    n = (int)syscall(SYS_epoll_wait, epoll, events, capacity, milliseconds);
#else
    n = (int)syscall(SYS_epoll_pwait, epoll, events, capacity, milliseconds, NULL, 0);
#endif
    return n < 0 ? -errno : n;
  }
  struct timespec t = timespec_of(nanoseconds);
  n = (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, &t, NULL, 0);
  if (n >= 0) return n;
  if (errno != ENOSYS) return -errno;
  atomic_store(&missing, 1);
  return casyncio_epoll_wait(epoll, events, capacity, nanoseconds);
}

int casyncio_poll_is_exact(void) { return 1; }

int casyncio_poll_end_flag(void) { return POLLRDHUP; }

int casyncio_poll(casyncio_poll_entry *entries, size_t count, int64_t nanoseconds) {
  struct timespec t = timespec_of(nanoseconds);
  int n = ppoll((struct pollfd *)entries, (nfds_t)count, nanoseconds < 0 ? NULL : &t, NULL);
  return n < 0 ? -errno : n;
}
#endif
