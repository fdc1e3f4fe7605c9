#include "kinds.h"

#include <errno.h>

// The end of everything: bounded in time, one last event for each operation, and nothing starts again.

static void drain_quickly(loop *loop) {
  int64_t start = now();
  drain(loop);
  CHECK(now() - start, <, 2LL * SECOND);
}

static void of_nothing(void) {
  loop *loop = loop_create();
  for (int i = 0; i < 5; i++) {
    loop_begin(loop);
    if (i % 2) pump(loop, 0);
    casyncio_port_cancel_all(loop->port);
    for (int n = 0; n < 3; n++) CHECK(pump(loop, 0), ==, 0);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

// Of each kind a few: waiting, handed over, and neither.
static void of_every_kind(void) {
  loop *loop = loop_create();
  for (int round = 0; round < 6; round++) {
    loop_begin(loop);
    struct stuck *all[3 * KINDS];
    int count = 0;
    for (int i = 0; i < 3; i++) {
      for (int kind = 0; kind < KINDS; kind++) {
        if (kind_works(loop, kind)) all[count++] = start_stuck(loop, kind);
      }
      if (i < round % 3) pump(loop, 0);
      if (i == 1 && round == 5) pump(loop, MILLISECOND);
    }
    // Some have been asked before.
    for (int i = 0; i < count; i += 5) casyncio_port_cancel(loop->port, &all[i]->operation->record);
    casyncio_port_cancel_all(loop->port);
    if (round % 2) casyncio_port_cancel_all(loop->port);
    for (int i = 0; i < count; i += 4) casyncio_port_cancel(loop->port, &all[i]->operation->record);
    drain_quickly(loop);
    for (int i = 0; i < count; i++) {
      CHECK(all[i]->operation->result, ==, -ECANCELED);
      CHECK(all[i]->operation->events, ==, 1);
      end_stuck(all[i]);
    }
    CHECK(pump(loop, 0), ==, 0);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

static void put_one_back(loop *loop, operation *operation, const casyncio_event *event) {
  uint64_t *received = operation->context;
  if (event->result > 0) *received += (uint64_t)event->result;
  if (event->flags & CASYNCIO_EVENT_LENT) give_back(loop, event->lease);
}

// Operations that are doing something end with what they have done; the rest stays where it was.
static void of_busy_ones(void) {
  enum { PAIRS = 20, SIZE = 300000 };
  loop *loop = loop_create();
  uint8_t *bytes = make(SIZE);
  fill_pattern(bytes, SIZE, 8, 0);
  for (int round = 0; round < 10; round++) {
    loop_begin(loop);
    int ends[PAIRS][2];
    operation *sends[PAIRS], *receives[PAIRS];
    uint64_t *received = make(PAIRS * sizeof *received);
    for (int i = 0; i < PAIRS; i++) {
      local_pair(ends[i]);
      sends[i] = make_operation(NULL, NULL);
      receives[i] = make_operation(put_one_back, &received[i]);
      casyncio_port_send(loop->port, go(loop, sends[i]), ends[i][0], bytes, SIZE);
      if (i % 2 && loop_has(loop, CASYNCIO_PORT_LENT)) {
        casyncio_port_receive_lent(loop->port, go_many(loop, receives[i]), ends[i][1]);
      } else {
        casyncio_port_receive(loop->port, go(loop, receives[i]), ends[i][1], make(4000), 4000);
      }
    }
    for (int i = 0; i < round; i++) pump(loop, 0);
    casyncio_port_cancel_all(loop->port);
    drain_quickly(loop);
    for (int i = 0; i < PAIRS; i++) {
      CHECK(sends[i]->ends, ==, 1);
      CHECK(receives[i]->ends, ==, 1);
      CHECK(received[i] + take(ends[i][1], 8, received[i]), ==, sends[i]->record.transferred);
      close_both(ends[i]);
    }
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

// What is started afterwards ends as cancelled: it has not begun.
static void then_starting(void) {
  loop *loop = loop_create();
  for (int round = 0; round < 3; round++) {
    loop_begin(loop);
    struct stuck *before = start_stuck(loop, RECEIVES);
    if (round > 0) pump(loop, 0);
    casyncio_port_cancel_all(loop->port);
    if (round > 1) drain(loop);
    struct stuck *after[KINDS];
    for (int kind = 0; kind < KINDS; kind++) {
      after[kind] = kind_works(loop, kind) ? start_stuck(loop, kind) : NULL;
      if (after[kind] && kind % 2) casyncio_port_cancel(loop->port, &after[kind]->operation->record);
    }
    drain_quickly(loop);
    for (int kind = 0; kind < KINDS; kind++) {
      if (!after[kind]) continue;
      CHECK(after[kind]->operation->result, ==, -ECANCELED);
      CHECK(after[kind]->operation->events, ==, 1);
      CHECK(after[kind]->operation->record.transferred, ==, 0);
      end_stuck(after[kind]);
    }
    end_stuck(before);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

// The next life begins with nothing of this.
static void then_another_life(void) {
  loop *loop = loop_create();
  for (int i = 0; i < 10; i++) {
    loop_begin(loop);
    struct stuck *stuck = start_stuck(loop, RECEIVES);
    pump(loop, 0);
    CHECK(stuck->operation->is_going, ==, 1);
    CHECK(put(stuck->handles[1], 0, 0, 5), ==, 5);
    CHECK(finish(loop, stuck->operation), ==, 5);
    struct stuck *other = start_stuck(loop, WATCHES);
    casyncio_port_cancel_all(loop->port);
    drain_quickly(loop);
    end_stuck(stuck);
    end_stuck(other);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

const struct test_case cancel_all_cases[] = {
    {"cancel-all:of-nothing", of_nothing},
    {"cancel-all:of-every-kind", of_every_kind},
    {"cancel-all:of-busy-ones", of_busy_ones},
    {"cancel-all:then-starting", then_starting},
    {"cancel-all:then-another-life", then_another_life},
    {NULL, NULL},
};
