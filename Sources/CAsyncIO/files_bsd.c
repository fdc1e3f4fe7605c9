#if !defined(__linux__) && !defined(_WIN32)
#include "CAsyncIO.h"

#if defined(__APPLE__)
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
#endif
