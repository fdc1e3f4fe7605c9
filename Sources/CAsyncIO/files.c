#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#if defined(__linux__)
#include <sys/sendfile.h>

int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count) {
  off_t position = (off_t)offset;
  ssize_t n = sendfile(socket, file, &position, count);
  return n < 0 ? -errno : n;
}
#elif defined(__APPLE__)
int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count) {
  off_t length = (off_t)count;
  int status = sendfile(file, socket, (off_t)offset, &length, NULL, 0);
  // Part of it may be gone even though it failed.
  return status < 0 && length == 0 ? -errno : length;
}
#else
int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count) {
  (void)socket, (void)file, (void)offset, (void)count;
  return -ENOSYS;
}
#endif
