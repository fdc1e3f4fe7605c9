#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uring_port.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

// From the kernel's events to the caller's: an operation may go on, and then its event stays inside the port.

// Makes another submission for the same operation, unless it is to end.
static int again(casyncio_port *port, casyncio_record *record, int64_t *result) {
  if (port->is_ending || (record->flags & FLAG_CANCELLED)) {
    *result = -ECANCELED;
    return 0;
  }
  uring_submit(port, record);
  return 1;
}

// The end of a connect that went on without its operation.
static int64_t connect_result(const casyncio_record *record) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(record->handle, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -errno;
  return -error;
}

// The reason why a send stopped on its way. One that waits for all its bytes says how many it has sent, and not why it
// stopped: the system has then told the reset of the peer, which it does once, and the rest of the bytes finds a broken
// pipe. It is the peer's doing if the connection is gone altogether; after an end of this side alone it is not.
static int64_t send_error(const casyncio_record *record, int64_t result) {
  struct tcp_info information;
  socklen_t size = sizeof information;
  if (result != -EPIPE || record->transferred == 0) return result;
  if (getsockopt(record->handle, IPPROTO_TCP, TCP_INFO, &information, &size) < 0) return result;
  return information.tcpi_state == TCP_CLOSE ? -ECONNRESET : result;
}

// Interprets an event of the kernel for its operation. Returns 1 if it goes on without an event for the caller.
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
      if (record->kind == CASYNCIO_KIND_SEND) *result = send_error(record, *result);
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
  struct uring_sqe *sqe = uring_place(port);
  if (!sqe) return;
  // Each write of the event descriptor is an event of its own.
  sqe->opcode = URING_OP_POLL_ADD;
  sqe->fd = port->wake_fd;
  sqe->len = URING_POLL_ADD_MULTI;
  sqe->op_flags = uring_poll_mask(POLLIN);
  sqe->user_data = USER_WAKE;
  port->is_wake_armed = 1;
}

// Handles a wake that has arrived. What the event descriptor has counted must not count again when it is armed the next
// time, in this life of the port or in another.
static void end_wakes(casyncio_port *port, const struct uring_cqe *cqe) {
  uint64_t count;
  if (cqe->res >= 0) {
    ssize_t n = read(port->wake_fd, &count, sizeof count);
    (void)n;
    port->is_wait_over = 1;
  }
  if (!(cqe->flags & URING_CQE_MORE)) port->is_wake_armed = 0;
}

// Turns one event of the kernel into one for the caller. Returns 1 if there is one.
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
  // It has ended while a request to cancel it still waited for its place.
  if (record->flags & FLAG_LISTED) uring_unlist(port, record);
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
  port->is_wait_over = 0;
  struct uring_ring *ring = &port->ring;
  if (port->is_cancel_all_due) uring_hand_over_cancel_all(port);
  if (!port->is_wake_armed) arm_wake(port);
  uring_submit_waiting(port);
  uint32_t n = take_ended(port, events, capacity);
  int waits = n == 0 && nanoseconds != 0 && !uring_ring_has_events(ring);
  // Deferred work is flagged only once it is there, so an empty poll costs no call.
  int calls = waits || uring_ring_queued(ring) > 0 || uring_ring_has_work(ring);
  for (int round = 0;; round++) {
    if (calls) {
      int error = uring_ring_enter(ring, waits ? 1 : 0, 1, nanoseconds);
      if (error != 0) port->is_wait_over = 1;
      switch (error) {
        case 0:
        case -ETIME:
        case -EINTR:
        // The event queue is full, or memory is short: take what is there, and the rest is submitted the next time.
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

int casyncio_port_settle(casyncio_port *port) {
  if (port->is_ending) return 0;
  uring_submit_waiting(port);
  for (int round = 0; round < 16; round++) {
    if (uring_ring_enter(&port->ring, 0, 1, 0) != 0) return 0;
    if (!uring_ring_has_work(&port->ring)) break;
  }
  return !port->waiting.first && uring_ring_queued(&port->ring) == 0;
}

int casyncio_port_reap(casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds) {
  return port_reap_until(port, events, capacity, nanoseconds, &port->is_wait_over, reap_once);
}

void casyncio_port_wake(casyncio_port *port) {
  int saved = errno;
  uint64_t one = 1;
  ssize_t n = write(port->wake_fd, &one, sizeof one);
  (void)n;
  errno = saved;
}
#endif
