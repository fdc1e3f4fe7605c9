#if !defined(_WIN32)
#include "conformance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// The world as POSIX has it: handles, addresses and time. Threads, signals and processes are in threads_posix.c.

_Static_assert(sizeof(struct sockaddr_storage) <= sizeof((address *)0)->bytes, "an address has no room");

static int64_t result(int64_t n) { return n < 0 ? -errno : n; }

int resets_repeat(void) { return 0; }

int may_open(int count) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 1024 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur >= (rlim_t)count;
}

int open_handles(void) {
  int count = 0;
  for (int handle = 0; handle < 4096; handle++) count += fcntl(handle, F_GETFD) >= 0;
  return count;
}

int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

void pause_for(int64_t nanoseconds) {
  struct timespec time = {.tv_sec = nanoseconds / SECOND, .tv_nsec = nanoseconds % SECOND};
  while (nanosleep(&time, &time) < 0 && errno == EINTR) {}
}

// MARK: Calls

int64_t read_from(int handle, void *bytes, size_t count) { return result(read(handle, bytes, count)); }
int64_t write_to(int handle, const void *bytes, size_t count) { return result(write(handle, bytes, count)); }

int64_t write_message(int handle, const address *address, const void *bytes, size_t count) {
  return result(sendto(handle, bytes, count, 0, (const struct sockaddr *)address->bytes, address->length));
}

int connect_to(int handle, const address *address) {
  return (int)result(connect(handle, (const struct sockaddr *)address->bytes, address->length));
}

int tcp_client(const address *address) {
  int handle = socket(AF_INET, SOCK_STREAM, 0), error = handle < 0 ? -errno : connect_to(handle, address);
  if (error < 0 && handle >= 0) close(handle);
  return error < 0 ? error : handle;
}

int accept_from(int listener) {
  int handle = accept(listener, NULL, NULL), one = 1;
  if (handle >= 0) setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return (int)result(handle);
}

void close_handle(int handle) { close(handle); }
void end_writing(int handle) { shutdown(handle, SHUT_WR); }

void close_with_reset(int handle) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(handle, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(handle);
}

void reset_pair(const int ends[2]) {
  struct sockaddr_storage name;
  socklen_t length = sizeof name;
  CHECK(getsockname(ends[0], (struct sockaddr *)&name, &length), ==, 0);
  if (name.ss_family != AF_UNIX) {
    close_with_reset(ends[1]);
    return;
  }
  // Gone without having read what was sent to it.
  CHECK(put(ends[0], 4, 0, 1), ==, 1);
  close(ends[1]);
}

// MARK: What a handle is like

void set_non_blocking(int handle, int on) {
  int flags = fcntl(handle, F_GETFL);
  CHECK(fcntl(handle, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK), ==, 0);
}

void set_buffers(int handle, int size) {
  CHECK(setsockopt(handle, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), ==, 0);
  CHECK(setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), ==, 0);
}

int is_non_blocking(int handle) { return (fcntl(handle, F_GETFL) & O_NONBLOCK) != 0; }
int is_inherited(int handle) { return (fcntl(handle, F_GETFD) & FD_CLOEXEC) == 0; }

int is_connected(int handle) {
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  return getpeername(handle, (struct sockaddr *)&peer, &length) == 0;
}

int wait_until_ready(int handle, uint32_t events, int milliseconds) {
  struct pollfd wait = {.fd = handle, .events = events & CASYNCIO_READABLE ? POLLIN : POLLOUT};
  return poll(&wait, 1, milliseconds) == 1;
}

// MARK: Handles

void local_pair(int ends[2]) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
  for (int i = 0; i < 2; i++) set_non_blocking(ends[i], 1);
}

void datagram_pair(int ends[2]) { CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), ==, 0); }

void pipe_pair(int ends[2], int is_non_blocking) {
  CHECK(pipe(ends), ==, 0);
  for (int i = 0; i < 2; i++) set_non_blocking(ends[i], is_non_blocking);
}

static void set_loopback(address *address, in_port_t port) {
  struct sockaddr_in loopback = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
  memcpy(address->bytes, &loopback, sizeof loopback);
  address->length = sizeof loopback;
}

static void bind_to(int handle, address *address) {
  if (address->length == 0) set_loopback(address, 0);
  CHECK(bind(handle, (struct sockaddr *)address->bytes, address->length), ==, 0);
  socklen_t length = sizeof address->bytes;
  CHECK(getsockname(handle, (struct sockaddr *)address->bytes, &length), ==, 0);
  address->length = length;
}

int tcp_socket(void) {
  int handle = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  CHECK(handle, >=, 0);
  set_non_blocking(handle, 1);
  setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return handle;
}

int tcp_listener(address *address, int backlog) {
  int handle = tcp_socket();
  address->length = 0;
  bind_to(handle, address);
  CHECK(listen(handle, backlog), ==, 0);
  return handle;
}

int datagram_socket(address *address) {
  int handle = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(handle, >=, 0);
  set_non_blocking(handle, 1);
  bind_to(handle, address);
  return handle;
}

int local_socket(address *address) {
  struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
  memcpy(address->bytes, &nowhere, sizeof nowhere);
  address->length = sizeof nowhere;
  return socket(AF_UNIX, SOCK_STREAM, 0);
}

void address_of_nobody(address *address) { set_loopback(address, 1); }

int temporary_file(void) {
  char path[] = "/tmp/completion-port-XXXXXX";
  int handle = mkstemp(path);
  CHECK(handle, >=, 0);
  unlink(path);
  return handle;
}

void rewind_file(int handle) { CHECK(lseek(handle, 0, SEEK_SET), ==, 0); }
#endif
