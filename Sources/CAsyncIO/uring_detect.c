#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Whether io_uring can be trusted here. A kernel may lack it, a sandbox may refuse any of its three system calls, and
// some kernels have had operations that exist and do not work; so the last step is to use it.

// Waits for the event of one record. Nothing takes longer than the limit unless something is broken.
static int64_t event_of(casyncio_port *port, const casyncio_record *record, casyncio_event *event) {
  for (int i = 0; i < 100; i++) {
    int n = casyncio_port_reap(port, event, 1, 20000000);
    if (n < 0) return n;
    if (n == 1 && event->record == record) return event->result;
  }
  return -ETIMEDOUT;
}

static int64_t round_trip(casyncio_port *port, casyncio_record *receive, casyncio_record *send, const int *ends) {
  casyncio_event event;
  int is_lent = (casyncio_port_features(port) & CASYNCIO_PORT_LENT) != 0;
  char buffer[8] = {0};
  if (is_lent) {
    casyncio_port_receive_lent(port, receive, ends[0]);
  } else {
    casyncio_port_receive(port, receive, ends[0], buffer, sizeof buffer);
  }
  casyncio_port_send(port, send, ends[1], "ping", 4);
  int64_t result = event_of(port, send, &event);
  if (result != 4) return result < 0 ? result : -EIO;
  result = event_of(port, receive, &event);
  if (result != 4) return result < 0 ? result : -EIO;
  const void *bytes = is_lent ? event.bytes : buffer;
  int is_right = memcmp(bytes, "ping", 4) == 0;
  if (event.flags & CASYNCIO_EVENT_LENT) casyncio_lent_return(casyncio_port_lent(port), event.lease);
  return is_right ? 0 : -EIO;
}

// Tests an operation that ends by a request: a wait that has no other end. The kernels differ in what such an event
// says.
static int64_t cancelled(casyncio_port *port, casyncio_record *record, int handle) {
  casyncio_event event;
  if (!record->in_flight) casyncio_port_watch(port, record, handle, CASYNCIO_READABLE);
  casyncio_port_cancel(port, record);
  int64_t result = event_of(port, record, &event);
  return result == -ETIMEDOUT || record->in_flight ? -ETIMEDOUT : 0;
}

static int64_t self_test(casyncio_port *port) {
  int ends[2];
  casyncio_record receive, send;
  memset(&receive, 0, sizeof receive);
  memset(&send, 0, sizeof send);
  int status = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
  status = casyncio_both_above_standard(status, ends);
  if (status < 0) return status;
  int64_t result = round_trip(port, &receive, &send, ends);
  if (result == 0) result = cancelled(port, &receive, ends[0]);
  // The records are on this stack: nothing may be left in flight.
  casyncio_port_cancel_all(port);
  casyncio_event event;
  for (int i = 0; i < 100 && casyncio_port_in_flight(port) > 0; i++) casyncio_port_reap(port, &event, 1, 20000000);
  close(ends[0]);
  close(ends[1]);
  return result;
}

int casyncio_port_detect(int *step, uint32_t *features) {
  *features = 0;
  *step = CASYNCIO_STEP_PLATFORM;
#if defined(__ANDROID__)
  // The system call filter of apps kills the process that tries.
  return -ENOSYS;
#elif !defined(__LP64__)
  // Known to crash the kernel on some 32-bit machines.
  return -EOPNOTSUPP;
#else
  casyncio_port_options options = {.entries = 8, .event_entries = 32, .lent_count = 8, .lent_size = 4096};
  return port_try(&options, self_test, step, features);
#endif
}
#endif
