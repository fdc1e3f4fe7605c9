#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>
#include <limits.h>

// The calls of sockets. Each has two ways: overlapped, and for a socket that is tied to another port, waiting until it
// is ready and making the call then. (A connect is waited for by an event of its own; wine 8 does not report all of its
// ends as readiness.) The traps:
//
// - An overlapped send that is cancelled does not say how much is gone, and its caller has to know. So a send is a call
//   that does not wait, and then a wait for room.
// - A send that does not wait takes everything if there is room for one byte. So it is given little at a time, or a
//   slow peer would never hold anybody up.
// - AcceptEx needs the new socket before there is a connection, and room for two addresses with 16 bytes more for each.
//   On a socket that does not listen it waits for ever.
// - ConnectEx needs a bound socket, and knows connections only. What it and AcceptEx have connected is like any other
//   socket only after its context was updated.
// - A datagram that is longer than the memory for it is an error here, and its beginning there: it counts as received.

// So much goes in one call of a send.
enum { SEND_STEP = 16 * 1024 };

static ULONG at_most(uint64_t count) { return count > INT_MAX ? INT_MAX : (ULONG)count; }

// What an overlapped call says at once. If there will be no packet, the operation is over.
static int64_t begun(const casyncio_record *record, int has_succeeded, DWORD error, int64_t result) {
  if (has_succeeded) return record->flags & FLAG_SKIPS ? result : IOCP_PENDING;
  return error == WSA_IO_PENDING ? IOCP_PENDING : iocp_negated_socket(record, error);
}

static int64_t wait_until(struct iocp_operation *operation, uint32_t events) {
  operation->record->stage = STAGE_POLL;
  return iocp_poll(operation, events);
}

// MARK: Receiving

static int64_t receive_when_ready(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  int error = iocp_unblock(operation->port, record);
  if (error < 0) return error;
  operation->port->calls.receives++;
  int n = recv(iocp_socket(record), record->buffer, (int)at_most(record->count), 0);
  if (n == 0 && record->count > 0) {
    // The end, or a reset of which only the driver knows.
    return record->stage == STAGE_POLL ? iocp_end_of_stream(operation) : wait_until(operation, CASYNCIO_READABLE);
  }
  if (n >= 0) return n;
  DWORD reason = (DWORD)WSAGetLastError();
  if (reason == WSAEMSGSIZE) return (int64_t)record->count;
  if (reason != WSAEWOULDBLOCK) return iocp_negated_socket(record, reason);
  return wait_until(operation, CASYNCIO_READABLE);
}

int64_t iocp_receive(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  int owner = iocp_claim(operation, 1);
  if (owner < 0) return owner;
  if (owner == IOCP_ELSEWHERE) return receive_when_ready(operation);
  WSABUF buffer = {.len = at_most(record->count), .buf = record->buffer};
  DWORD n = 0;
  iocp_clear(operation, iocp_handle(record));
  operation->received_flags = 0;
  operation->port->calls.receives++;
  int status =
      WSARecv(iocp_socket(record), &buffer, 1, &n, &operation->received_flags, &operation->overlapped, NULL);
  DWORD error = status ? (DWORD)WSAGetLastError() : 0;
  return begun(record, status == 0 || error == WSAEMSGSIZE, error, n);
}

// MARK: Sending

// Only the bytes of a stream may go in pieces.
static int is_stream(casyncio_record *record) {
  if (record->flags & FLAG_STREAM) return 1;
  int type = 0, length = sizeof type;
  if (getsockopt(iocp_socket(record), SOL_SOCKET, SO_TYPE, (char *)&type, &length) != 0) return 1;
  if (type == SOCK_STREAM) record->flags |= FLAG_STREAM;
  return type == SOCK_STREAM;
}

int64_t iocp_send(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  int error = iocp_unblock(operation->port, record);
  if (error < 0) return error;
  int in_pieces = record->count > SEND_STEP && is_stream(record);
  do {
    uint64_t left = record->count - record->transferred;
    const char *bytes = (const char *)record->buffer + record->transferred;
    operation->port->calls.sends++;
    int n = send(iocp_socket(record), bytes, in_pieces && left > SEND_STEP ? SEND_STEP : (int)at_most(left), 0);
    if (n < 0) {
      DWORD reason = (DWORD)WSAGetLastError();
      if (reason != WSAEWOULDBLOCK) return iocp_negated_socket(record, reason);
      return wait_until(operation, CASYNCIO_WRITABLE);
    }
    record->transferred += (uint64_t)n;
  } while (record->transferred < record->count);
  return (int64_t)record->count;
}

// MARK: Accepting

// Find the family of the sockets to make. Fails for what does not listen.
static int look_at_listener(struct iocp_operation *operation) {
  SOCKET listener = iocp_socket(operation->record);
  BOOL listens = FALSE;
  int length = sizeof listens;
  if (getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listens, &length) != 0) {
    return iocp_negated_socket(operation->record, (DWORD)WSAGetLastError());
  }
  WSAPROTOCOL_INFOW info;
  length = sizeof info;
  if (!listens || getsockopt(listener, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length) != 0) return -EINVAL;
  operation->family = info.iAddressFamily;
  return 0;
}

