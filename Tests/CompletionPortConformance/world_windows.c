#if defined(_WIN32)
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include "conformance.h"
#include "windows_world.h"

#include <errno.h>
#include <string.h>

// The world as Windows has it: handles, addresses and time. Threads and processes are in threads_windows.c.
//
// - A handle is a number that holds a SOCKET or the HANDLE of one end of a named pipe.
// - There are no pairs of sockets: a pair is a connection to itself.
// - Pipes are in pipes_windows.c.

_Static_assert(sizeof(SOCKADDR_STORAGE) <= sizeof((address *)0)->bytes, "an address has no room");

static SOCKET socket_of(int handle) { return (SOCKET)(intptr_t)handle; }
static HANDLE handle_of(int handle) { return (HANDLE)(intptr_t)handle; }

int windows_failure(void) {
  switch (GetLastError()) {
    case WSAEWOULDBLOCK: return -EAGAIN;
    case WSAECONNRESET: return -ECONNRESET;
    case WSAECONNABORTED: return -ECONNABORTED;
    case WSAECONNREFUSED: return -ECONNREFUSED;
    case WSAENOTSOCK:
    case ERROR_INVALID_HANDLE: return -EBADF;
    case WSAESHUTDOWN:
    case ERROR_NO_DATA: return -EPIPE;
    default: return -EIO;
  }
}

static int is_socket(int handle) {
  int type, length = sizeof type;
  return getsockopt(socket_of(handle), SOL_SOCKET, SO_TYPE, (char *)&type, &length) == 0;
}

int resets_repeat(void) { return 1; }
int may_open(int count) { return count < 10000; }

int open_handles(void) {
  int count = 0;
  DWORD flags;
  for (int handle = 4; handle < 16384; handle += 4) {
    count += GetHandleInformation(handle_of(handle), &flags) && GetFileType(handle_of(handle)) == FILE_TYPE_PIPE;
  }
  return count;
}

int64_t now(void) {
  LARGE_INTEGER frequency, time;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&time);
  int64_t seconds = time.QuadPart / frequency.QuadPart, rest = time.QuadPart % frequency.QuadPart;
  return seconds * SECOND + rest * SECOND / frequency.QuadPart;
}

// MARK: Calls

int64_t read_from(int handle, void *bytes, size_t count) {
  if (!is_socket(handle)) return windows_read_pipe(handle, bytes, count);
  int n = recv(socket_of(handle), bytes, (int)count, 0);
  return n < 0 ? windows_failure() : n;
}

int64_t write_to(int handle, const void *bytes, size_t count) {
  if (!is_socket(handle)) return windows_write_pipe(handle, bytes, count);
  int n = send(socket_of(handle), bytes, (int)count, 0);
  return n < 0 ? windows_failure() : n;
}

int64_t write_message(int handle, const address *address, const void *bytes, size_t count) {
  const struct sockaddr *to = (const struct sockaddr *)address->bytes;
  int n = sendto(socket_of(handle), bytes, (int)count, 0, to, (int)address->length);
  return n < 0 ? windows_failure() : n;
}

int connect_to(int handle, const address *address) {
  const struct sockaddr *to = (const struct sockaddr *)address->bytes;
  return connect(socket_of(handle), to, (int)address->length) ? windows_failure() : 0;
}

static int make_socket(int type) {
  WSADATA data;
  static int is_started;
  if (!is_started) is_started = WSAStartup(MAKEWORD(2, 2), &data) == 0;
  SOCKET socket = WSASocketW(AF_INET, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  return socket == INVALID_SOCKET ? windows_failure() : (int)(intptr_t)socket;
}

static void send_at_once(int handle) {
  int one = 1;
  setsockopt(socket_of(handle), IPPROTO_TCP, TCP_NODELAY, (const char *)&one, sizeof one);
}

int tcp_client(const address *address) {
  int handle = make_socket(SOCK_STREAM), error = handle < 0 ? handle : connect_to(handle, address);
  if (error < 0 && handle >= 0) close_handle(handle);
  return error < 0 ? error : handle;
}

int accept_from(int listener) {
  SOCKET socket = accept(socket_of(listener), NULL, NULL);
  if (socket == INVALID_SOCKET) return windows_failure();
  u_long off = 0;
  ioctlsocket(socket, FIONBIO, &off);
  send_at_once((int)(intptr_t)socket);
  return (int)(intptr_t)socket;
}

void close_handle(int handle) {
  if (is_socket(handle)) {
    closesocket(socket_of(handle));
  } else {
    CloseHandle(handle_of(handle));
  }
}

void end_writing(int handle) { shutdown(socket_of(handle), SD_SEND); }

void close_with_reset(int handle) {
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_of(handle), SOL_SOCKET, SO_LINGER, (const char *)&at_once, sizeof at_once);
  closesocket(socket_of(handle));
}

