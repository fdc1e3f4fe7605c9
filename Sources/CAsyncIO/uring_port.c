#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CompletionPort.h"
#include "uring_lent.h"
#include "uring_ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// The completion port over io_uring. Its traps:
//
// - The submission queue may be full and the kernel may take nothing just now. Then an operation waits in a list of the
//   port, and so does a request to cancel one: starting never fails.
// - A multishot operation may end at any event, for reasons of the kernel's own; the event then lacks MORE.
// - Sends may be short. The port sends the rest, so that an event means all bytes or an error.
// - A request to cancel finds the operation queued, waiting, at work or gone. Only the operation's own event counts;
//   the request's is thrown away.
// - A connect that was interrupted goes on in the kernel, and a second one then says EALREADY: the end is seen by
//   waiting until the socket is writable. Reads of a non-blocking pipe answer EAGAIN instead of waiting, so they wait in
//   the same way.
// - With deferred work the kernel handles some twenty completions a call, even if more are due: go on until it has none,
//   or the caller's array is full.

enum { USER_IGNORED = 0, USER_WAKE = 1 };

// Where an operation is that takes more than one submission.
enum { STAGE_WORK = 0, STAGE_POLL };

enum {
  // In the port's list, to be started, or to be cancelled after.
  FLAG_LISTED = 1,
  FLAG_START = 2,
  FLAG_CANCEL = 4,
  // Somebody asked for its end: nothing is started again for it.
  FLAG_CANCELLED = 8,
};

struct list {
  casyncio_record *first, *last;
};

struct casyncio_port {
  struct uring_ring ring;
  casyncio_lent *lent;
  casyncio_port_options options;
  // Waiting for a place in the submission queue; ended without the kernel.
  struct list waiting, ended;
  uint64_t in_flight;
  uint32_t features;
  int wake_fd;
  uint8_t is_wake_armed, is_ending, is_cancel_all_due, is_wait_over;
};

static void append(struct list *list, casyncio_record *record) {
  record->next = NULL;
  if (list->last) {
    list->last->next = record;
  } else {
    list->first = record;
  }
  list->last = record;
}

static casyncio_record *take_first(struct list *list) {
  casyncio_record *record = list->first;
  list->first = record->next;
  if (!list->first) list->last = NULL;
  record->next = NULL;
  return record;
}

// MARK: Submissions

// A place in the submission queue, making room if there is none.
static struct uring_sqe *place(casyncio_port *port) {
  struct uring_sqe *sqe = uring_ring_sqe(&port->ring);
  if (sqe) return sqe;
  uring_ring_enter(&port->ring, 0, 0, 0);
  return uring_ring_sqe(&port->ring);
}

static uint32_t poll_events(const casyncio_record *record) {
  switch (record->kind) {
    case CASYNCIO_KIND_WATCH: return (uint32_t)record->count;
    case CASYNCIO_KIND_READ: return POLLIN;
    default: return POLLOUT;
  }
}

