#include "conformance.h"

#include <errno.h>
#include <string.h>

// Receiving into the caller's memory, and the ends of a stream. Both kinds of receiving say the same about ends.

enum { ROOM = 1024 };

// The result of one receive of either kind; chunks are checked and given back.
struct stream {
  uint32_t number;
  uint64_t offset;
  uint8_t *bytes;
};

static void on_bytes(loop *loop, operation *operation, const casyncio_event *event) {
  struct stream *stream = operation->context;
  if (event->result <= 0) return;
  const uint8_t *bytes = event->flags & CASYNCIO_EVENT_LENT ? event->bytes : stream->bytes;
  CHECK(pattern_breaks(bytes, (size_t)event->result, stream->number, stream->offset), ==, -1);
  stream->offset += (uint64_t)event->result;
  if (event->flags & CASYNCIO_EVENT_LENT) give_back(loop, event->lease);
}

static operation *make_receive(uint32_t number) {
  struct stream *stream = make(sizeof *stream);
  stream->number = number;
  stream->bytes = make(ROOM);
  return make_operation(on_bytes, stream);
}

static void start(loop *loop, operation *receive, int handle, int lent) {
  struct stream *stream = receive->context;
  if (lent) {
    casyncio_port_receive_lent(loop->port, go_many(loop, receive), handle);
  } else {
    casyncio_port_receive(loop->port, go(loop, receive), handle, stream->bytes, ROOM);
  }
}

// Goes on until the end of the stream or an error.
static int64_t to_the_end(loop *loop, operation *receive, int handle, int lent) {
  for (;;) {
    if (!receive->is_going) start(loop, receive, handle, lent);
    int64_t result = finish(loop, receive);
    if (result <= 0 && result != -ENOBUFS) return result;
  }
}

// Each case about ends runs over both kinds of sockets, with and without lent memory.
static void for_all(void (*run)(loop *, const int *, int)) {
  loop *loop = loop_open();
  for (int i = 0; i < 4; i++) {
    int ends[2], lent = i / 2;
    if (lent && !loop_has(loop, CASYNCIO_PORT_LENT)) continue;
    if (i % 2) {
      local_pair(ends);
    } else {
      tcp_pair(ends);
    }
    run(loop, ends, lent);
    expect_nothing(loop);
    close_handle(ends[0]);
  }
  loop_close(loop);
}

static void before_and_after(loop *loop, const int *ends, int lent) {
  operation *receive = make_receive(1);
  struct stream *stream = receive->context;
  // The bytes are there.
  CHECK(put(ends[1], 1, 0, 300), ==, 300);
  start(loop, receive, ends[0], lent);
  while (stream->offset < 300) pump(loop, 20 * MILLISECOND);
  // The bytes come.
  for (int i = 0; i < 20; i++) {
    if (!receive->is_going) start(loop, receive, ends[0], lent);
    CHECK(pump(loop, 0), ==, 0);
    CHECK(put(ends[1], 1, stream->offset, 37), ==, 37);
    while (stream->offset < 337 + 37u * (unsigned)i) pump(loop, 20 * MILLISECOND);
  }
  close_handle(ends[1]);
  CHECK(to_the_end(loop, receive, ends[0], lent), ==, 0);
}

static void end_of_stream(loop *loop, const int *ends, int lent) {
  operation *receive = make_receive(2);
  CHECK(put(ends[1], 2, 0, 5000), ==, 5000);
  end_writing(ends[1]);
  CHECK(to_the_end(loop, receive, ends[0], lent), ==, 0);
  CHECK(((struct stream *)receive->context)->offset, ==, 5000);
  // And it stays the end.
  uint32_t events = receive->events;
  start(loop, receive, ends[0], lent);
  CHECK(finish(loop, receive), ==, 0);
  CHECK(receive->events, ==, events + 1);
  close_handle(ends[1]);
}

