#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>

// From the system's packets to the caller's events: an operation may go on, and then its packet stays inside the port.
// The traps:
//
// - A wake is a flag, and a packet only if the port's thread waits at that moment. A packet may be late: it ends a call
//   of the system, and whether it ends the wait is for the flag to say.
// - The time limit of the call is in whole ticks of the system, some 16 ms. So a wait is ended by a timer that calls a
//   function in this thread, for which the call has to be alertable. The timer stays armed after a wait that ended
//   early, which costs nothing but one more turn of a later wait.
// - Results are taken from the operation and not from the packet: what has waited by a thread of the system was sent
//   here without them.
// - Packets are served in the order in which they came. An accept that brought one connection a packet would let the
//   last of many wait for as many rounds through all that a busy port does, so the first brings the others along.

// At a time. What is left of the caller's events is for connections that come along.
enum { PACKETS = 64 };

// MARK: One packet

static int is_over(const casyncio_port *port, const casyncio_record *record) {
  return port->is_ending || (record->flags & FLAG_CANCELLED);
}

static void set_event(casyncio_event *event, casyncio_record *record, int64_t result, uint32_t flags) {
  *event = (casyncio_event){.record = record, .result = result, .flags = flags};
}

// One more call for the same operation, unless it is to end.
static int64_t again(struct iocp_operation *operation) {
  return is_over(operation->port, operation->record) ? -ECANCELED : iocp_step(operation);
}

// The same after an event. If it does not go on, its end comes by the list.
static void go_on(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  casyncio_port *port = operation->port;
  int64_t next = again(operation);
  if (next == IOCP_PENDING) return;
  iocp_leave(operation);
  iocp_end(port, record, next);
}

// True for the failure of a connection that was cut off before it was accepted, and for one that another took.
static int is_no_connection(int64_t result) {
  return result == -ECONNRESET || result == -ECONNABORTED || result == -ENOTCONN || result == -EAGAIN;
}

// The connections that wait behind the one that an accept has brought. A failure is for the next accept to find.
static uint32_t accept_waiting(struct iocp_operation *operation, casyncio_event *events, uint32_t room) {
  uint32_t n = 0;
  if (room == 0 || is_over(operation->port, operation->record)) return 0;
  if (iocp_unblock(operation->port, operation->record) < 0) return 0;
  for (; n < room; n++) {
    operation->port->calls.others++;
    int64_t result = iocp_accept_ready(operation);
    if (result < 0) return n;
    set_event(&events[n], operation->record, result, CASYNCIO_EVENT_MORE);
  }
  return n;
}

// A connection and those behind it, or what is none. Returns how many events of the caller's it made, after which the
// operation goes on; 0 if it may be over.
static uint32_t accepted(
    struct iocp_operation *operation, int64_t *result, casyncio_event *events, uint32_t room) {
  casyncio_port *port = operation->port;
  casyncio_record *record = operation->record;
  if (*result < 0) {
    if (operation->accepted != INVALID_SOCKET) closesocket(operation->accepted);
    operation->accepted = INVALID_SOCKET;
  } else {
    *result = record->stage == STAGE_POLL ? iocp_accept_ready(operation) : iocp_accepted(operation);
  }
  if (is_no_connection(*result)) *result = again(operation);
  if (*result < 0 || (port->without & CASYNCIO_PORT_MULTISHOT_ACCEPT)) return 0;
  set_event(events, record, *result, CASYNCIO_EVENT_MORE);
  uint32_t n = 1 + accept_waiting(operation, events + 1, room - 1);
  go_on(operation);
  return n;
}

// Bytes are there for a lent receive, or its end. Returns 1 for an event of the caller's after which it goes on.
static int arrived(struct iocp_operation *operation, int64_t *result, casyncio_event *event) {
  if (*result < 0) return 0;
  *result = is_over(operation->port, operation->record) ? -ECANCELED : iocp_take_chunk(operation, event);
  if (*result == -EAGAIN) *result = again(operation);
  if (*result <= 0) return 0;
  go_on(operation);
  return 1;
}

// What a step of a pipe has done.
static int64_t transferred(struct iocp_operation *operation, int64_t result, DWORD error) {
  casyncio_record *record = operation->record;
  int is_end = error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF || error == ERROR_PIPE_NOT_CONNECTED;
  switch (record->kind) {
    case CASYNCIO_KIND_READ: return is_end ? 0 : result;
    case CASYNCIO_KIND_WATCH:
      if (is_end) return CASYNCIO_HANGUP;
      return result < 0 ? result : CASYNCIO_READABLE;
    default:
      record->transferred += operation->overlapped.InternalHigh;
      if (result < 0) return result;
      return record->transferred < record->count ? again(operation) : (int64_t)record->count;
  }
}

// The result of the operation, or IOCP_PENDING if it goes on.
static int64_t finished(struct iocp_operation *operation, int64_t result, DWORD error) {
  casyncio_record *record = operation->record;
  switch (record->kind) {
    case CASYNCIO_KIND_CONNECT: return result < 0 ? result : iocp_connected(operation);
    case CASYNCIO_KIND_RECEIVE:
      // A datagram that was longer: its beginning is there.
      if (error == ERROR_MORE_DATA) return (int64_t)operation->overlapped.InternalHigh;
      return result >= 0 && record->stage == STAGE_POLL ? again(operation) : result;
    case CASYNCIO_KIND_SEND: return result < 0 ? result : again(operation);
    case CASYNCIO_KIND_READ:
    case CASYNCIO_KIND_WRITE: return transferred(operation, result, error);
    case CASYNCIO_KIND_WATCH:
      if (operation->target == operation->port->afd) return result < 0 ? result : iocp_polled(operation);
      return operation->target ? transferred(operation, result, error) : CASYNCIO_READABLE;
    default: return result;
  }
}

