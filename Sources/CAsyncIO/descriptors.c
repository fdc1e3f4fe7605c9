#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <linux/sockios.h>
#endif

// MARK: Flags and sockets

int casyncio_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if (flags & O_NONBLOCK) return 0;
  return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int casyncio_set_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int casyncio_is_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

int casyncio_access_mode(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  switch (flags & O_ACCMODE) {
    case O_RDONLY: return 1;
    case O_WRONLY: return 2;
    default: return 3;
  }
}

// A layer in the system that makes records of the bytes (kernel TLS) has the same protocol number.
int casyncio_is_plain_tcp(int fd) {
#if defined(SO_PROTOCOL) && defined(TCP_ULP)
  int protocol = 0;
  socklen_t size = sizeof protocol;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != IPPROTO_TCP) return 0;
  char layer[16] = "";
  size = sizeof layer;
  return getsockopt(fd, IPPROTO_TCP, TCP_ULP, layer, &size) != 0 || size == 0 || layer[0] == '\0';
#else
  (void)fd;
  return 0;
#endif
}

int casyncio_set_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0; }

int casyncio_undelivered_bytes(int socket) {
  int count = 0;
#if defined(SIOCOUTQ)
  if (ioctl(socket, SIOCOUTQ, &count) < 0) return 0;
#elif defined(SO_NWRITE)
  socklen_t size = sizeof count;
  if (getsockopt(socket, SOL_SOCKET, SO_NWRITE, &count, &size) < 0) return 0;
#else
  (void)socket;
#endif
  return count;
}

int casyncio_move_above_standard(int fd) {
  if (fd < 0) return -errno;
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  return moved < 0 ? -error : moved;
}

int casyncio_both_above_standard(int status, int ends[2]) {
  if (status < 0) return -errno;
  // One after the other: the number that the first gives up must not become the second's.
  for (int i = 0; i < 2; i++) {
    int fd = casyncio_above_standard(ends[i]);
    if (fd < 0) {
      close(ends[1 - i]);
      return fd;
    }
    ends[i] = fd;
  }
  return 0;
}

#if defined(__linux__)
int casyncio_socket(int family, int type, int protocol) {
  return casyncio_above_standard(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int casyncio_accept(int fd) {
  return casyncio_above_standard(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int casyncio_send_flags(void) { return MSG_NOSIGNAL | MSG_DONTWAIT; }
#else
static int prepared(int fd) {
  int one = 1;
  fd = casyncio_above_standard(fd);
  if (fd < 0) return fd;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
  return fd;
}

int casyncio_socket(int family, int type, int protocol) { return prepared(socket(family, type, protocol)); }
int casyncio_accept(int fd) { return prepared(accept(fd, NULL, NULL)); }
int casyncio_send_flags(void) { return MSG_DONTWAIT; }
#endif

// MARK: Wake-ups

#if defined(__linux__)
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
#else
int casyncio_wake_create(int *read_end, int *write_end) {
  int ends[2];
  int status = casyncio_both_above_standard(pipe(ends), ends);
  if (status < 0) return status;
  for (int i = 0; i < 2; i++) {
    casyncio_set_nonblocking(ends[i]);
    casyncio_set_close_on_exec(ends[i]);
  }
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}

void casyncio_wake_signal(int write_end) {
  int kept = errno;
  char byte = 0;
  // A full pipe already wakes the reader.
  while (write(write_end, &byte, 1) < 0 && errno == EINTR) {}
  errno = kept;
}

void casyncio_wake_drain(int read_end) {
  char bytes[256];
  ssize_t n;
  do n = read(read_end, bytes, sizeof bytes);
  while (n > 0 || (n < 0 && errno == EINTR));
}
#endif

// MARK: Waiting with nanoseconds

static struct timespec timespec_of(int64_t nanoseconds) {
  struct timespec t = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return t;
}

// Only if a call with nanoseconds is missing: up, never down, and never past what an int holds.
static int milliseconds_rounded_up(int64_t nanoseconds) {
  if (nanoseconds < 0) return -1;
  int64_t ms = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
  return ms > 86400000 ? 86400000 : (int)ms;
}

#if defined(__linux__)
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

int casyncio_poll(struct pollfd *fds, size_t count, int64_t nanoseconds) {
  struct timespec t = timespec_of(nanoseconds);
  int n = ppoll(fds, (nfds_t)count, nanoseconds < 0 ? NULL : &t, NULL);
  return n < 0 ? -errno : n;
}
#else
int casyncio_poll_is_exact(void) { return 0; }

int casyncio_poll(struct pollfd *fds, size_t count, int64_t nanoseconds) {
  (void)timespec_of;
  int n = poll(fds, (nfds_t)count, milliseconds_rounded_up(nanoseconds));
  return n < 0 ? -errno : n;
}
#endif
