#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>
#include <stdlib.h>

// A port lives as long as its loop. The system's part of it belongs to no thread, so a run of the loop only takes it
// over. The traps:
//
// - What is abandoned is still with the system, which writes into it when it ends. It is asked to end, and there is a
//   time to wait for that; an operation that has not ended by then is never freed, and neither is the caller's memory
//   known to be free.
// - The functions that accept and connect are the provider's, and have to be asked for through a socket.

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 2
#endif

static int find_functions(casyncio_port *port) {
  GUID accept = WSAID_ACCEPTEX, connect = WSAID_CONNECTEX;
  SOCKET socket = win32_make_socket(AF_INET, SOCK_STREAM, 0);
  if (socket == INVALID_SOCKET) return win32_negated((DWORD)WSAGetLastError());
  DWORD n, code = SIO_GET_EXTENSION_FUNCTION_POINTER;
  int status =
      WSAIoctl(socket, code, &accept, sizeof accept, &port->accept, sizeof port->accept, &n, NULL, NULL) |
      WSAIoctl(socket, code, &connect, sizeof connect, &port->connect, sizeof port->connect, &n, NULL, NULL);
  int error = status ? win32_negated((DWORD)WSAGetLastError()) : 0;
  closesocket(socket);
  return error;
}

static HANDLE make_timer(void) {
  HANDLE timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
  return timer ? timer : CreateWaitableTimerExW(NULL, NULL, 0, TIMER_ALL_ACCESS);
}

static int open_all(casyncio_port *port) {
  port->iocp = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
  if (!port->iocp) return win32_negated(GetLastError());
  // Without a timer waits are longer than they should be.
  port->timer = make_timer();
  int error = find_functions(port);
  return error < 0 ? error : iocp_poll_open(port);
}

int casyncio_port_create(const casyncio_port_options *options, casyncio_port **result) {
  static volatile LONG count;
  int error = win32_prepare();
  if (error < 0) return error;
  casyncio_port *port = calloc(1, sizeof *port);
  if (!port) return -ENOMEM;
  port->live.next = port->live.previous = &port->live;
  port->number = (uint32_t)InterlockedIncrement(&count);
  port->without = options ? options->without : 0;
  port->lent = iocp_lent_make(options);
  error = port->lent ? open_all(port) : -ENOMEM;
  if (error < 0) {
    casyncio_port_destroy(port);
    return error;
  }
  *result = port;
  return 0;
}

int casyncio_port_begin(casyncio_port *port, int *step) {
  *step = CASYNCIO_STEP_NONE;
  port->is_ending = 0;
  return 0;
}

void iocp_drain(casyncio_port *port, uint32_t milliseconds) {
  OVERLAPPED_ENTRY packet;
  ULONGLONG end = GetTickCount64() + milliseconds;
  while (port->with_system > 0) {
    ULONGLONG now = GetTickCount64();
    ULONG count = 0;
    DWORD limit = now < end ? (DWORD)(end - now) : 0;
    if (!GetQueuedCompletionStatusEx(port->iocp, &packet, 1, &count, limit, FALSE) || count == 0) return;
    if (packet.lpCompletionKey != KEY_WAKE) iocp_leave((struct iocp_operation *)packet.lpOverlapped);
  }
}

// The caller's memory may be gone after this. What still uses it is asked to end, and is waited for, but not for ever.
static void abandon_all(casyncio_port *port) {
  struct iocp_operation *next;
  for (struct iocp_operation *operation = port->live.next; operation != &port->live; operation = next) {
    next = operation->next;
    operation->record = NULL;
    iocp_cancel(operation);
  }
  iocp_drain(port, 1000);
}

void casyncio_port_end(casyncio_port *port, int abandon) {
  if (port->in_flight > 0) {
    if (!abandon) abort();
    abandon_all(port);
  }
  port->in_flight = 0;
  port->ended = (struct list){NULL, NULL};
}

void casyncio_port_destroy(casyncio_port *port) {
  // Waits for readiness end with their handle.
  iocp_poll_close(port);
  if (port->with_system > 0) iocp_drain(port, 100);
  if (port->timer) CloseHandle(port->timer);
  if (port->iocp) CloseHandle(port->iocp);
  while (port->spare) {
    struct iocp_operation *operation = port->spare;
    port->spare = operation->next;
    free(operation);
  }
  if (port->lent) iocp_lent_release(port->lent);
  free(port);
}

uint32_t casyncio_port_features(const casyncio_port *port) {
  uint32_t features = CASYNCIO_PORT_BASIC | CASYNCIO_PORT_MULTISHOT_ACCEPT;
  if (!(port->without & CASYNCIO_PORT_LENT)) features |= CASYNCIO_PORT_LENT | CASYNCIO_PORT_SHARED_BUFFERS;
  return features & ~port->without;
}

uint64_t casyncio_port_in_flight(const casyncio_port *port) { return port->in_flight; }
casyncio_lent *casyncio_port_lent(casyncio_port *port) { return port->lent; }
casyncio_port_calls casyncio_port_count_calls(const casyncio_port *port) { return port->calls; }
#endif