void reset_pair(const int ends[2]) { close_with_reset(ends[1]); }

// MARK: What a handle is like

void set_non_blocking(int handle, int on) {
  u_long value = on != 0;
  if (is_socket(handle)) {
    CHECK(ioctlsocket(socket_of(handle), FIONBIO, &value), ==, 0);
  } else {
    windows_set_pipe_mode(handle, on);
  }
}

void set_buffers(int handle, int size) {
  const char *value = (const char *)&size;
  CHECK(setsockopt(socket_of(handle), SOL_SOCKET, SO_SNDBUF, value, sizeof size), ==, 0);
  CHECK(setsockopt(socket_of(handle), SOL_SOCKET, SO_RCVBUF, value, sizeof size), ==, 0);
}

// Nobody says so; a receive that would wait does.
int is_non_blocking(int handle) {
  DWORD soon = 50;
  char byte;
  setsockopt(socket_of(handle), SOL_SOCKET, SO_RCVTIMEO, (const char *)&soon, sizeof soon);
  return recv(socket_of(handle), &byte, 1, MSG_PEEK) < 0 && WSAGetLastError() == WSAEWOULDBLOCK;
}

int is_inherited(int handle) {
  DWORD flags = 0;
  CHECK_TRUE(GetHandleInformation(handle_of(handle), &flags));
  return (flags & HANDLE_FLAG_INHERIT) != 0;
}

int is_connected(int handle) {
  SOCKADDR_STORAGE peer;
  int length = sizeof peer;
  return getpeername(socket_of(handle), (struct sockaddr *)&peer, &length) == 0;
}

int wait_until_ready(int handle, uint32_t events, int milliseconds) {
  WSAPOLLFD wait = {.fd = socket_of(handle), .events = events & CASYNCIO_READABLE ? POLLIN : POLLOUT};
  return WSAPoll(&wait, 1, milliseconds) == 1;
}

// MARK: Handles

void local_pair(int ends[2]) { tcp_pair(ends); }

void datagram_pair(int ends[2]) {
  address addresses[2] = {{.length = 0}, {.length = 0}};
  for (int i = 0; i < 2; i++) ends[i] = datagram_socket(&addresses[i]);
  for (int i = 0; i < 2; i++) CHECK(connect_to(ends[i], &addresses[1 - i]), ==, 0);
}

static void set_loopback(address *address, unsigned short port) {
  struct sockaddr_in loopback = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
  memcpy(address->bytes, &loopback, sizeof loopback);
  address->length = sizeof loopback;
}

static void bind_to(int handle, address *address) {
  if (address->length == 0) set_loopback(address, 0);
  CHECK(bind(socket_of(handle), (struct sockaddr *)address->bytes, (int)address->length), ==, 0);
  int length = sizeof address->bytes;
  CHECK(getsockname(socket_of(handle), (struct sockaddr *)address->bytes, &length), ==, 0);
  address->length = (uint32_t)length;
}

int tcp_socket(void) {
  int handle = make_socket(SOCK_STREAM);
  CHECK(handle, >=, 0);
  set_non_blocking(handle, 1);
  send_at_once(handle);
  return handle;
}

int tcp_listener(address *address, int backlog) {
  int handle = tcp_socket();
  address->length = 0;
  bind_to(handle, address);
  CHECK(listen(socket_of(handle), backlog), ==, 0);
  return handle;
}

int datagram_socket(address *address) {
  int handle = make_socket(SOCK_DGRAM);
  CHECK(handle, >=, 0);
  set_non_blocking(handle, 1);
  bind_to(handle, address);
  return handle;
}

void address_of_nobody(address *address) { set_loopback(address, 1); }

// What needs_of_system says is not here.
int local_socket(address *address) {
  address->length = 0;
  return -1;
}
int temporary_file(void) { return -1; }
void rewind_file(int handle) { (void)handle; }
#endif
