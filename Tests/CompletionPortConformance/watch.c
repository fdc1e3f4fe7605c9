#include "conformance.h"

#include <errno.h>

// Watching: one event, with the flags of what it is ready for, when the handle is ready or was from the start.

static int64_t watched(loop *loop, int handle, uint32_t events) {
  operation *watch = make_operation(NULL, NULL);
  casyncio_port_watch(loop->port, go(loop, watch), handle, events);
  int64_t result = finish(loop, watch);
  CHECK(watch->events, ==, 1);
  return result;
}

// What a watch says that has been waiting when `act` is called.
static int64_t watched_while(loop *loop, int handle, uint32_t events, void (*act)(int), int argument) {
  operation *watch = make_operation(NULL, NULL);
  casyncio_port_watch(loop->port, go(loop, watch), handle, events);
  CHECK(pump(loop, 0), ==, 0);
  CHECK(pump(loop, MILLISECOND), ==, 0);
  act(argument);
  int64_t result = finish(loop, watch);
  CHECK(watch->events, ==, 1);
  return result;
}

static void write_byte(int handle) { CHECK(write_to(handle, "x", 1), ==, 1); }
static void read_all(int handle) {
  char bytes[65536];
  while (read_from(handle, bytes, sizeof bytes) > 0) {}
}
static void close_it(int handle) { close_handle(handle); }

static void sockets(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 2; i++) {
    int ends[2];
    if (i == 0) {
      local_pair(ends);
    } else {
      tcp_pair(ends);
    }
    CHECK(watched(loop, ends[0], CASYNCIO_WRITABLE), ==, CASYNCIO_WRITABLE);
    CHECK(watched(loop, ends[0], CASYNCIO_READABLE | CASYNCIO_WRITABLE), ==, CASYNCIO_WRITABLE);
    CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, write_byte, ends[1]), ==, CASYNCIO_READABLE);
    // Takes no bytes: it is still readable.
    for (int n = 0; n < 3; n++) CHECK(watched(loop, ends[0], CASYNCIO_READABLE), ==, CASYNCIO_READABLE);
    CHECK(watched(loop, ends[0], CASYNCIO_READABLE | CASYNCIO_WRITABLE), ==, CASYNCIO_READABLE | CASYNCIO_WRITABLE);
    read_all(ends[0]);
    CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, write_byte, ends[1]), ==, CASYNCIO_READABLE);
    read_all(ends[0]);
    put(ends[0], 0, 0, UINT64_MAX);
    if (i == 0) CHECK_TRUE(watched_while(loop, ends[0], CASYNCIO_WRITABLE, read_all, ends[1]) & CASYNCIO_WRITABLE);
    int64_t result = watched_while(loop, ends[0], CASYNCIO_READABLE, close_it, ends[1]);
    // Bytes that the peer has not read make its close a reset.
    CHECK_TRUE(result == -ECONNRESET || (result > 0 && (result & CASYNCIO_READABLE)));
    close_handle(ends[0]);
  }
  loop_close(loop);
}

// HUP comes unasked.
static void pipes(void) {
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, 1);
  CHECK(watched(loop, ends[1], CASYNCIO_WRITABLE), ==, CASYNCIO_WRITABLE);
  CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, write_byte, ends[1]), ==, CASYNCIO_READABLE);
  read_all(ends[0]);
  CHECK_TRUE(watched_while(loop, ends[0], CASYNCIO_READABLE, close_it, ends[1]) & CASYNCIO_HANGUP);
  CHECK_TRUE(watched(loop, ends[0], CASYNCIO_READABLE) & CASYNCIO_HANGUP);
  close_handle(ends[0]);
  loop_close(loop);
}

// So does ERR.
static void pipes_without_room(void) {
  needs_of_system(PIPES_WITH_ROOM);
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, 1);
  put(ends[1], 0, 0, UINT64_MAX);
  CHECK_TRUE(watched_while(loop, ends[1], CASYNCIO_WRITABLE, close_it, ends[0]) & CASYNCIO_ERROR);
  close_handle(ends[1]);
  loop_close(loop);
}

// An error that the watch has taken from the socket is its result; otherwise it is there for the next call.
static void reset(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 4; i++) {
    int ends[2];
    tcp_pair(ends);
    operation *watch = make_operation(NULL, NULL);
    if (i % 2) close_with_reset(ends[1]);
    casyncio_port_watch(loop->port, go(loop, watch), ends[0], CASYNCIO_READABLE);
    if (i % 2 == 0) {
      CHECK(pump(loop, 0), ==, 0);
      close_with_reset(ends[1]);
    }
    int64_t result = finish(loop, watch);
    if (result >= 0) {
      CHECK_TRUE(result & CASYNCIO_ERROR);
      char byte;
      result = read_from(ends[0], &byte, 1);
    }
    CHECK(result, ==, -ECONNRESET);
    close_handle(ends[0]);
  }
  loop_close(loop);
}

static void listener(void) {
  loop *loop = loop_open();
  address address;
  int listener = tcp_listener(&address, 4), client = tcp_socket();
  operation *watch = make_operation(NULL, NULL);
  casyncio_port_watch(loop->port, go(loop, watch), listener, CASYNCIO_READABLE);
  CHECK(pump(loop, MILLISECOND), ==, 0);
  connect_to(client, &address);
  CHECK(finish(loop, watch), ==, CASYNCIO_READABLE);
  close_handle(accept_from(listener));
  close_handle(client);
  close_handle(listener);
  loop_close(loop);
}

static void cancelled(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  for (int i = 0; i < 100; i++) {
    operation *watch = make_operation(NULL, NULL);
    casyncio_port_watch(loop->port, go(loop, watch), ends[0], CASYNCIO_READABLE);
    for (int n = i % 3; n > 0; n--) CHECK(pump(loop, 0), ==, 0);
    if (i % 5 == 4) write_byte(ends[1]);
    casyncio_port_cancel(loop->port, &watch->record);
    int64_t result = finish(loop, watch);
    CHECK_TRUE(result == -ECANCELED || (i % 5 == 4 && result == CASYNCIO_READABLE));
    CHECK(watch->events, ==, 1);
    read_all(ends[0]);
  }
  expect_nothing(loop);
  close_both(ends);
  loop_close(loop);
}

static void process(void) {
  needs_of_system(PROCESSES);
  loop *loop = loop_open();
  for (int i = 0; i < 4; i++) {
    struct child child;
    start_child(&child);
    operation *watch = make_operation(NULL, NULL);
    casyncio_port_watch(loop->port, go(loop, watch), child.handle, CASYNCIO_READABLE);
    if (i == 1) {
      casyncio_port_cancel(loop->port, &watch->record);
      CHECK(finish(loop, watch), ==, -ECANCELED);
      casyncio_port_watch(loop->port, go(loop, watch), child.handle, CASYNCIO_READABLE);
    }
    CHECK(pump(loop, MILLISECOND), ==, 0);
    open_gate(&child);
    CHECK(finish(loop, watch) & CASYNCIO_READABLE, ==, CASYNCIO_READABLE);
    CHECK(end_child(&child), ==, 7);
  }
  loop_close(loop);
}

const struct test_case watch_cases[] = {
    {"watch:sockets", sockets},
    {"watch:pipes", pipes},
    {"watch:pipes-without-room", pipes_without_room},
    {"watch:reset", reset},
    {"watch:listener", listener},
    {"watch:cancelled", cancelled},
    {"watch:process", process},
    {NULL, NULL},
};
