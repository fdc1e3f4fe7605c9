#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int casyncio_can_splice(void) { return 1; }

int casyncio_splice_pipe(int capacity, int *read_end, int *write_end) {
  int ends[2];
  int status = casyncio_both_above_standard(pipe2(ends, O_NONBLOCK | O_CLOEXEC), ends);
  if (status < 0) return status;
  *read_end = ends[0];
  *write_end = ends[1];
  // The system may have no more memory for pipes of this user. What it gave by itself is enough to go on with.
  int size = fcntl(ends[1], F_SETPIPE_SZ, capacity);
  return size > 0 ? size : fcntl(ends[1], F_GETPIPE_SZ);
}

ptrdiff_t casyncio_splice(int from, int to, size_t count) {
  for (;;) {
    ssize_t n = splice(from, NULL, to, NULL, count, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}
#endif
