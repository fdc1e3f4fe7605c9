#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uring_port.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

// The completion port over io_uring. Its traps:
//
// - The submission queue may be full and the kernel may take nothing just now. Then an operation waits in a list of the
//   port, and so does a request to cancel one: starting never fails.
// - A multishot operation may end at any event, for reasons of the kernel's own; the event then lacks MORE.
// - Sends may be short. The port sends the rest, so that an event means all bytes or an error.
// - A request to cancel finds the operation queued, waiting, at work or gone. Only the operation's own event counts;
//   the request's is dropped.
// - A connect that was interrupted goes on in the kernel, and a second one then returns EALREADY: the end is seen by
//   waiting until the socket is writable. Reads of a non-blocking pipe return EAGAIN instead of waiting, so they wait
//   in the same way.
// - With deferred work the kernel handles some twenty completions per call, even if more are due: go on until it has
//   none, or the caller's array is full.

// MARK: Submissions

// A place in the submission queue, making room if there is none.
struct uring_sqe *uring_place(casyncio_port *port) {
  struct uring_sqe *sqe = uring_ring_sqe(&port->ring);
  if (sqe) return sqe;
  uring_ring_enter(&port->ring, 0, 0, 0);
  return uring_ring_sqe(&port->ring);
}

// The flags of a watch are poll(2)'s here, so they go to the kernel and come back as they are.
_Static_assert(
    CASYNCIO_READABLE == POLLIN && CASYNCIO_WRITABLE == POLLOUT && CASYNCIO_ERROR == POLLERR &&
        CASYNCIO_HANGUP == POLLHUP,
    "the flags of a watch are translated");

static uint32_t poll_events(const casyncio_record *record) {
  switch (record->kind) {
    case CASYNCIO_KIND_WATCH: return (uint32_t)record->count;
    case CASYNCIO_KIND_READ: return POLLIN;
    default: return POLLOUT;
  }
}

static void fill_poll(struct uring_sqe *sqe, const casyncio_record *record) {
  sqe->opcode = URING_OP_POLL_ADD;
  sqe->op_flags = uring_poll_mask(poll_events(record));
}

// The kernel moves at most 2 GiB in one call.
static uint32_t length_left(const casyncio_record *record) {
  uint64_t left = record->count - record->transferred;
  return left > 0x7ffff000 ? 0x7ffff000 : (uint32_t)left;
}

static void fill(const casyncio_port *port, struct uring_sqe *sqe, const casyncio_record *record) {
  sqe->fd = record->handle;
  sqe->user_data = (uint64_t)(uintptr_t)record;
  if (record->stage == STAGE_POLL) {
    fill_poll(sqe, record);
    return;
  }
  sqe->addr = (uint64_t)(uintptr_t)record->buffer + record->transferred;
  sqe->len = length_left(record);
  switch (record->kind) {
    case CASYNCIO_KIND_ACCEPT:
      sqe->opcode = URING_OP_ACCEPT;
      sqe->addr = 0;
      sqe->len = 0;
      sqe->op_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
      if (port->features & CASYNCIO_PORT_MULTISHOT_ACCEPT) sqe->ioprio = URING_ACCEPT_MULTISHOT;
      break;
    case CASYNCIO_KIND_CONNECT:
      sqe->opcode = URING_OP_CONNECT;
      sqe->off = record->count;
      sqe->len = 0;
      break;
    case CASYNCIO_KIND_RECEIVE: sqe->opcode = URING_OP_RECV; break;
    case CASYNCIO_KIND_RECEIVE_LENT:
      sqe->opcode = URING_OP_RECV;
      sqe->addr = 0;
      sqe->len = 0;
      sqe->ioprio = URING_RECV_MULTISHOT;
      sqe->flags = URING_SQE_BUFFER_SELECT;
      sqe->buf_group = URING_LENT_GROUP;
      break;
    case CASYNCIO_KIND_SEND:
      sqe->opcode = URING_OP_SEND;
      sqe->op_flags = MSG_NOSIGNAL | MSG_WAITALL;
      break;
    case CASYNCIO_KIND_READ:
    case CASYNCIO_KIND_WRITE:
      sqe->opcode = record->kind == CASYNCIO_KIND_READ ? URING_OP_READ : URING_OP_WRITE;
      sqe->off = UINT64_MAX;
      break;
    case CASYNCIO_KIND_WATCH: break;
  }
}

static void end_unsent(casyncio_port *port, casyncio_record *record, int64_t result) {
  record->result = result;
  append(&port->ended, record);
}

