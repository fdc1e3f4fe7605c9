#include "kinds.h"

#include <errno.h>

// Cancelling an operation of each kind, at each point of its life: one last event, always.

// Before anything was handed over, a few steps later, or while it waits.
static void stuck(void) {
  loop *loop = loop_open();
  for (int kind = 0; kind < KINDS; kind++) {
    if (!kind_works(loop, kind)) continue;
    for (int steps = 0; steps < 5; steps++) {
      struct stuck *stuck = start_stuck(loop, kind);
      for (int i = 0; i < steps; i++) CHECK(pump(loop, i == 3 ? MILLISECOND : 0), ==, 0);
      int64_t start = now();
      casyncio_port_cancel(loop->port, &stuck->operation->record);
      CHECK(finish(loop, stuck->operation), ==, -ECANCELED);
      CHECK(now() - start, <, SECOND);
      CHECK(stuck->operation->events, ==, 1);
      expect_nothing(loop);
      end_stuck(stuck);
    }
  }
  loop_close(loop);
}

static void twice(void) {
  loop *loop = loop_open();
  for (int kind = 0; kind < KINDS; kind++) {
    if (!kind_works(loop, kind)) continue;
    for (int steps = 0; steps < 6; steps++) {
      struct stuck *stuck = start_stuck(loop, kind);
      if (steps % 2) pump(loop, 0);
      casyncio_port_cancel(loop->port, &stuck->operation->record);
      if (steps / 2 == 1) casyncio_port_cancel(loop->port, &stuck->operation->record);
      if (steps / 2 == 2) {
        for (int i = 0; i < 100; i++) casyncio_port_cancel(loop->port, &stuck->operation->record);
      }
      CHECK(finish(loop, stuck->operation), ==, -ECANCELED);
      casyncio_port_cancel(loop->port, &stuck->operation->record);
      CHECK(stuck->operation->events, ==, 1);
      expect_nothing(loop);
      end_stuck(stuck);
    }
  }
  loop_close(loop);
}

// A record that is not in flight is left alone, and so is what it does next.
static void after_the_end(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  operation *receive = make_operation(NULL, NULL);
  casyncio_port_cancel(loop->port, &receive->record);
  expect_nothing(loop);
  char *bytes = make(8);
  for (int i = 0; i < 200; i++) {
    casyncio_port_receive(loop->port, go(loop, receive), ends[0], bytes, 8);
    if (i % 2) pump(loop, 0);
    CHECK(put(ends[1], 0, 0, 1), ==, 1);
    CHECK(finish(loop, receive), ==, 1);
    for (int n = 0; n < i % 4; n++) casyncio_port_cancel(loop->port, &receive->record);
  }
  CHECK(receive->ends, ==, 200);
  close_both(ends);
  loop_close(loop);
}

// The end has come and nobody has reaped it. The request finds nothing; the next operation of the same record must not
// be what it finds.
static void between_end_and_reap(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  operation *receive = make_operation(NULL, NULL);
  char *bytes = make(8);
  for (int i = 0; i < 500; i++) {
    casyncio_port_receive(loop->port, go(loop, receive), ends[0], bytes, 8);
    pump(loop, 0);
    CHECK(put(ends[1], 0, 0, 1), ==, 1);
    casyncio_port_cancel(loop->port, &receive->record);
    int64_t result = finish(loop, receive);
    CHECK_TRUE(result == 1 || result == -ECANCELED);
    if (result < 0) CHECK(take(ends[0], 0, 0), ==, 1);
    casyncio_port_receive(loop->port, go(loop, receive), ends[0], bytes, 8);
    CHECK(pump(loop, 0), ==, 0);
    CHECK(put(ends[1], 0, 0, 1), ==, 1);
    CHECK(finish(loop, receive), ==, 1);
  }
  close_both(ends);
  loop_close(loop);
}

