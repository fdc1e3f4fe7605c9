#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>

// Waiting until a socket is ready, without a call of the socket itself: the driver below Winsock, AFD, takes a list of
// sockets and completes when one of them is ready. The traps:
//
// - The request goes to a handle of the driver, which the port has one of; the sockets are named in the request. So a
//   socket that is tied to another port, or to none, can be waited for.
// - The driver is opened by a name under its own, which is not a file. wine 8 refuses the name; a socket is also a
//   handle of the driver.
// - A layer above the system's sockets hides their handles: the driver refuses such a number, and the handle under it
//   has to be asked for.
// - A reset is reported as an abort, and the next call may not be told: Windows says the error again and again, wine 8
//   may have forgotten it. So it is asked for here, and is the result of the watch.
// - wine 8 does not report that a connection was refused.

enum { AFD_POLL_CODE = 0x00012024 };

enum {
  AFD_RECEIVE = 0x001,
  AFD_SEND = 0x004,
  AFD_DISCONNECT = 0x008,
  AFD_ABORT = 0x010,
  AFD_LOCAL_CLOSE = 0x020,
  AFD_ACCEPT = 0x080,
  AFD_CONNECT_FAIL = 0x100,
};

static int open_by_name(HANDLE *afd) {
  static WCHAR path[] = L"\\Device\\Afd\\AsyncIO";
  UNICODE_STRING name = {.Length = sizeof path - sizeof *path, .MaximumLength = sizeof path, .Buffer = path};
  OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes, .ObjectName = &name};
  IO_STATUS_BLOCK status;
  ULONG share = FILE_SHARE_READ | FILE_SHARE_WRITE;
  return NtCreateFile(afd, SYNCHRONIZE, &attributes, &status, NULL, 0, share, FILE_OPEN, 0, NULL, 0) == 0;
}

int iocp_poll_open(casyncio_port *port) {
  if (!open_by_name(&port->afd)) {
    SOCKET spare = win32_make_socket(AF_INET, SOCK_STREAM, 0);
    if (spare == INVALID_SOCKET) return win32_negated((DWORD)WSAGetLastError());
    port->afd = (HANDLE)spare;
    port->is_afd_socket = 1;
  }
  return CreateIoCompletionPort(port->afd, port->iocp, KEY_IO, 0) ? 0 : win32_negated(GetLastError());
}

void iocp_poll_close(casyncio_port *port) {
  if (!port->afd) return;
  if (port->is_afd_socket) {
    closesocket((SOCKET)port->afd);
  } else {
    CloseHandle(port->afd);
  }
  port->afd = NULL;
}

static ULONG events_of(uint32_t events) {
  ULONG mask = AFD_ABORT | AFD_LOCAL_CLOSE | AFD_CONNECT_FAIL;
  if (events & CASYNCIO_READABLE) mask |= AFD_RECEIVE | AFD_ACCEPT | AFD_DISCONNECT;
  if (events & CASYNCIO_WRITABLE) mask |= AFD_SEND;
  return mask;
}

static NTSTATUS ask(struct iocp_operation *operation, HANDLE socket, uint32_t events) {
  struct afd_poll *poll = &operation->poll;
  poll->timeout.QuadPart = INT64_MAX;
  poll->count = 1;
  poll->is_exclusive = 0;
  poll->entry.handle = socket;
  poll->entry.events = events_of(events);
  poll->entry.status = 0;
  iocp_clear(operation, operation->port->afd);
  operation->port->calls.polls++;
  return NtDeviceIoControlFile(
      operation->port->afd, NULL, NULL, &operation->overlapped, (PIO_STATUS_BLOCK)&operation->overlapped,
      AFD_POLL_CODE, poll, sizeof *poll, poll, sizeof *poll);
}

// The handle below the layers, if there are any.
static HANDLE base_of(SOCKET socket) {
  SOCKET base = INVALID_SOCKET;
  DWORD size;
  if (WSAIoctl(socket, SIO_BASE_HANDLE, NULL, 0, &base, sizeof base, &size, NULL, NULL) != 0) return NULL;
  return base == socket ? NULL : (HANDLE)base;
}

int64_t iocp_poll(struct iocp_operation *operation, uint32_t events) {
  if (operation->record->handle < 0) return -EBADF;
  NTSTATUS status = ask(operation, iocp_handle(operation->record), events);
  if (status < 0) {
    HANDLE base = base_of(iocp_socket(operation->record));
    if (base) status = ask(operation, base, events);
  }
  // Also a success comes as a packet: the driver's handle has no other setting.
  return status < 0 ? iocp_negated_status(status) : IOCP_PENDING;
}

int64_t iocp_watch(struct iocp_operation *operation) {
  int64_t result = iocp_poll(operation, (uint32_t)operation->record->count);
  return result == -EBADF && operation->record->handle >= 0 ? iocp_watch_other(operation) : result;
}

// The error that the system still knows of; 0 if none.
static int64_t error_of(SOCKET socket) {
  int error = 0, length = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&error, &length) != 0) error = WSAGetLastError();
  return win32_negated((DWORD)error);
}

int64_t iocp_end_of_stream(const struct iocp_operation *operation) {
  if (!(operation->poll.entry.events & AFD_ABORT)) return 0;
  int64_t error = error_of(iocp_socket(operation->record));
  return error ? error : -ECONNRESET;
}

int64_t iocp_connect_result(const struct iocp_operation *operation) {
  int64_t error = error_of(iocp_socket(operation->record));
  return error || !(operation->poll.entry.events & (AFD_ABORT | AFD_CONNECT_FAIL)) ? error : -ECONNREFUSED;
}

// After an abort: the error, unless there are bytes left to read before it.
static int64_t aborted(const struct iocp_operation *operation) {
  char byte;
  int n = recv(iocp_socket(operation->record), &byte, 1, MSG_PEEK), error = n < 0 ? WSAGetLastError() : 0;
  if (n > 0) return CASYNCIO_READABLE | CASYNCIO_HANGUP | CASYNCIO_ERROR;
  return error && error != WSAEWOULDBLOCK ? win32_negated((DWORD)error) : iocp_end_of_stream(operation);
}

int64_t iocp_polled(struct iocp_operation *operation) {
  const casyncio_record *record = operation->record;
  ULONG told = operation->poll.entry.events;
  int64_t result = 0;
  if (told & AFD_ABORT) {
    result = aborted(operation);
    if (result < 0) return result;
  }
  if (told & (AFD_RECEIVE | AFD_ACCEPT | AFD_DISCONNECT)) result |= CASYNCIO_READABLE;
  if (told & AFD_SEND) result |= CASYNCIO_WRITABLE;
  if (told & AFD_CONNECT_FAIL) result |= CASYNCIO_ERROR | CASYNCIO_HANGUP;
  result &= (int64_t)record->count | CASYNCIO_ERROR | CASYNCIO_HANGUP;
  // What is left is that the socket was closed.
  return result ? result : -EBADF;
}
#endif
