#if !defined(__linux__) && !defined(_WIN32)
#include "CAsyncIO.h"

int casyncio_reopen_blocking(int fd) {
  (void)fd;
  return -ENOSYS;
}
#endif
