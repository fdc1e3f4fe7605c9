#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

int casyncio_handle_of_file(int descriptor) { return descriptor; }

#include <unistd.h>

ptrdiff_t casyncio_read_at(int fd, void *memory, size_t count, int64_t offset) {
  ssize_t n;
  do n = pread(fd, memory, count, (off_t)offset);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

int casyncio_set_position(int fd, int64_t offset) { return lseek(fd, (off_t)offset, SEEK_SET) < 0 ? -errno : 0; }

int casyncio_set_permissions(const char *path, uint32_t permissions) {
  return chmod(path, (mode_t)permissions) < 0 ? -errno : 0;
}

int casyncio_remove(const char *path) { return unlink(path) < 0 ? -errno : 0; }

char *casyncio_current_directory(void) { return getcwd(NULL, 0); }
#endif