static void fill_poll(struct uring_sqe *sqe, const casyncio_record *record) {
  sqe->opcode = URING_OP_POLL_ADD;
  sqe->op_flags = poll_events(record);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  sqe->op_flags = sqe->op_flags << 16 | sqe->op_flags >> 16;
#endif
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

// Starts the operation, or its next step.
static void submit(casyncio_port *port, casyncio_record *record) {
  // What waits already goes first.
  struct uring_sqe *sqe = port->waiting.first ? NULL : place(port);
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

static void submit_waiting(casyncio_port *port) {
  while (port->waiting.first) {
    struct uring_sqe *sqe = place(port);
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
    submit(port, record);
  }
}

void casyncio_port_accept(casyncio_port *port, casyncio_record *record, casyncio_handle handle) {
  start(port, record, CASYNCIO_KIND_ACCEPT, handle, NULL, 0);
}

void casyncio_port_connect(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *address, socklen_t length) {
  start(port, record, CASYNCIO_KIND_CONNECT, handle, address, length);
}

void casyncio_port_receive(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, void *buffer, size_t count) {
  start(port, record, CASYNCIO_KIND_RECEIVE, handle, buffer, count);
}

void casyncio_port_receive_lent(casyncio_port *port, casyncio_record *record, casyncio_handle handle) {
  start(port, record, CASYNCIO_KIND_RECEIVE_LENT, handle, NULL, 0);
}

void casyncio_port_send(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *bytes, size_t count) {
  start(port, record, CASYNCIO_KIND_SEND, handle, bytes, count);
}

void casyncio_port_read(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, void *buffer, size_t count) {
  start(port, record, CASYNCIO_KIND_READ, handle, buffer, count);
}

void casyncio_port_write(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *bytes, size_t count) {
  start(port, record, CASYNCIO_KIND_WRITE, handle, bytes, count);
}

void casyncio_port_watch(casyncio_port *port, casyncio_record *record, casyncio_handle handle, uint32_t events) {
  start(port, record, CASYNCIO_KIND_WATCH, handle, NULL, events);
}

// MARK: Cancelling

void casyncio_port_cancel(casyncio_port *port, casyncio_record *record) {
  // While everything is being ended there is nothing to add.
  if (!record->in_flight || (record->flags & FLAG_CANCELLED) || port->is_ending) return;
  record->flags |= FLAG_CANCELLED;
  struct uring_sqe *sqe = port->waiting.first ? NULL : place(port);
  if (sqe) {
    fill_cancel(sqe, record);
  } else {
    list_it(port, record, FLAG_CANCEL);
  }
}

// Sooner or later there is a place for it: until then every reap tries again.
static void hand_over_cancel_all(casyncio_port *port) {
  struct uring_sqe *sqe = place(port);
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
  hand_over_cancel_all(port);
}

// MARK: Events

// Another submission for the same operation, unless nobody wants it any more.
static int again(casyncio_port *port, casyncio_record *record, int64_t *result) {
  if (port->is_ending || (record->flags & FLAG_CANCELLED)) {
    *result = -ECANCELED;
    return 0;
  }
  submit(port, record);
  return 1;
}

// The end of a connect that went on without its operation.
static int64_t connect_result(const casyncio_record *record) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(record->handle, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
  return -error;
}

// What an event of the kernel means for its operation. 1: it goes on without an event for the caller.
static int goes_on(casyncio_port *port, casyncio_record *record, int64_t *result) {
  switch (record->kind) {
    case CASYNCIO_KIND_SEND:
    case CASYNCIO_KIND_WRITE:
      if (record->stage == STAGE_POLL && *result >= 0) {
        record->stage = STAGE_WORK;
        return again(port, record, result);
      }
      if (*result > 0 || (*result == 0 && record->count == 0)) {
        record->transferred += (uint64_t)*result;
        *result = (int64_t)record->count;
        return record->transferred < record->count && again(port, record, result);
      }
      // fall through
    case CASYNCIO_KIND_READ:
      if (record->stage == STAGE_POLL && *result >= 0) {
        record->stage = STAGE_WORK;
        return again(port, record, result);
      }
      if (*result == -EAGAIN) {
        record->stage = STAGE_POLL;
        return again(port, record, result);
      }
      // fall through
    case CASYNCIO_KIND_RECEIVE: return *result == -EINTR && again(port, record, result);
    case CASYNCIO_KIND_CONNECT:
      if (record->stage == STAGE_POLL) {
        if (*result >= 0) *result = connect_result(record);
        return 0;
      }
      if (*result == -EISCONN) *result = 0;
      if (*result != -EALREADY && *result != -EINTR && *result != -EINPROGRESS) return 0;
      record->stage = STAGE_POLL;
      return again(port, record, result);
    default: return 0;
  }
}

static void arm_wake(casyncio_port *port) {
  struct uring_sqe *sqe = place(port);
  if (!sqe) return;
  // Each write of the event descriptor is an event of its own.
  sqe->opcode = URING_OP_POLL_ADD;
  sqe->fd = port->wake_fd;
  sqe->len = URING_POLL_ADD_MULTI;
  sqe->op_flags = POLLIN;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  sqe->op_flags = sqe->op_flags << 16 | sqe->op_flags >> 16;
#endif
  sqe->user_data = USER_WAKE;
  port->is_wake_armed = 1;
}

// A wake is felt. What the event descriptor has counted must not be felt again when it is armed the next time, in this
// life of the port or in another.
static void end_wakes(casyncio_port *port, const struct uring_cqe *cqe) {
  uint64_t count;
  if (cqe->res >= 0) {
    ssize_t n = read(port->wake_fd, &count, sizeof count);
    (void)n;
    port->is_wait_over = 1;
  }
  if (!(cqe->flags & URING_CQE_MORE)) port->is_wake_armed = 0;
}

// The operation has ended while a request to cancel it still waited for its place: the record is the caller's now.
static void unlist(casyncio_port *port, casyncio_record *record) {
  struct list kept = {NULL, NULL};
  while (port->waiting.first) {
    casyncio_record *next = take_first(&port->waiting);
    if (next != record) append(&kept, next);
  }
  port->waiting = kept;
}

// Turns one event of the kernel into one for the caller. 1: there is one.
static int translate(casyncio_port *port, const struct uring_cqe *cqe, casyncio_event *event) {
  if (cqe->user_data <= USER_WAKE) {
    if (cqe->user_data == USER_WAKE) end_wakes(port, cqe);
    return 0;
  }
  casyncio_record *record = (casyncio_record *)(uintptr_t)cqe->user_data;
  event->record = record;
  event->result = cqe->res;
  event->flags = cqe->flags & URING_CQE_MORE ? CASYNCIO_EVENT_MORE : 0;
  event->bytes = NULL;
  event->lease = 0;
  if (cqe->flags & URING_CQE_BUFFER) {
    event->bytes = uring_lent_take(port->lent, cqe->flags, cqe->res > 0 ? (uint32_t)cqe->res : 0, &event->lease);
    if (cqe->res > 0) event->flags |= CASYNCIO_EVENT_LENT;
  }
  if (cqe->flags & URING_CQE_MORE) return 1;
  if (goes_on(port, record, &event->result)) return 0;
  if (record->flags & FLAG_LISTED) unlist(port, record);
  record->in_flight = 0;
  port->in_flight--;
  return 1;
}

static uint32_t take_ended(casyncio_port *port, casyncio_event *events, uint32_t capacity) {
  uint32_t n = 0;
  while (n < capacity && port->ended.first) {
    casyncio_record *record = take_first(&port->ended);
    record->in_flight = 0;
    port->in_flight--;
    events[n++] = (casyncio_event){.record = record, .result = record->result};
  }
  return n;
}

static uint32_t take_events(casyncio_port *port, casyncio_event *events, uint32_t capacity) {
  struct uring_ring *ring = &port->ring;
  uint32_t head = *ring->cq_head, tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE), n = 0;
  while (n < capacity && head != tail) {
    // A record two events ahead will be in the cache when its turn comes.
    if (tail - head > 2) __builtin_prefetch((void *)(uintptr_t)ring->cqes[(head + 2) & ring->cq_mask].user_data, 1, 3);
    struct uring_cqe cqe = ring->cqes[head & ring->cq_mask];
    n += (uint32_t)translate(port, &cqe, &events[n]);
    head++;
    // The place is the kernel's again.
    __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
  }
  return n;
}

static int reap_once(casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds) {
  struct uring_ring *ring = &port->ring;
  if (port->is_cancel_all_due) hand_over_cancel_all(port);
  if (!port->is_wake_armed) arm_wake(port);
  submit_waiting(port);
  uint32_t n = take_ended(port, events, capacity);
  int waits = n == 0 && nanoseconds != 0 && !uring_ring_has_events(ring);
  // Deferred work begins to be flagged only when it is there, so an empty poll costs no call.
  int calls = waits || uring_ring_queued(ring) > 0 || uring_ring_has_work(ring);
  for (int round = 0;; round++) {
    if (calls) {
      int error = uring_ring_enter(ring, waits ? 1 : 0, 1, nanoseconds);
      if (error != 0) port->is_wait_over = 1;
      switch (error) {
        case 0:
        case -ETIME:
        case -EINTR:
        // The event queue is full, or memory is short: take what is there, and the rest is handed over the next time.
        case -EBUSY:
        case -EAGAIN: break;
        default: return n > 0 ? (int)n : error;
      }
      if (error == -EAGAIN && !uring_ring_has_events(ring)) poll(NULL, 0, 1);
    }
    n += take_events(port, events + n, capacity - n);
    if (n == capacity || !uring_ring_has_work(ring) || round == 64) return (int)n;
    waits = 0;
    calls = 1;
  }
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int casyncio_port_reap(casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds) {
  int64_t start = nanoseconds > 0 ? now() : 0, left = nanoseconds;
  for (;;) {
    port->is_wait_over = 0;
    int n = reap_once(port, events, capacity, left);
    if (n != 0 || nanoseconds == 0 || port->is_wait_over) return n;
    // All that has ended is a step of an operation that goes on, or a request to cancel.
    if (nanoseconds < 0) continue;
    left = nanoseconds - (now() - start);
    if (left <= 0) return 0;
  }
}

void casyncio_port_wake(casyncio_port *port) {
  int saved = errno;
  uint64_t one = 1;
  ssize_t n = write(port->wake_fd, &one, sizeof one);
  (void)n;
  errno = saved;
}

// MARK: Life

int casyncio_port_create(const casyncio_port_options *options, casyncio_port **result) {
  casyncio_port *port = calloc(1, sizeof *port);
  if (!port) return -ENOMEM;
  if (options) port->options = *options;
  casyncio_port_options *o = &port->options;
  if (!o->entries) o->entries = 1024;
  if (!o->event_entries) o->event_entries = 4096;
  // As much as stays in a core's second cache: the ring hands its buffers out in turn, so all of it passes through.
  if (!o->lent_count) o->lent_count = 16;
  if (!o->lent_size) o->lent_size = 64 * 1024;
  port->ring.fd = -1;
  port->lent = uring_lent_make(o->lent_count, o->lent_size);
  port->wake_fd = port->lent ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
  if (port->wake_fd < 0) {
    int error = port->lent ? -errno : -ENOMEM;
    if (port->lent) uring_lent_release(port->lent);
    free(port);
    return error;
  }
  *result = port;
  return 0;
}

// Which of the features that are no condition this kernel has.
static void find_features(casyncio_port *port) {
  uint32_t without = port->options.without;
  uint32_t features = CASYNCIO_PORT_BASIC;
  // Multishot accept came with the buffer rings (5.19), multishot receive after them (6.0).
  if (!(without & CASYNCIO_PORT_MULTISHOT_ACCEPT)) features |= CASYNCIO_PORT_MULTISHOT_ACCEPT;
  if (port->ring.setup_flags & URING_SETUP_DEFER_TASKRUN) features |= CASYNCIO_PORT_DEFERRED_WORK;
  // A kernel with single issuers (6.0) has multishot receives.
  int multishot = (port->ring.setup_flags & URING_SETUP_SINGLE_ISSUER) != 0;
  if (multishot && !(without & CASYNCIO_PORT_LENT)) {
    if (!(without & CASYNCIO_PORT_SHARED_BUFFERS) && uring_lent_attach(port->lent, &port->ring, 1) == 0) {
      features |= CASYNCIO_PORT_LENT | CASYNCIO_PORT_SHARED_BUFFERS;
    } else if (uring_lent_attach(port->lent, &port->ring, 0) == 0) {
      features |= CASYNCIO_PORT_LENT;
    }
  }
  port->features = features;
}

int casyncio_port_begin(casyncio_port *port, int *step) {
  static const uint8_t needed[] = {URING_OP_POLL_ADD, URING_OP_ACCEPT, URING_OP_ASYNC_CANCEL, URING_OP_CONNECT,
                                   URING_OP_READ,     URING_OP_WRITE,  URING_OP_SEND,         URING_OP_RECV};
  const casyncio_port_options *o = &port->options;
  int deferred = !(o->without & CASYNCIO_PORT_DEFERRED_WORK);
  int error = uring_ring_make(&port->ring, o->entries, o->event_entries, deferred, step);
  if (error < 0) return error;
  *step = CASYNCIO_STEP_OPERATIONS;
  error = uring_ring_probe(&port->ring, needed, sizeof needed);
  if (error < 0) {
    uring_ring_destroy(&port->ring);
    return error;
  }
  *step = CASYNCIO_STEP_NONE;
  port->is_ending = 0;
  port->is_cancel_all_due = 0;
  port->is_wake_armed = 0;
  find_features(port);
  return 0;
}

// The ring takes no calls any more, and operations may be at work on the caller's memory: ends them by another call
// (Linux 6.0), and waits for that, though not for ever. The kernel ends what is left when the ring is closed, but does
// not say when.
static void end_abandoned(casyncio_port *port) {
  struct uring_sync_cancel cancel;
  memset(&cancel, 0, sizeof cancel);
  cancel.fd = -1;
  cancel.flags = URING_CANCEL_ALL | URING_CANCEL_ANY;
  cancel.seconds = 1;
  uring_ring_register(&port->ring, URING_REGISTER_SYNC_CANCEL, &cancel, 1);
}

void casyncio_port_end(casyncio_port *port, int abandon) {
  if (port->in_flight > 0) {
    if (!abandon) abort();
    end_abandoned(port);
  }
  port->in_flight = 0;
  port->waiting = (struct list){NULL, NULL};
  port->ended = (struct list){NULL, NULL};
  uring_lent_detach(port->lent, &port->ring);
  uring_ring_destroy(&port->ring);
}

void casyncio_port_destroy(casyncio_port *port) {
  close(port->wake_fd);
  uring_lent_release(port->lent);
  free(port);
}

uint32_t casyncio_port_features(const casyncio_port *port) { return port->features; }
uint64_t casyncio_port_in_flight(const casyncio_port *port) { return port->in_flight; }
casyncio_lent *casyncio_port_lent(casyncio_port *port) { return port->lent; }
#endif