static void end_while_waiting(loop *loop, const int *ends, int lent) {
  operation *receive = make_receive(3);
  start(loop, receive, ends[0], lent);
  pump(loop, 0);
  close_handle(ends[1]);
  CHECK(finish(loop, receive), ==, 0);
  CHECK(receive->events, ==, 1);
}

static void reset(loop *loop, const int *ends, int lent) {
  operation *receive = make_receive(4);
  start(loop, receive, ends[0], lent);
  pump(loop, 0);
  reset_pair(ends);
  CHECK(finish(loop, receive), ==, -ECONNRESET);
  CHECK(receive->events, ==, 1);
  start(loop, receive, ends[0], lent);
  int64_t result = finish(loop, receive);
  CHECK_TRUE(result == 0 || (result == -ECONNRESET && resets_repeat()));
}

static void receives_before_and_after(void) { for_all(before_and_after); }
static void receives_end_of_stream(void) { for_all(end_of_stream); }
static void receives_end_while_waiting(void) { for_all(end_while_waiting); }
static void receives_reset(void) { for_all(reset); }

// A blocking handle does not make anything wait but a reap.
static void blocking_handle(loop *loop, const int *ends, int lent) {
  set_non_blocking(ends[0], 0);
  int64_t begun = now();
  operation *receive = make_receive(5);
  start(loop, receive, ends[0], lent);
  for (int i = 0; i < 10; i++) CHECK(pump(loop, 0), ==, 0);
  CHECK(now() - begun, <, SECOND);
  CHECK(put(ends[1], 5, 0, 100), ==, 100);
  close_handle(ends[1]);
  CHECK(to_the_end(loop, receive, ends[0], lent), ==, 0);
  CHECK(((struct stream *)receive->context)->offset, ==, 100);
}

static void receives_from_blocking_handle(void) { for_all(blocking_handle); }

// Takes no bytes, and none are lost.
static void nothing(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  operation *receive = make_receive(6);
  CHECK(put(ends[1], 6, 0, 10), ==, 10);
  casyncio_port_receive(loop->port, go(loop, receive), ends[0], make(1), 0);
  CHECK(finish(loop, receive), ==, 0);
  CHECK(receive->events, ==, 1);
  // Without bytes it may end at once or wait for some.
  CHECK(take(ends[0], 6, 0), ==, 10);
  casyncio_port_receive(loop->port, go(loop, receive), ends[0], make(1), 0);
  pump(loop, 0);
  casyncio_port_cancel(loop->port, &receive->record);
  int64_t result = finish(loop, receive);
  CHECK_TRUE(result == 0 || result == -ECANCELED);
  CHECK(receive->ends, ==, 2);
  close_both(ends);
  loop_close(loop);
}

static void empty_datagram(void) {
  loop *loop = loop_open();
  int ends[2];
  datagram_pair(ends);
  operation *receive = make_receive(7), *send = make_operation(NULL, NULL);
  for (int i = 0; i < 10; i++) {
    size_t count = i % 2 ? 16 : 0;
    uint8_t *bytes = make(16);
    fill_pattern(bytes, 16, 7, ((struct stream *)receive->context)->offset);
    start(loop, receive, ends[0], 0);
    if (i % 3) pump(loop, 0);
    casyncio_port_send(loop->port, go(loop, send), ends[1], bytes, count);
    CHECK(finish(loop, send), ==, count);
    CHECK(finish(loop, receive), ==, count);
  }
  close_both(ends);
  loop_close(loop);
}

const struct test_case receive_cases[] = {
    {"receive:before-and-after", receives_before_and_after},
    {"receive:end-of-stream", receives_end_of_stream},
    {"receive:end-while-waiting", receives_end_while_waiting},
    {"receive:reset", receives_reset},
    {"receive:blocking-handle", receives_from_blocking_handle},
    {"receive:nothing", nothing},
    {"receive:empty-datagram", empty_datagram},
    {NULL, NULL},
};
