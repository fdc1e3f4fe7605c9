#if defined(_WIN32)
#include "win32.h"
#include "milliseconds.h"

#include <time.h>

// Clocks and waits. The traps:
//
// - The counter's frequency is 10 MHz on most machines, and more on some: to multiply first would overflow in days.
// - WSAPoll takes no empty set, and its field for a socket is wider than a number here.
// - A wait for sockets can only be ended by a socket. So what ends it is a datagram socket that is connected to itself:
//   the system lets nobody else's datagrams in.

// MARK: Clocks

int64_t casyncio_monotonic_nanoseconds(void) {
  LARGE_INTEGER frequency, time;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&time);
  int64_t seconds = time.QuadPart / frequency.QuadPart, rest = time.QuadPart % frequency.QuadPart;
  return seconds * 1000000000 + rest * 1000000000 / frequency.QuadPart;
}

static int64_t ticks(FILETIME time) { return (int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime); }

int64_t casyncio_processor_nanoseconds(void) {
  FILETIME made, ended, in_kernel, in_program;
  if (!GetThreadTimes(GetCurrentThread(), &made, &ended, &in_kernel, &in_program)) return 0;
  return (ticks(in_kernel) + ticks(in_program)) * 100;
}

int64_t casyncio_seconds_of(struct tm *time) { return _mkgmtime64(time); }

// MARK: Wake-ups

static int connect_to_itself(int socket) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int status = casyncio_bind(socket, (struct sockaddr *)&address, sizeof address);
  if (status < 0) return status;
  struct sockaddr_storage name;
  int length = casyncio_local_name(socket, &name);
  return length < 0 ? length : casyncio_connect(socket, (struct sockaddr *)&name, length);
}

int casyncio_wake_create(int *read_end, int *write_end) {
  int socket = casyncio_socket(AF_INET, SOCK_DGRAM, 0);
  if (socket < 0) return socket;
  int status = connect_to_itself(socket);
  if (status < 0) {
    casyncio_close(socket);
    return status;
  }
  *read_end = *write_end = socket;
  return 0;
}

void casyncio_wake_signal(int write_end) {
  int kept = errno;
  DWORD error = GetLastError();
  // A full socket wakes already.
  send(win32_socket(write_end), "", 1, 0);
  SetLastError(error);
  errno = kept;
}

void casyncio_wake_drain(int read_end) {
  char bytes[64];
  while (recv(win32_socket(read_end), bytes, sizeof bytes, 0) > 0) {}
}

// MARK: Waiting

int casyncio_polls_sockets_only(void) { return 1; }
int casyncio_poll_is_exact(void) { return 0; }

static int poll_sockets(casyncio_poll_entry *entries, size_t count, WSAPOLLFD *set, int milliseconds) {
  for (size_t i = 0; i < count; i++) {
    set[i] = (WSAPOLLFD){.fd = win32_socket(entries[i].fd), .events = entries[i].events};
  }
  int n = WSAPoll(set, (ULONG)count, milliseconds);
  if (n < 0) return win32_last_of_socket();
  for (size_t i = 0; i < count; i++) entries[i].returned = set[i].revents;
  return n;
}

int casyncio_poll_end_flag(void) { return 0; }

int casyncio_poll(casyncio_poll_entry *entries, size_t count, int64_t nanoseconds) {
  enum { FEW = 16 };
  int milliseconds = milliseconds_rounded_up(nanoseconds);
  if (count == 0) {
    Sleep((DWORD)milliseconds);
    return 0;
  }
  WSAPOLLFD few[FEW];
  WSAPOLLFD *set = count <= FEW ? few : calloc(count, sizeof *set);
  if (!set) return -ENOMEM;
  int n = poll_sockets(entries, count, set, milliseconds);
  if (set != few) free(set);
  return n;
}

int casyncio_is_ready(int fd, int events) {
  casyncio_poll_entry waited = {.fd = fd, .events = (short)events};
  return casyncio_poll(&waited, 1, 0) > 0;
}
#endif