// Turn one packet into events for the caller, at most `room` of them. Returns how many there are.
static uint32_t translate(
    casyncio_port *port, const OVERLAPPED_ENTRY *packet, casyncio_event *events, uint32_t room) {
  if (packet->lpCompletionKey == KEY_WAKE) return 0;
  struct iocp_operation *operation = (struct iocp_operation *)packet->lpOverlapped;
  casyncio_record *record = operation->record;
  if (!record) {
    iocp_leave(operation);
    return 0;
  }
  LONG status = (LONG)operation->overlapped.Internal;
  int64_t result = status ? iocp_negated_status(status) : (int64_t)operation->overlapped.InternalHigh;
  if (record->kind == CASYNCIO_KIND_ACCEPT) {
    uint32_t n = accepted(operation, &result, events, room);
    if (n > 0) return n;
  } else if (record->kind == CASYNCIO_KIND_RECEIVE_LENT) {
    if (arrived(operation, &result, events)) return 1;
  } else {
    result = finished(operation, result, status ? RtlNtStatusToDosError(status) : 0);
  }
  if (result == IOCP_PENDING) return 0;
  iocp_leave(operation);
  set_event(events, record, result, 0);
  record->next = NULL;
  record->in_flight = 0;
  port->in_flight--;
  return 1;
}

static uint32_t take_ended(casyncio_port *port, casyncio_event *events, uint32_t capacity) {
  uint32_t n = 0;
  while (n < capacity && port->ended.first) {
    casyncio_record *record = take_first(&port->ended);
    record->flags &= (uint8_t)~FLAG_ENDED;
    record->in_flight = 0;
    port->in_flight--;
    set_event(&events[n++], record, record->result, 0);
  }
  return n;
}

// MARK: Waiting

static void CALLBACK on_timer(void *context, DWORD low, DWORD high) {
  (void)context;
  (void)low;
  (void)high;
}

static void take_wake(casyncio_port *port) {
  if (port->is_woken && InterlockedExchange(&port->is_woken, 0)) port->is_wait_over = 1;
}

// The time limit of the call, and whether a timer has to end it.
static DWORD limit_of(casyncio_port *port, int64_t nanoseconds, BOOL *is_alertable) {
  enum { DAY = 24 * 60 * 60 };
  if (nanoseconds < 0) return INFINITE;
  // The caller's loop goes on after a day.
  if (nanoseconds > DAY * 1000000000LL) nanoseconds = DAY * 1000000000LL;
  LARGE_INTEGER due = {.QuadPart = -((nanoseconds + 99) / 100)};
  if (port->timer && SetWaitableTimer(port->timer, &due, 0, on_timer, NULL, FALSE)) {
    *is_alertable = TRUE;
    return INFINITE;
  }
  return (DWORD)((nanoseconds + 999999) / 1000000);
}

// Returns 0, also without packets, or a negated errno.
static int wait_for_packets(casyncio_port *port, OVERLAPPED_ENTRY *packets, ULONG *count, int64_t nanoseconds) {
  ULONG room = *count;
  BOOL is_alertable = FALSE;
  DWORD limit = nanoseconds ? limit_of(port, nanoseconds, &is_alertable) : 0;
  // Either the thread that wakes sees that this one waits, or this one sees the wake.
  if (limit) InterlockedExchange(&port->is_waiting, 1);
  if (port->is_woken) limit = 0;
  port->calls.waits++;
  BOOL has_packets = GetQueuedCompletionStatusEx(port->iocp, packets, room, count, limit, is_alertable);
  DWORD error = has_packets ? 0 : GetLastError();
  port->is_waiting = 0;
  // A call that the timer has ended says that it has packets, and has none.
  if (!has_packets) *count = 0;
  return error == WAIT_TIMEOUT || error == WAIT_IO_COMPLETION ? 0 : win32_negated(error);
}

static int reap_once(casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds) {
  port->is_wait_over = 0;
  uint32_t n = take_ended(port, events, capacity);
  take_wake(port);
  int waits = n == 0 && nanoseconds != 0 && !port->is_wait_over;
  // Without anything to come there is nothing to ask for.
  if (n == capacity || (!waits && port->with_system == 0)) return (int)n;
  OVERLAPPED_ENTRY packets[PACKETS];
  ULONG count = capacity - n < PACKETS ? capacity - n : PACKETS;
  int error = wait_for_packets(port, packets, &count, waits ? nanoseconds : 0);
  if (error < 0) return n > 0 ? (int)n : error;
  take_wake(port);
  for (ULONG i = 0; i < count; i++) n += translate(port, &packets[i], &events[n], capacity - n - (count - i - 1));
  return (int)n;
}

int casyncio_port_reap(casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds) {
  return port_reap_until(port, events, capacity, nanoseconds, &port->is_wait_over, reap_once);
}

void casyncio_port_wake(casyncio_port *port) {
  DWORD error = GetLastError();
  if (!InterlockedExchange(&port->is_woken, 1) && port->is_waiting) {
    InterlockedIncrement64((volatile LONG64 *)&port->calls.wakes);
    PostQueuedCompletionStatus(port->iocp, 0, KEY_WAKE, NULL);
  }
  SetLastError(error);
}
#endif
