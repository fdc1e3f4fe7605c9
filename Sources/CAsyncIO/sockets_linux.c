#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

int casyncio_socket(int family, int type, int protocol) {
  return casyncio_above_standard(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

int casyncio_accept(int fd) {
  return casyncio_above_standard(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

// A layer in the system that makes records of the bytes (kernel TLS) has the same protocol number.
int casyncio_is_plain_tcp(int fd) {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != IPPROTO_TCP) return 0;
  char layer[16] = "";
  size = sizeof layer;
  return getsockopt(fd, IPPROTO_TCP, TCP_ULP, layer, &size) != 0 || size == 0 || layer[0] == '\0';
}

int casyncio_undelivered_bytes(int socket) {
  int count = 0;
  return ioctl(socket, SIOCOUTQ, &count) < 0 ? 0 : count;
}
#endif
