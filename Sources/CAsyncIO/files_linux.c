#if defined(__linux__)
#include "CAsyncIO.h"

#include <sys/sendfile.h>

int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count) {
  off_t position = (off_t)offset;
  ssize_t n = sendfile(socket, file, &position, count);
  return n < 0 ? -errno : n;
}
#endif