int64_t iocp_accept_ready(struct iocp_operation *operation) {
  SOCKET socket = accept(iocp_socket(operation->record), NULL, NULL);
  if (socket == INVALID_SOCKET) return iocp_negated_socket(operation->record, (DWORD)WSAGetLastError());
  SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0);
  return win32_finish_socket(socket);
}

int64_t iocp_accept(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  int owner = iocp_claim(operation, 1);
  int error = owner < 0 || operation->family ? 0 : look_at_listener(operation);
  if (owner < 0 || error < 0) return owner < 0 ? owner : error;
  if (owner == IOCP_ELSEWHERE) {
    error = iocp_unblock(operation->port, record);
    return error < 0 ? error : wait_until(operation, CASYNCIO_READABLE);
  }
  operation->accepted = win32_make_socket(operation->family, SOCK_STREAM, 0);
  if (operation->accepted == INVALID_SOCKET) return win32_negated((DWORD)WSAGetLastError());
  DWORD n, half = sizeof operation->addresses / 2;
  iocp_clear(operation, iocp_handle(record));
  operation->port->calls.others += 2;
  BOOL has_succeeded = operation->port->accept(
      iocp_socket(record), operation->accepted, operation->addresses, 0, half, half, &n, &operation->overlapped);
  if (has_succeeded && (record->flags & FLAG_SKIPS)) {
    // Each connection is an event of its own, so it needs its packet.
    PostQueuedCompletionStatus(operation->port->iocp, 0, KEY_IO, &operation->overlapped);
    return IOCP_PENDING;
  }
  int64_t result = begun(record, has_succeeded, (DWORD)WSAGetLastError(), 0);
  if (result == IOCP_PENDING) return IOCP_PENDING;
  closesocket(operation->accepted);
  operation->accepted = INVALID_SOCKET;
  return result;
}

int64_t iocp_accepted(struct iocp_operation *operation) {
  SOCKET listener = iocp_socket(operation->record), socket = operation->accepted;
  operation->accepted = INVALID_SOCKET;
  setsockopt(socket, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener, sizeof listener);
  operation->port->calls.others += 2;
  return win32_finish_socket(socket);
}

// MARK: Connecting

// For sockets that ConnectEx does not know.
static int64_t connect_when_ready(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  int error = iocp_unblock(operation->port, record);
  if (error < 0) return error;
  if (connect(iocp_socket(record), record->buffer, (int)record->count) == 0) return 0;
  DWORD reason = (DWORD)WSAGetLastError();
  if (reason != WSAEWOULDBLOCK) return iocp_negated_socket(record, reason);
  return wait_until(operation, CASYNCIO_WRITABLE);
}

// A socket that is bound already refuses it, and may.
static void bind_to_any(SOCKET socket, int family) {
  struct sockaddr_storage any = {.ss_family = (short)family};
  int length = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  bind(socket, (const struct sockaddr *)&any, length);
}

int64_t iocp_connect(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  const struct sockaddr *address = record->buffer;
  // A socket connects once: what the record remembers is of another one.
  record->flags &= (uint8_t)~FLAGS_KNOWN;
  int owner = iocp_claim(operation, 1), family = address->sa_family;
  if (owner < 0) return owner;
  if (family != AF_INET && family != AF_INET6) return connect_when_ready(operation);
  bind_to_any(iocp_socket(record), family);
  DWORD n = 0;
  iocp_clear(operation, iocp_handle(record));
  int error = owner == IOCP_ELSEWHERE ? iocp_use_event(operation) : 0;
  if (error < 0) return error;
  operation->port->calls.others += 2;
  BOOL has_succeeded = operation->port->connect(
      iocp_socket(record), address, (int)record->count, NULL, 0, &n, &operation->overlapped);
  DWORD reason = has_succeeded ? 0 : (DWORD)WSAGetLastError();
  if (owner == IOCP_ELSEWHERE && reason == WSA_IO_PENDING) return iocp_wait_for_event(operation);
  if (owner == IOCP_ELSEWHERE && has_succeeded) return iocp_connected(operation);
  int64_t result = begun(record, has_succeeded, reason, 0);
  if (result == -EOPNOTSUPP) return connect_when_ready(operation);
  return result == 0 ? iocp_connected(operation) : result;
}

int64_t iocp_connected(struct iocp_operation *operation) {
  SOCKET socket = iocp_socket(operation->record);
  if (operation->record->stage == STAGE_POLL) return iocp_connect_result(operation);
  operation->port->calls.others++;
  int status = setsockopt(socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
  return status == 0 ? 0 : win32_negated((DWORD)WSAGetLastError());
}
#endif
