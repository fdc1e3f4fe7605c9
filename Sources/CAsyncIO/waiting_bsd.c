#if !defined(__linux__) && !defined(_WIN32)
#include "CAsyncIO.h"
#include "milliseconds.h"

// MARK: Wake-ups

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

// MARK: Waiting

int casyncio_poll_is_exact(void) { return 0; }

int casyncio_poll_end_flag(void) { return 0; }

int casyncio_poll(casyncio_poll_entry *entries, size_t count, int64_t nanoseconds) {
  int n = poll((struct pollfd *)entries, (nfds_t)count, milliseconds_rounded_up(nanoseconds));
  return n < 0 ? -errno : n;
}
#endif
