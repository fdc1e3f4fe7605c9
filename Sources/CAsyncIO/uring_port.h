// What the parts of the port share: starting and cancelling (uring_port.c), events (uring_events.c), and the life of
// the port and of its ring (uring_life.c).
#ifndef CASYNCIO_URING_PORT_H
#define CASYNCIO_URING_PORT_H

#include "port.h"
#include "uring_lent.h"
#include "uring_ring.h"

enum { USER_IGNORED = 0, USER_WAKE = 1 };

// The stage of an operation that takes more than one submission.
enum { STAGE_WORK = 0, STAGE_POLL };

enum {
  // In the port's list, to be started, or to be cancelled after.
  FLAG_LISTED = 1,
  FLAG_START = 2,
  FLAG_CANCEL = 4,
  // Its end was requested: nothing is started again for it.
  FLAG_CANCELLED = 8,
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

// A place in the submission queue, making room if there is none; null when the kernel takes nothing now.
struct uring_sqe *uring_place(casyncio_port *port);
// Starts the operation, or its next step.
void uring_submit(casyncio_port *port, casyncio_record *record);
// Drops an operation that waits for a place, or whose cancellation does.
void uring_unlist(casyncio_port *port, casyncio_record *record);
// Submits what waited for a place.
void uring_submit_waiting(casyncio_port *port);
void uring_hand_over_cancel_all(casyncio_port *port);

#endif
