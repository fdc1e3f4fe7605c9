#include "conformance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Sending: one event, with all bytes gone or an error, and never a signal: SIGPIPE would end this program.

// A reader that takes a little at a time, between the reaps.
struct reader {
  int handle;
  uint64_t received;
  size_t most;
};

static void read_some(struct reader *reader) {
  uint8_t bytes[65536];
  int64_t n = read_from(reader->handle, bytes, reader->most);
  if (n <= 0) return;
  CHECK(pattern_breaks(bytes, (size_t)n, 3, reader->received), ==, -1);
  reader->received += (uint64_t)n;
}

static void big(const int ends[2], int is_non_blocking, size_t size, size_t most) {
  loop *loop = loop_open();
  set_non_blocking(ends[0], is_non_blocking);
  uint8_t *bytes = make(size);
  fill_pattern(bytes, size, 3, 0);
  struct reader reader = {.handle = ends[1], .most = most};
  operation *send = make_operation(NULL, NULL);
  casyncio_port_send(loop->port, go(loop, send), ends[0], bytes, size);
  int64_t limit = now() + 15LL * SECOND;
  // Nobody reads: nothing ends, and nothing turns.
  for (int i = 0; i < 3; i++) CHECK(pump(loop, MILLISECOND), ==, 0);
  while (reader.received < size) {
    pump(loop, 0);
    read_some(&reader);
    CHECK(now(), <, limit);
  }
  CHECK(finish(loop, send), ==, size);
  CHECK(send->events, ==, 1);
  CHECK(send->record.transferred, ==, size);
  expect_nothing(loop);
  CHECK(take(ends[1], 3, size), ==, 0);
  close_both(ends);
  loop_close(loop);
}

static void big_to_slow_reader(void) {
  int ends[2];
  local_pair(ends);
  set_buffers(ends[0], 64 * 1024);
  big(ends, 1, 16 * 1024 * 1024, 20000);
}

static void big_from_blocking_handle(void) {
  int ends[2];
  local_pair(ends);
  set_buffers(ends[0], 4096);
  big(ends, 0, 1024 * 1024, 3000);
}

static void big_over_tcp(void) {
  int ends[2];
  tcp_pair(ends);
  set_buffers(ends[0], 256 * 1024);
  big(ends, 1, 16 * 1024 * 1024, 65536);
}

static void one_after_the_other(void) {
  int ends[2];
  local_pair(ends);
  set_buffers(ends[0], 4096);
  loop *loop = loop_open();
  struct reader reader = {.handle = ends[1], .most = 65536};
  uint8_t *bytes = make(40000);
  operation *send = make_operation(NULL, NULL);
  uint32_t state = 17;
  uint64_t sent = 0;
  for (int i = 0; i < 300; i++) {
    size_t size = i % 10 == 0 ? random_number(&state) % 40000 : random_number(&state) % 100;
    fill_pattern(bytes, size, 3, sent);
    casyncio_port_send(loop->port, go(loop, send), ends[0], bytes, size);
    while (send->is_going) {
      pump(loop, 100000);
      read_some(&reader);
    }
    CHECK(send->result, ==, size);
    sent += size;
    // The memory is the caller's again.
    memset(bytes, 0xff, size);
  }
  CHECK(reader.received + take(ends[1], 3, reader.received), ==, sent);
  close_both(ends);
  loop_close(loop);
}

static void nothing(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 2; i++) {
    int ends[2];
    if (i == 0) {
      local_pair(ends);
    } else {
      tcp_pair(ends);
    }
    operation *send = make_operation(NULL, NULL);
    casyncio_port_send(loop->port, go(loop, send), ends[0], "", 0);
    CHECK(finish(loop, send), ==, 0);
    CHECK(send->events, ==, 1);
    char byte;
    CHECK(read_from(ends[1], &byte, 1), ==, -EAGAIN);
    close_both(ends);
  }
  loop_close(loop);
}

static void to_gone_peer(const int ends[2]) {
  loop *loop = loop_open();
  operation *send = make_operation(NULL, NULL);
  for (int n = 0; n < 3; n++) {
    casyncio_port_send(loop->port, go(loop, send), ends[0], "x", 1);
    int64_t result = finish(loop, send);
    CHECK_TRUE(result == -EPIPE || result == -ECONNRESET || result == -ECONNABORTED);
  }
  CHECK(send->events, ==, 3);
  close_handle(ends[0]);
  loop_close(loop);
}

