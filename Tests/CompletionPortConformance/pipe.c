#include "conformance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Reading and writing what is not a socket. A pipe may block or not: neither waits anywhere but in a reap, and neither
// says EAGAIN.

enum { BIG = 1024 * 1024 };

static void empty_then_bytes(int is_non_blocking) {
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, is_non_blocking);
  operation *read = make_operation(NULL, NULL);
  uint8_t *bytes = make(64);
  uint64_t offset = 0;
  for (int i = 0; i < 20; i++) {
    casyncio_port_read(loop->port, go(loop, read), ends[0], bytes, 64);
    if (i % 2) CHECK(pump(loop, 0), ==, 0);
    if (i % 4 == 3) CHECK(pump(loop, MILLISECOND), ==, 0);
    CHECK(put(ends[1], 1, offset, 10), ==, 10);
    CHECK(finish(loop, read), ==, 10);
    CHECK(pattern_breaks(bytes, 10, 1, offset), ==, -1);
    offset += 10;
  }
  // The end, even while it is waited for, and again.
  casyncio_port_read(loop->port, go(loop, read), ends[0], bytes, 64);
  pump(loop, 0);
  close_handle(ends[1]);
  CHECK(finish(loop, read), ==, 0);
  casyncio_port_read(loop->port, go(loop, read), ends[0], bytes, 64);
  CHECK(finish(loop, read), ==, 0);
  CHECK(read->events, ==, 22);
  close_handle(ends[0]);
  loop_close(loop);
}

static void reads_blocking(void) { empty_then_bytes(0); }
static void reads_non_blocking(void) { empty_then_bytes(1); }

static void full_then_room(int is_non_blocking) {
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, 1);
  set_non_blocking(ends[1], is_non_blocking);
  uint8_t *bytes = make(BIG);
  fill_pattern(bytes, BIG, 2, 0);
  operation *write = make_operation(NULL, NULL);
  int64_t limit = now() + 10LL * SECOND;
  casyncio_port_write(loop->port, go(loop, write), ends[1], bytes, BIG);
  for (int i = 0; i < 3; i++) CHECK(pump(loop, MILLISECOND), ==, 0);
  uint64_t taken = 0;
  while (taken < BIG) {
    taken += take(ends[0], 2, taken);
    pump(loop, 0);
    CHECK(now(), <, limit);
  }
  CHECK(finish(loop, write), ==, BIG);
  CHECK(write->events, ==, 1);
  // Small ones into a pipe that is full already.
  set_non_blocking(ends[1], 1);
  uint64_t filled = put(ends[1], 2, 0, BIG);
  set_non_blocking(ends[1], is_non_blocking);
  for (int i = 0; i < 20; i++) {
    casyncio_port_write(loop->port, go(loop, write), ends[1], bytes + filled, 100);
    uint64_t already = filled;
    if (i == 0) {
      CHECK(pump(loop, MILLISECOND), ==, 0);
      // The write may go on while this reads.
      already = take(ends[0], 2, 0);
    }
    CHECK(finish(loop, write), ==, 100);
    CHECK(already + take(ends[0], 2, already), ==, filled + 100);
  }
  close_both(ends);
  loop_close(loop);
}

static void writes_blocking(void) { full_then_room(0); }
static void writes_non_blocking(void) { full_then_room(1); }

// From one end to the other by the port alone.
static void through_the_port(void) {
  loop *loop = loop_open();
  for (int kind = 0; kind < 4; kind++) {
    int ends[2];
    pipe_pair(ends, kind % 2);
    set_non_blocking(ends[1], kind / 2);
    uint8_t *bytes = make(BIG), *room = make(5000);
    fill_pattern(bytes, BIG, 3, 0);
    operation *write = make_operation(NULL, NULL), *read = make_operation(NULL, NULL);
    casyncio_port_write(loop->port, go(loop, write), ends[1], bytes, BIG);
    for (uint64_t taken = 0; taken < BIG;) {
      casyncio_port_read(loop->port, go(loop, read), ends[0], room, 5000);
      int64_t n = finish(loop, read);
      CHECK(n, >, 0);
      CHECK(pattern_breaks(room, (size_t)n, 3, taken), ==, -1);
      taken += (uint64_t)n;
    }
    CHECK(finish(loop, write), ==, BIG);
    close_both(ends);
  }
  loop_close(loop);
}

