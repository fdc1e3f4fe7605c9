#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <fcntl.h>
#include <unistd.h>

// MARK: Modes

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

int casyncio_set_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0; }

int casyncio_open_file_limit(struct rlimit *limit) { return getrlimit(RLIMIT_NOFILE, limit) < 0 ? -errno : 0; }

// MARK: Numbers

int casyncio_close(int fd) { return close(fd) < 0 ? -errno : 0; }

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

int casyncio_duplicate(int fd) {
  int other = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return other < 0 ? -errno : other;
}

// MARK: Which file

static int kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case 0: return CASYNCIO_FILE_UNTYPED;
    case S_IFREG: return CASYNCIO_FILE_REGULAR;
    case S_IFDIR: return CASYNCIO_FILE_DIRECTORY;
    case S_IFIFO: return CASYNCIO_FILE_FIFO;
    case S_IFSOCK: return CASYNCIO_FILE_SOCKET;
    case S_IFCHR: return CASYNCIO_FILE_CHARACTER_DEVICE;
    default: return CASYNCIO_FILE_OTHER;
  }
}

static int describe(int status, const struct stat *found, casyncio_file *file) {
  if (status < 0) return -errno;
  file->device = (uint64_t)found->st_dev;
  file->inode = (uint64_t)found->st_ino;
  file->size = (int64_t)found->st_size;
  file->kind = kind_of(found->st_mode);
  return 0;
}

int casyncio_file_of(int fd, casyncio_file *file) {
  struct stat found;
  return describe(fstat(fd, &found), &found, file);
}

int casyncio_file_at(const char *path, casyncio_file *file) {
  struct stat found;
  return describe(lstat(path, &found), &found, file);
}

// MARK: Bytes

ptrdiff_t casyncio_read(int fd, void *memory, size_t count) {
  ssize_t n;
  do n = read(fd, memory, count);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

ptrdiff_t casyncio_write(int fd, const void *bytes, size_t count) {
  ssize_t n;
  do n = write(fd, bytes, count);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}
#endif