static void to_closed_peer(void) {
  needs_of_system(LOCAL_SOCKETS);
  int ends[2];
  local_pair(ends);
  close_handle(ends[1]);
  to_gone_peer(ends);
}

static void to_reset_peer(void) {
  int ends[2];
  tcp_pair(ends);
  close_with_reset(ends[1]);
  to_gone_peer(ends);
}

static void after_shutdown(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  end_writing(ends[0]);
  operation *send = make_operation(NULL, NULL);
  casyncio_port_send(loop->port, go(loop, send), ends[0], "x", 1);
  CHECK(finish(loop, send), ==, -EPIPE);
  close_both(ends);
  loop_close(loop);
}

// The peer goes while bytes are on their way.
static void peer_closes_in_the_middle(void) {
  loop *loop = loop_open();
  enum { SIZE = 4 * 1024 * 1024 };
  uint8_t *bytes = make(SIZE);
  fill_pattern(bytes, SIZE, 3, 0);
  for (int i = 0; i < 6; i++) {
    int ends[2];
    if (i % 2) {
      tcp_pair(ends);
    } else {
      local_pair(ends);
    }
    set_buffers(ends[0], 32 * 1024);
    operation *send = make_operation(NULL, NULL);
    casyncio_port_send(loop->port, go(loop, send), ends[0], bytes, SIZE);
    struct reader reader = {.handle = ends[1], .most = 1000};
    for (int n = 0; n < i; n++) {
      pump(loop, 100000);
      read_some(&reader);
    }
    close_handle(ends[1]);
    int64_t result = finish(loop, send);
    CHECK_TRUE(result == -EPIPE || result == -ECONNRESET);
    CHECK(send->events, ==, 1);
    CHECK(send->record.transferred, <, SIZE);
    CHECK(send->record.transferred, >=, reader.received);
    close_handle(ends[0]);
  }
  loop_close(loop);
}

// What is gone and what has arrived are the same, wherever it was cut off.
static void cancelled_in_the_middle(void) {
  loop *loop = loop_open();
  enum { SIZE = 1024 * 1024 };
  uint8_t *bytes = make(SIZE);
  fill_pattern(bytes, SIZE, 3, 0);
  for (int i = 0; i < 20; i++) {
    int ends[2];
    local_pair(ends);
    set_buffers(ends[0], 32 * 1024);
    set_non_blocking(ends[0], i % 2);
    operation *send = make_operation(NULL, NULL);
    casyncio_port_send(loop->port, go(loop, send), ends[0], bytes, SIZE);
    struct reader reader = {.handle = ends[1], .most = 7000};
    for (int n = 0; n < i; n++) {
      pump(loop, 0);
      read_some(&reader);
    }
    CHECK(send->is_going, ==, 1);
    casyncio_port_cancel(loop->port, &send->record);
    CHECK(finish(loop, send), ==, -ECANCELED);
    CHECK(send->events, ==, 1);
    CHECK(send->record.transferred, ==, reader.received + take(ends[1], 3, reader.received));
    // The rest by another one: the stream has no gap.
    size_t gone = send->record.transferred;
    casyncio_port_send(loop->port, go(loop, send), ends[0], bytes + gone, 5000);
    CHECK(finish(loop, send), ==, 5000);
    CHECK(take(ends[1], 3, gone), ==, 5000);
    close_both(ends);
  }
  loop_close(loop);
}

const struct test_case send_cases[] = {
    {"send:big-to-slow-reader", big_to_slow_reader},
    {"send:big-from-blocking-handle", big_from_blocking_handle},
    {"send:big-over-tcp", big_over_tcp},
    {"send:one-after-the-other", one_after_the_other},
    {"send:nothing", nothing},
    {"send:to-closed-peer", to_closed_peer},
    {"send:to-reset-peer", to_reset_peer},
    {"send:after-shutdown", after_shutdown},
    {"send:peer-closes-in-the-middle", peer_closes_in_the_middle},
    {"send:cancelled-in-the-middle", cancelled_in_the_middle},
    {NULL, NULL},
};