// A write has no flag that keeps the signal away: to ignore it is for the process.
static void without_reader(void) {
  loop *loop = loop_open();
  ignore_broken_pipes(1);
  uint8_t *bytes = make(BIG);
  for (int i = 0; i < 4; i++) {
    int ends[2];
    pipe_pair(ends, i % 2);
    operation *write = make_operation(NULL, NULL);
    if (i < 2) {
      close_handle(ends[0]);
      casyncio_port_write(loop->port, go(loop, write), ends[1], bytes, 1);
    } else {
      // It goes while bytes are on their way.
      casyncio_port_write(loop->port, go(loop, write), ends[1], bytes, BIG);
      for (int n = 0; n < 3; n++) CHECK(pump(loop, 0), ==, 0);
      close_handle(ends[0]);
    }
    CHECK(finish(loop, write), ==, -EPIPE);
    CHECK(write->events, ==, 1);
    CHECK(write->record.transferred, <, BIG);
    close_handle(ends[1]);
  }
  ignore_broken_pipes(0);
  loop_close(loop);
}

static void nothing(void) {
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, 1);
  operation *write = make_operation(NULL, NULL), *read = make_operation(NULL, NULL);
  casyncio_port_write(loop->port, go(loop, write), ends[1], "", 0);
  CHECK(finish(loop, write), ==, 0);
  CHECK(put(ends[1], 4, 0, 10), ==, 10);
  casyncio_port_read(loop->port, go(loop, read), ends[0], make(1), 0);
  CHECK(finish(loop, read), ==, 0);
  CHECK(take(ends[0], 4, 0), ==, 10);
  close_both(ends);
  loop_close(loop);
}

static void cancelled(void) {
  loop *loop = loop_open();
  uint8_t *bytes = make(BIG);
  fill_pattern(bytes, BIG, 5, 0);
  for (int i = 0; i < 24; i++) {
    int ends[2];
    pipe_pair(ends, i % 2);
    operation *read = make_operation(NULL, NULL), *write = make_operation(NULL, NULL);
    casyncio_port_read(loop->port, go(loop, read), ends[0], make(8), 8);
    for (int n = i / 2 % 3; n > 0; n--) CHECK(pump(loop, 0), ==, 0);
    casyncio_port_cancel(loop->port, &read->record);
    CHECK(finish(loop, read), ==, -ECANCELED);
    CHECK(read->events, ==, 1);
    casyncio_port_write(loop->port, go(loop, write), ends[1], bytes, BIG);
    uint64_t taken = 0;
    set_non_blocking(ends[0], 1);
    for (int n = i / 2; n > 0; n--) {
      CHECK(pump(loop, 0), ==, 0);
      if (n % 3 == 0) taken += take(ends[0], 5, taken);
    }
    casyncio_port_cancel(loop->port, &write->record);
    CHECK(finish(loop, write), ==, -ECANCELED);
    CHECK(write->events, ==, 1);
    CHECK(write->record.transferred, ==, taken + take(ends[0], 5, taken));
    close_both(ends);
  }
  loop_close(loop);
}

static void file(void) {
  needs_of_system(FILES);
  int handle = temporary_file();
  loop *loop = loop_open();
  uint8_t *bytes = make(100000), *copy = make(100000);
  fill_pattern(bytes, 100000, 6, 0);
  operation *write = make_operation(NULL, NULL), *read = make_operation(NULL, NULL);
  for (size_t i = 0; i < 2; i++) {
    casyncio_port_write(loop->port, go(loop, write), handle, bytes + i * 50000, 50000);
    CHECK(finish(loop, write), ==, 50000);
  }
  rewind_file(handle);
  for (uint64_t offset = 0; offset < 100000;) {
    casyncio_port_read(loop->port, go(loop, read), handle, copy, 30000);
    int64_t n = finish(loop, read);
    CHECK(n, >, 0);
    CHECK(pattern_breaks(copy, (size_t)n, 6, offset), ==, -1);
    offset += (uint64_t)n;
  }
  casyncio_port_read(loop->port, go(loop, read), handle, copy, 30000);
  CHECK(finish(loop, read), ==, 0);
  close_handle(handle);
  loop_close(loop);
}

const struct test_case pipe_cases[] = {
    {"pipe:reads-blocking", reads_blocking},
    {"pipe:reads-non-blocking", reads_non_blocking},
    {"pipe:writes-blocking", writes_blocking},
    {"pipe:writes-non-blocking", writes_non_blocking},
    {"pipe:through-the-port", through_the_port},
    {"pipe:without-reader", without_reader},
    {"pipe:nothing", nothing},
    {"pipe:cancelled", cancelled},
    {"pipe:file", file},
    {NULL, NULL},
};
