#include "conformance.h"

#include <errno.h>

// More of everything than any queue has places for; and numbers of handles that come back.

enum { PAIRS = 300 };

struct crowd {
  int ends[PAIRS][2];
  // One receive and one send for each end.
  operation *receives[2 * PAIRS], *sends[2 * PAIRS];
  char room[2 * PAIRS][16];
};

static struct crowd *make_crowd(void) {
  if (!may_open(2 * PAIRS + 50)) case_skipped("too few descriptors here");
  struct crowd *crowd = make(sizeof *crowd);
  for (int i = 0; i < PAIRS; i++) local_pair(crowd->ends[i]);
  for (int i = 0; i < 2 * PAIRS; i++) {
    crowd->receives[i] = make_operation(NULL, NULL);
    crowd->sends[i] = make_operation(NULL, NULL);
  }
  return crowd;
}

static void end_crowd(struct crowd *crowd) {
  for (int i = 0; i < PAIRS; i++) close_both(crowd->ends[i]);
}

static void start_receives(loop *loop, struct crowd *crowd) {
  for (int i = 0; i < 2 * PAIRS; i++) {
    casyncio_port_receive(loop->port, go(loop, crowd->receives[i]), crowd->ends[i / 2][i % 2], crowd->room[i], 16);
  }
}

static void start_sends(loop *loop, struct crowd *crowd) {
  for (int i = 0; i < 2 * PAIRS; i++) {
    casyncio_port_send(loop->port, go(loop, crowd->sends[i]), crowd->ends[i / 2][i % 2], "0123456789", 10);
  }
}

static void check_crowd(const struct crowd *crowd, uint32_t ends) {
  for (int i = 0; i < 2 * PAIRS; i++) {
    CHECK(crowd->receives[i]->result, ==, 10);
    CHECK(crowd->sends[i]->result, ==, 10);
    CHECK(crowd->receives[i]->ends, ==, ends);
    CHECK(crowd->sends[i]->ends, ==, ends);
    CHECK(crowd->room[i][9], ==, '9');
  }
}

// Twelve hundred operations started before any is reaped.
static void many_operations(void) {
  loop *loop = loop_open();
  struct crowd *crowd = make_crowd();
  for (uint32_t round = 1; round <= 5; round++) {
    start_receives(loop, crowd);
    start_sends(loop, crowd);
    CHECK(casyncio_port_in_flight(loop->port), ==, 4 * PAIRS);
    drain(loop);
    check_crowd(crowd, round);
  }
  expect_nothing(loop);
  end_crowd(crowd);
  loop_close(loop);
}

// Everything has ended and nobody looked: a caller with little room gets it all the same, and does not wait for it.
static void many_events(void) {
  static const uint32_t capacities[] = {1, 3, 64};
  loop *loop = loop_open();
  struct crowd *crowd = make_crowd();
  for (uint32_t round = 0; round < 3; round++) {
    loop->capacity = capacities[round];
    start_receives(loop, crowd);
    int n = pump(loop, 0);
    CHECK(n, ==, 0);
    for (int i = 0; i < 2 * PAIRS; i++) CHECK(put(crowd->ends[i / 2][i % 2], 0, 0, 10), ==, 10);
    uint64_t reaps = 0;
    int64_t start = now();
    while (loop->in_flight > 0) {
      CHECK(pump(loop, 5LL * SECOND), >, 0);
      reaps++;
    }
    CHECK(now() - start, <, 4LL * SECOND);
    CHECK(reaps, <=, 2 * PAIRS);
    for (int i = 0; i < 2 * PAIRS; i++) {
      CHECK(crowd->receives[i]->result, ==, 10);
      CHECK(crowd->receives[i]->ends, ==, round + 1);
    }
  }
  end_crowd(crowd);
  loop_close(loop);
}

// Requests also need places.
static void many_requests(void) {
  loop *loop = loop_open();
  struct crowd *crowd = make_crowd();
  for (uint32_t round = 1; round <= 6; round++) {
    start_receives(loop, crowd);
    if (round % 3 == 1) pump(loop, 0);
    for (int i = 0; i < 2 * PAIRS; i++) casyncio_port_cancel(loop->port, &crowd->receives[i]->record);
    if (round % 3 == 2) {
      // Bytes for those that are being ended.
      for (int i = 0; i < 2 * PAIRS; i++) CHECK(put(crowd->ends[i / 2][i % 2], 0, 0, 5), ==, 5);
    }
    drain(loop);
    for (int i = 0; i < 2 * PAIRS; i++) {
      CHECK(crowd->receives[i]->ends, ==, round);
      if (round % 3 != 2) CHECK(crowd->receives[i]->result, ==, -ECANCELED);
      int64_t received = crowd->receives[i]->result > 0 ? crowd->receives[i]->result : 0;
      CHECK(received + (int64_t)take(crowd->ends[i / 2][i % 2], 0, (uint64_t)received), ==, round % 3 == 2 ? 5 : 0);
    }
  }
  expect_nothing(loop);
  end_crowd(crowd);
  loop_close(loop);
}