static void list_it(casyncio_port *port, casyncio_record *record, uint8_t flag) {
  record->flags |= flag;
  if (record->flags & FLAG_LISTED) return;
  record->flags |= FLAG_LISTED;
  append(&port->waiting, record);
}

// Drops what waits for a place: the record is the caller's now.
void uring_unlist(casyncio_port *port, casyncio_record *record) {
  struct list kept = {NULL, NULL};
  while (port->waiting.first) {
    casyncio_record *next = take_first(&port->waiting);
    if (next != record) append(&kept, next);
  }
  port->waiting = kept;
}

// Starts the operation, or its next step.
void uring_submit(casyncio_port *port, casyncio_record *record) {
  // What is already waiting goes first.
  struct uring_sqe *sqe = port->waiting.first ? NULL : uring_place(port);
  if (sqe) {
    fill(port, sqe, record);
  } else {
    list_it(port, record, FLAG_START);
  }
}

static void fill_cancel(struct uring_sqe *sqe, const casyncio_record *record) {
  sqe->opcode = URING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->addr = (uint64_t)(uintptr_t)record;
  sqe->user_data = USER_IGNORED;
}

void uring_submit_waiting(casyncio_port *port) {
  while (port->waiting.first) {
    struct uring_sqe *sqe = uring_place(port);
    if (!sqe) return;
    casyncio_record *record = port->waiting.first;
    if (record->flags & FLAG_START) {
      fill(port, sqe, record);
      record->flags &= (uint8_t)~FLAG_START;
      if (record->flags & FLAG_CANCEL) continue;
    } else {
      fill_cancel(sqe, record);
    }
    record->flags &= (uint8_t)~(FLAG_CANCEL | FLAG_LISTED);
    take_first(&port->waiting);
  }
}

static void start(
    casyncio_port *port, casyncio_record *record, uint8_t kind, casyncio_handle handle, const void *buffer,
    uint64_t count) {
  record->kind = kind;
  record->handle = handle;
  record->buffer = (void *)(uintptr_t)buffer;
  record->count = count;
  record->transferred = 0;
  record->stage = kind == CASYNCIO_KIND_WATCH ? STAGE_POLL : STAGE_WORK;
  record->flags = 0;
  record->in_flight = 1;
  port->in_flight++;
  if (port->is_ending) {
    end_unsent(port, record, -ECANCELED);
  } else {
    uring_submit(port, record);
  }
}

#include "port_operations.h"

// MARK: Cancelling

void casyncio_port_cancel(casyncio_port *port, casyncio_record *record) {
  // While everything is being ended there is nothing to add.
  if (!record->in_flight || (record->flags & FLAG_CANCELLED) || port->is_ending) return;
  record->flags |= FLAG_CANCELLED;
  struct uring_sqe *sqe = port->waiting.first ? NULL : uring_place(port);
  if (sqe) {
    fill_cancel(sqe, record);
  } else {
    list_it(port, record, FLAG_CANCEL);
  }
}

int casyncio_port_withdraw(casyncio_port *port, casyncio_record *record) {
  if (!record->in_flight || (record->flags & (FLAG_CANCELLED | FLAG_CANCEL)) || port->is_ending) return 0;
  if (record->flags & FLAG_LISTED) {
    uring_unlist(port, record);
  } else {
    // What was started last is most likely.
    struct uring_sqe *sqe = uring_ring_find(&port->ring, (uint64_t)(uintptr_t)record);
    if (!sqe) return 0;
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = URING_OP_NOP;
    sqe->user_data = USER_IGNORED;
  }
  record->flags = 0;
  record->in_flight = 0;
  port->in_flight--;
  return 1;
}

// Sooner or later there is a place for it: until then every reap tries again.
void uring_hand_over_cancel_all(casyncio_port *port) {
  struct uring_sqe *sqe = uring_place(port);
  if (!sqe) return;
  sqe->opcode = URING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->op_flags = URING_CANCEL_ALL | URING_CANCEL_ANY;
  sqe->user_data = USER_IGNORED;
  port->is_cancel_all_due = 0;
}

void casyncio_port_cancel_all(casyncio_port *port) {
  port->is_ending = 1;
  // What never reached the kernel ends here.
  struct list listed = port->waiting;
  port->waiting = (struct list){NULL, NULL};
  while (listed.first) {
    casyncio_record *record = take_first(&listed);
    uint8_t was_started = !(record->flags & FLAG_START);
    record->flags &= (uint8_t)~(FLAG_LISTED | FLAG_START | FLAG_CANCEL);
    if (!was_started) end_unsent(port, record, -ECANCELED);
  }
  port->is_cancel_all_due = 1;
  uring_hand_over_cancel_all(port);
}
#endif