// Only what was meant ends.
static void one_of_many(void) {
  enum { COUNT = 40 };
  loop *loop = loop_open();
  int ends[COUNT][2];
  operation *receives[COUNT];
  for (int i = 0; i < COUNT; i++) {
    local_pair(ends[i]);
    receives[i] = make_operation(NULL, NULL);
    casyncio_port_receive(loop->port, go(loop, receives[i]), ends[i][0], make(8), 8);
  }
  for (int i = 0; i < COUNT; i += 3) casyncio_port_cancel(loop->port, &receives[i]->record);
  for (int i = 0; i < COUNT; i += 3) CHECK(finish(loop, receives[i]), ==, -ECANCELED);
  expect_nothing(loop);
  for (int i = 0; i < COUNT; i++) {
    CHECK(receives[i]->is_going, ==, i % 3 != 0);
    CHECK(put(ends[i][1], 0, 0, 3), ==, 3);
  }
  drain(loop);
  for (int i = 0; i < COUNT; i++) {
    CHECK(receives[i]->result, ==, i % 3 ? 3 : -ECANCELED);
    CHECK(receives[i]->events, ==, 1);
    close_both(ends[i]);
  }
  loop_close(loop);
}

// The two directions of a handle have nothing to do with each other.
static void one_direction(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  set_buffers(ends[0], 4096);
  enum { SIZE = 200000 };
  uint8_t *bytes = make(SIZE);
  fill_pattern(bytes, SIZE, 0, 0);
  operation *receive = make_operation(NULL, NULL), *send = make_operation(NULL, NULL);
  casyncio_port_receive(loop->port, go(loop, receive), ends[0], make(8), 8);
  casyncio_port_send(loop->port, go(loop, send), ends[0], bytes, SIZE);
  pump(loop, 0);
  casyncio_port_cancel(loop->port, &receive->record);
  CHECK(finish(loop, receive), ==, -ECANCELED);
  CHECK(send->is_going, ==, 1);
  casyncio_port_receive(loop->port, go(loop, receive), ends[0], make(8), 8);
  uint64_t taken = 0;
  while (send->is_going) {
    taken += take(ends[1], 0, taken);
    pump(loop, 100000);
  }
  CHECK(send->result, ==, SIZE);
  CHECK(receive->is_going, ==, 1);
  CHECK(put(ends[1], 0, 0, 2), ==, 2);
  CHECK(finish(loop, receive), ==, 2);
  close_both(ends);
  loop_close(loop);
}

// -1, and a number that nothing has.
static void bad_handle(void) {
  loop *loop = loop_open();
  int closed = tcp_socket();
  close_handle(closed);
  for (int kind = 0; kind < KINDS; kind++) {
    if (!kind_works(loop, kind)) continue;
    for (int i = 0; i < 4; i++) {
      operation *operation = make_operation(NULL, NULL);
      start_kind(loop, operation, kind, i % 2 ? closed : -1, make(KIND_MEMORY));
      if (i / 2) casyncio_port_cancel(loop->port, &operation->record);
      int64_t result = finish(loop, operation);
      CHECK_TRUE(result == -EBADF || (i / 2 && result == -ECANCELED));
      CHECK(operation->events, ==, 1);
    }
  }
  expect_nothing(loop);
  loop_close(loop);
}

// The port is settled: a wait that was cancelled holds nothing, though its event was not reaped. So the number can be
// closed, and what had its name can be made again.
static void settled(void) {
  loop *loop = loop_open();
  for (int round = 0; round < 20; round++) {
    address address = {.length = 0};
    int first = datagram_socket(&address);
    operation *wait = make_operation(NULL, NULL);
    casyncio_port_watch(loop->port, go(loop, wait), first, CASYNCIO_READABLE);
    if (round % 2) pump(loop, 0);
    casyncio_port_cancel(loop->port, &wait->record);
    CHECK(casyncio_port_settle(loop->port), ==, 1);
    CHECK(wait->events, ==, 0);
    close_handle(first);
    int second = datagram_socket(&address);
    // Perhaps under the same number: the event is that of the first.
    operation *next = make_operation(NULL, NULL);
    casyncio_port_watch(loop->port, go(loop, next), second, CASYNCIO_READABLE);
    CHECK(finish(loop, wait), ==, -ECANCELED);
    CHECK(next->events, ==, 0);
    CHECK(write_message(second, &address, "x", 1), ==, 1);
    CHECK(finish(loop, next), >=, 0);
    close_handle(second);
  }
  loop_close(loop);
}

const struct test_case cancel_cases[] = {
    {"cancel:stuck", stuck},
    {"cancel:twice", twice},
    {"cancel:after-the-end", after_the_end},
    {"cancel:between-end-and-reap", between_end_and_reap},
    {"cancel:one-of-many", one_of_many},
    {"cancel:one-direction", one_direction},
    {"cancel:bad-handle", bad_handle},
    {"cancel:settled", settled},
    {NULL, NULL},
};