static void all_cancelled(void) {
  loop *loop = loop_create();
  struct crowd *crowd = make_crowd();
  for (uint32_t round = 1; round <= 3; round++) {
    loop_begin(loop);
    start_receives(loop, crowd);
    if (round == 2) pump(loop, 0);
    if (round == 3) start_sends(loop, crowd);
    casyncio_port_cancel_all(loop->port);
    int64_t start = now();
    drain(loop);
    CHECK(now() - start, <, 2LL * SECOND);
    for (int i = 0; i < 2 * PAIRS; i++) CHECK(crowd->receives[i]->ends, ==, round);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
  end_crowd(crowd);
}

struct restart {
  int handle, left;
  uint8_t byte;
};

static void start_again(loop *loop, operation *operation, const casyncio_event *event) {
  struct restart *restart = operation->context;
  CHECK(event->result, ==, 1);
  if (restart->left-- > 0) {
    casyncio_port_receive(loop->port, go(loop, operation), restart->handle, &restart->byte, 1);
  }
}

// Started again while the other events of the same reap are looked at. Nobody is forgotten for the others.
static void started_again_at_once(void) {
  enum { ROUNDS = 20 };
  loop *loop = loop_open();
  struct crowd *crowd = make_crowd();
  for (int i = 0; i < PAIRS; i++) {
    struct restart *restart = make(sizeof *restart);
    *restart = (struct restart){.handle = crowd->ends[i][0], .left = ROUNDS - 1};
    operation *receive = crowd->receives[i];
    receive->handler = start_again;
    receive->context = restart;
    CHECK(put(crowd->ends[i][1], 0, 0, ROUNDS), ==, ROUNDS);
    casyncio_port_receive(loop->port, go(loop, receive), restart->handle, &restart->byte, 1);
  }
  drain(loop);
  for (int i = 0; i < PAIRS; i++) CHECK(crowd->receives[i]->ends, ==, ROUNDS);
  end_crowd(crowd);
  loop_close(loop);
}

// A number is closed after the last event of its operation, and is another connection's at once.
static void number_comes_back(void) {
  loop *loop = loop_open();
  int ends[2], others[2];
  local_pair(ends);
  for (int i = 0; i < 300; i++) {
    operation *old = make_operation(NULL, NULL), *new = make_operation(NULL, NULL);
    char *old_bytes = make(8), *new_bytes = make(8);
    casyncio_port_receive(loop->port, go(loop, old), ends[0], old_bytes, 8);
    if (i % 2) pump(loop, 0);
    casyncio_port_cancel(loop->port, &old->record);
    CHECK(finish(loop, old), ==, -ECANCELED);
    // The peer sees that it was closed: nothing holds on to it.
    close_handle(ends[0]);
    CHECK_TRUE(wait_until_ready(ends[1], CASYNCIO_READABLE, 1000));
    CHECK(take(ends[1], 0, 0), ==, 0);
    local_pair(others);
    int number = ends[0] == others[0] || ends[0] == others[1];
    CHECK_TRUE(number);
    int mine = ends[0] == others[0] ? others[0] : others[1], theirs = mine == others[0] ? others[1] : others[0];
    casyncio_port_receive(loop->port, go(loop, new), mine, new_bytes, 8);
    if (i % 3) pump(loop, 0);
    CHECK(put(theirs, 0, 0, 3), ==, 3);
    CHECK(finish(loop, new), ==, 3);
    CHECK(old->events, ==, 1);
    CHECK(old_bytes[0], ==, 0);
    close_handle(ends[1]);
    ends[0] = mine;
    ends[1] = theirs;
  }
  expect_nothing(loop);
  close_both(ends);
  loop_close(loop);
}

const struct test_case queue_cases[] = {
    {"queue:many-operations", many_operations},
    {"queue:many-events", many_events},
    {"queue:many-requests", many_requests},
    {"queue:all-cancelled", all_cancelled},
    {"queue:started-again-at-once", started_again_at_once},
    {"queue:number-comes-back", number_comes_back},
    {NULL, NULL},
};
