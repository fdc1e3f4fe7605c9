// What the ports of all systems share, each of which has its own `struct casyncio_port`.
#ifndef CASYNCIO_PORT_H
#define CASYNCIO_PORT_H

#include "CAsyncIO.h"

// MARK: Lists of records

struct list {
  casyncio_record *first, *last;
};

static inline void append(struct list *list, casyncio_record *record) {
  record->next = NULL;
  if (list->last) {
    list->last->next = record;
  } else {
    list->first = record;
  }
  list->last = record;
}

static inline casyncio_record *take_first(struct list *list) {
  casyncio_record *record = list->first;
  list->first = record->next;
  if (!list->first) list->last = NULL;
  record->next = NULL;
  return record;
}

// MARK: Waiting for events

// Reap until there is an event, the time is over, or `is_wait_over` says that the wait was ended.
static inline int port_reap_until(
    casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds, const uint8_t *is_wait_over,
    int (*reap_once)(casyncio_port *, casyncio_event *, uint32_t, int64_t)) {
  int64_t start = nanoseconds > 0 ? casyncio_monotonic_nanoseconds() : 0, left = nanoseconds;
  for (;;) {
    int n = reap_once(port, events, capacity, left);
    if (n != 0 || nanoseconds == 0 || *is_wait_over) return n;
    // All that has ended is a step of an operation that goes on, or a request to cancel.
    if (nanoseconds < 0) continue;
    left = nanoseconds - (casyncio_monotonic_nanoseconds() - start);
    if (left <= 0) return 0;
  }
}

// Try a port that is thrown away.
static inline int port_try(
    const casyncio_port_options *options, int64_t (*self_test)(casyncio_port *), int *step, uint32_t *features) {
  casyncio_port *port;
  *step = CASYNCIO_STEP_SETUP;
  int error = casyncio_port_create(options, &port);
  if (error < 0) return error;
  error = casyncio_port_begin(port, step);
  if (error == 0) {
    *step = CASYNCIO_STEP_SELF_TEST;
    error = (int)self_test(port);
    *features = casyncio_port_features(port);
    casyncio_port_end(port, 1);
  }
  casyncio_port_destroy(port);
  if (error == 0) *step = CASYNCIO_STEP_NONE;
  return error;
}

#endif
