#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
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

// The C library's headers may be older than it.
int casyncio_multipath_tcp(void) { return 262; }

int casyncio_undelivered_bytes(int socket) {
  int count = 0;
  return ioctl(socket, SIOCOUTQ, &count) < 0 ? 0 : count;
}

// By their places in the kernel's struct tcp_info, which only grows: the C library's has fewer fields.
enum { BYTES_ACKED = 120, BYTES_RECEIVED = 128, BYTES_SENT = 200, BYTES_RETRANSMITTED = 208, END_OF_INFO = 216 };

static uint64_t word_at(const unsigned char *info, size_t place) {
  uint64_t word;
  memcpy(&word, info + place, sizeof word);
  return word;
}

int casyncio_transferred_bytes(int socket, uint64_t *received, uint64_t *sent) {
  unsigned char info[END_OF_INFO];
  socklen_t size = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, info, &size) != 0) return -errno;
  // Linux 4.1 counts what was acknowledged, 4.19 what was sent.
  if (size < BYTES_RECEIVED + sizeof *received) return -ENOSYS;
  *received = word_at(info, BYTES_RECEIVED);
  *sent = size < END_OF_INFO ? word_at(info, BYTES_ACKED)
                             : word_at(info, BYTES_SENT) - word_at(info, BYTES_RETRANSMITTED);
  return 0;
}
#endif
