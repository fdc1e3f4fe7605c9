#if !defined(__linux__) && !defined(_WIN32)
#include "CAsyncIO.h"

#include <fcntl.h>

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

int casyncio_is_plain_tcp(int fd) {
  (void)fd;
  return 0;
}

int casyncio_multipath_tcp(void) { return 0; }

int casyncio_undelivered_bytes(int socket) {
  int count = 0;
#if defined(SO_NWRITE)
  socklen_t size = sizeof count;
  if (getsockopt(socket, SOL_SOCKET, SO_NWRITE, &count, &size) < 0) return 0;
#else
  (void)socket;
#endif
  return count;
}

int casyncio_transferred_bytes(int socket, uint64_t *received, uint64_t *sent) {
  (void)socket;
  (void)received;
  (void)sent;
  return -ENOSYS;
}
#endif
