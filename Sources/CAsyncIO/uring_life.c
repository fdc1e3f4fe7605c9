#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"
#include "uring_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

// A port lives as long as its loop, its ring as long as a run of the loop: the ring belongs to a thread. What the
// kernel offers is found out anew with each ring.

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
  port->wake_fd = port->lent ? casyncio_above_standard(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) : -ENOMEM;
  if (port->wake_fd < 0) {
    int error = port->wake_fd;
    if (port->lent) uring_lent_release(port->lent);
    free(port);
    return error;
  }
  *result = port;
  return 0;
}

// Finds which of the optional features this kernel has.
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
  static const uint8_t needed[] = {
      URING_OP_NOP,  URING_OP_POLL_ADD, URING_OP_ACCEPT, URING_OP_ASYNC_CANCEL, URING_OP_CONNECT,
      URING_OP_READ, URING_OP_WRITE,    URING_OP_SEND,   URING_OP_RECV};
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

// The ring takes no calls any more, and operations may still use the caller's memory: ends them by another call (Linux
// 6.0), and waits for that, but not for ever. The kernel ends what is left when the ring is closed, but does not say
// when.
static void end_abandoned(casyncio_port *port) {
  struct uring_sync_cancel cancel;
  memset(&cancel, 0, sizeof cancel);
  cancel.fd = -1;
  cancel.flags = URING_CANCEL_ALL | URING_CANCEL_ANY;
  cancel.seconds = 1;
  uring_ring_register(&port->ring, URING_REGISTER_SYNC_CANCEL, &cancel, 1);
}

void casyncio_port_end(casyncio_port *port, int abandon) {
  if (abandon == 2) uring_ring_leave(&port->ring);
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
