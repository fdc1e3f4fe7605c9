#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The completion port over I/O completion ports. Its traps:
//
// - The system writes into an operation until its packet is there, whatever happens to the port or the caller. So an
//   operation is memory of the port, and the record only knows where it is.
// - A call that succeeds at once has no packet where the handle allows that, and otherwise has one; a call that fails
//   at once has none. Each step answers which it was, and what is over ends by the port's own list.
// - A request to cancel may find a call that is over, and does nothing then: its packet is on its way. Only the
//   operation's own end counts.
// - A process is not waited for by a call, and cancelling has to win a race; see iocp_files.c.

// So many operations are kept for the next ones.
enum { MOST_SPARE = 256 };

// MARK: Operations

struct iocp_operation *iocp_take(casyncio_port *port, casyncio_record *record) {
  struct iocp_operation *operation = port->spare;
  if (operation) {
    port->spare = operation->next;
    port->spare_count--;
  } else if (!(operation = malloc(sizeof *operation))) {
    return NULL;
  }
  memset(operation, 0, offsetof(struct iocp_operation, addresses));
  operation->record = record;
  operation->port = port;
  operation->accepted = INVALID_SOCKET;
  operation->next = &port->live;
  operation->previous = port->live.previous;
  operation->previous->next = operation;
  port->live.previous = operation;
  port->with_system++;
  // While it is with the system the record is in no list.
  record->next = (casyncio_record *)operation;
  return operation;
}

void iocp_leave(struct iocp_operation *operation) {
  casyncio_port *port = operation->port;
  operation->previous->next = operation->next;
  operation->next->previous = operation->previous;
  port->with_system--;
  // What was told has ended: the system's thread does not look at it any more.
  if (operation->wait) UnregisterWaitEx(operation->wait, NULL);
  if (operation->event) CloseHandle(operation->event);
  if (operation->accepted != INVALID_SOCKET) closesocket(operation->accepted);
  if (port->spare_count == MOST_SPARE) {
    free(operation);
    return;
  }
  operation->next = port->spare;
  port->spare = operation;
  port->spare_count++;
}

void iocp_end(casyncio_port *port, casyncio_record *record, int64_t result) {
  record->result = result;
  record->flags |= FLAG_ENDED;
  append(&port->ended, record);
}

// MARK: Starting

int64_t iocp_step(struct iocp_operation *operation) {
  switch (operation->record->kind) {
    case CASYNCIO_KIND_ACCEPT: return iocp_accept(operation);
    case CASYNCIO_KIND_CONNECT: return iocp_connect(operation);
    case CASYNCIO_KIND_RECEIVE: return iocp_receive(operation);
    case CASYNCIO_KIND_RECEIVE_LENT: return iocp_receive_lent(operation);
    case CASYNCIO_KIND_SEND: return iocp_send(operation);
    case CASYNCIO_KIND_READ:
    case CASYNCIO_KIND_WRITE: return iocp_transfer(operation);
    case CASYNCIO_KIND_WATCH: return iocp_watch(operation);
    default: return -EOPNOTSUPP;
  }
}

static void start(
    casyncio_port *port, casyncio_record *record, uint8_t kind, casyncio_handle handle, const void *buffer,
    uint64_t count) {
  uint8_t known = record->handle == handle ? record->flags & FLAGS_KNOWN : 0;
  record->kind = kind;
  record->handle = handle;
  record->buffer = (void *)(uintptr_t)buffer;
  record->count = count;
  record->transferred = 0;
  record->stage = STAGE_WORK;
  record->flags = known;
  record->in_flight = 1;
  port->in_flight++;
  struct iocp_operation *operation = port->is_ending ? NULL : iocp_take(port, record);
  if (!operation) {
    iocp_end(port, record, port->is_ending ? -ECANCELED : -ENOMEM);
    return;
  }
  int64_t result = iocp_step(operation);
  if (result == IOCP_PENDING) return;
  iocp_leave(operation);
  iocp_end(port, record, result);
}

#include "port_operations.h"

// MARK: Cancelling

void iocp_cancel(struct iocp_operation *operation) {
  if (!operation->wait || operation->event) {
    CancelIoEx(operation->target, &operation->overlapped);
    return;
  }
  // A process. After this no thread of the system has anything to do with it.
  UnregisterWaitEx(operation->wait, INVALID_HANDLE_VALUE);
  operation->wait = NULL;
  if (operation->is_told) return;
  casyncio_record *record = operation->record;
  casyncio_port *port = operation->port;
  iocp_leave(operation);
  if (record) iocp_end(port, record, -ECANCELED);
}

void casyncio_port_cancel(casyncio_port *port, casyncio_record *record) {
  // While everything is being ended there is nothing to add.
  if (!record->in_flight || (record->flags & (FLAG_CANCELLED | FLAG_ENDED)) || port->is_ending) return;
  record->flags |= FLAG_CANCELLED;
  iocp_cancel((struct iocp_operation *)record->next);
}

// The system has what was started.
int casyncio_port_withdraw(casyncio_port *port, casyncio_record *record) {
  (void)port, (void)record;
  return 0;
}

void casyncio_port_cancel_all(casyncio_port *port) {
  struct iocp_operation *next;
  for (struct iocp_operation *operation = port->live.next; operation != &port->live; operation = next) {
    next = operation->next;
    if (operation->record) casyncio_port_cancel(port, operation->record);
  }
  port->is_ending = 1;
}

// The driver lets go of a socket when the request that was cancelled is over, which is soon: some thread of the system
// may be at work on it.
int casyncio_port_settle(casyncio_port *port) {
  if (port->is_ending) return 0;
  for (struct iocp_operation *operation = port->live.next; operation != &port->live; operation = operation->next) {
    if (!operation->record || !(operation->record->flags & FLAG_CANCELLED)) continue;
    for (int round = 0; !HasOverlappedIoCompleted(&operation->overlapped); round++) {
      if (round == 1000) return 0;
      SwitchToThread();
    }
  }
  return 1;
}
#endif
