#include "conformance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Clocks, sockets, pipes, and streams of bytes whose every place can be told.

int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

void pause_for(int64_t nanoseconds) {
  struct timespec time = {.tv_sec = nanoseconds / SECOND, .tv_nsec = nanoseconds % SECOND};
  while (nanosleep(&time, &time) < 0 && errno == EINTR) {}
}

uint32_t random_number(uint32_t *state) {
  uint32_t x = *state ? *state : 1;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

// MARK: Handles

void set_non_blocking(int handle, int on) {
  int flags = fcntl(handle, F_GETFL);
  CHECK(fcntl(handle, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK), ==, 0);
}

void set_buffers(int handle, int size) {
  CHECK(setsockopt(handle, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), ==, 0);
  CHECK(setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), ==, 0);
}

void local_pair(int ends[2]) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
  for (int i = 0; i < 2; i++) set_non_blocking(ends[i], 1);
}

int tcp_socket(void) {
  int handle = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  CHECK(handle, >=, 0);
  set_non_blocking(handle, 1);
  setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return handle;
}

int tcp_listener(struct sockaddr_storage *address, socklen_t *length, int backlog) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int handle = tcp_socket();
  CHECK(bind(handle, (struct sockaddr *)&any, sizeof any), ==, 0);
  CHECK(listen(handle, backlog), ==, 0);
  *length = sizeof *address;
  CHECK(getsockname(handle, (struct sockaddr *)address, length), ==, 0);
  return handle;
}

void tcp_pair(int ends[2]) {
  struct sockaddr_storage address;
  socklen_t length;
  int listener = tcp_listener(&address, &length, 1), one = 1;
  ends[0] = tcp_socket();
  set_non_blocking(ends[0], 0);
  CHECK(connect(ends[0], (struct sockaddr *)&address, length), ==, 0);
  set_non_blocking(ends[0], 1);
  set_non_blocking(listener, 0);
  ends[1] = accept(listener, NULL, NULL);
  CHECK(ends[1], >=, 0);
  setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  set_non_blocking(ends[1], 1);
  close(listener);
}

void pipe_pair(int ends[2], int is_non_blocking) {
  CHECK(pipe(ends), ==, 0);
  for (int i = 0; i < 2; i++) set_non_blocking(ends[i], is_non_blocking);
}

void close_both(const int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

void close_with_reset(int handle) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  CHECK(setsockopt(handle, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), ==, 0);
  close(handle);
}

int open_descriptors(void) {
  int count = 0;
  for (int handle = 0; handle < 4096; handle++) count += fcntl(handle, F_GETFD) >= 0;
  return count;
}

// MARK: Bytes

uint8_t pattern(uint32_t stream, uint64_t offset) {
  uint64_t x = (offset >> 3) + stream * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9u;
  return (uint8_t)(x >> (offset & 7) * 8);
}

void fill_pattern(uint8_t *bytes, size_t count, uint32_t stream, uint64_t offset) {
  for (size_t i = 0; i < count; i++) bytes[i] = pattern(stream, offset + i);
}

int64_t pattern_breaks(const uint8_t *bytes, size_t count, uint32_t stream, uint64_t offset) {
  for (size_t i = 0; i < count; i++) {
    if (bytes[i] != pattern(stream, offset + i)) return (int64_t)i;
  }
  return -1;
}

uint64_t put(int handle, uint32_t stream, uint64_t offset, uint64_t limit) {
  uint8_t bytes[4096];
  uint64_t total = 0;
  while (total < limit) {
    size_t count = limit - total < sizeof bytes ? (size_t)(limit - total) : sizeof bytes;
    fill_pattern(bytes, count, stream, offset + total);
    ssize_t n = write(handle, bytes, count);
    if (n < 0) {
      CHECK_TRUE(errno == EAGAIN || errno == EWOULDBLOCK);
      break;
    }
    total += (uint64_t)n;
  }
  return total;
}

uint64_t take(int handle, uint32_t stream, uint64_t offset) {
  uint8_t bytes[4096];
  uint64_t total = 0;
  ssize_t n;
  while ((n = read(handle, bytes, sizeof bytes)) > 0) {
    CHECK(pattern_breaks(bytes, (size_t)n, stream, offset + total), ==, -1);
    total += (uint64_t)n;
  }
  return total;
}
