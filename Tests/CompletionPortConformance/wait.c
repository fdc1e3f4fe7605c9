#include "conformance.h"


// How long a reap waits: never less than it was told, unless there is an event or a wake.

// Even a busy machine is not that late.
enum { LATE = 2 * SECOND / 4 };

static int64_t time_of(loop *loop, int64_t nanoseconds) {
  int64_t start = now();
  CHECK(pump(loop, nanoseconds), ==, 0);
  return now() - start;
}

static void not_at_all(void) {
  loop *loop = loop_open();
  int64_t start = now();
  for (int i = 0; i < 1000; i++) CHECK(pump(loop, 0), ==, 0);
  CHECK(now() - start, <, LATE);
  loop_close(loop);
}

static void exactly(void) {
  static const int64_t waits[] = {5 * MILLISECOND, 1 * MILLISECOND, 21 * MILLISECOND, 3333333, 1000001};
  loop *loop = loop_open();
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    int64_t time = time_of(loop, waits[i]);
    CHECK(time, >=, waits[i]);
    CHECK(time, <, waits[i] + LATE);
  }
  loop_close(loop);
}

// Neither a wait of nothing, which would be a loop that turns, nor one of whole milliseconds.
static void below_a_millisecond(void) {
  loop *loop = loop_open();
  int64_t best = SECOND;
  for (int i = 0; i < 50; i++) {
    int64_t time = time_of(loop, 150000);
    CHECK(time, >=, 150000);
    if (time < best) best = time;
  }
  CHECK(best, <, MILLISECOND);
  for (int64_t wait = 1; wait < 100000; wait *= 10) CHECK(time_of(loop, wait), >=, wait);
  loop_close(loop);
}

// The first wait after `begin` is as long as the others.
static void at_once_after_begin(void) {
  loop *loop = loop_create();
  for (int i = 0; i < 5; i++) {
    loop_begin(loop);
    CHECK(time_of(loop, 2 * MILLISECOND), >=, 2 * MILLISECOND);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

struct late_byte {
  int handle;
  int64_t after;
};

static void *write_later(void *argument) {
  struct late_byte *byte = argument;
  pause_for(byte->after);
  int64_t n = write_to(byte->handle, "x", 1);
  (void)n;
  return NULL;
}

// Ended by an event, from the outside and from the port itself.
static void until_an_event(void) {
  static const int64_t waits[] = {-1, 30LL * SECOND, INT64_MAX, INT64_MIN};
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    operation *receive = make_operation(NULL, NULL);
    casyncio_port_receive(loop->port, go(loop, receive), ends[0], make(1), 1);
    struct late_byte *byte = make(sizeof *byte);
    *byte = (struct late_byte){.handle = ends[1], .after = 10 * MILLISECOND};
    struct thread *thread;
    thread = start_thread(write_later, byte);
    int64_t start = now();
    while (receive->is_going) CHECK(pump(loop, waits[i]), ==, 1);
    CHECK(now() - start, <, 10 * MILLISECOND + LATE);
    CHECK(receive->result, ==, 1);
    join_thread(thread);
  }
  // What is there already is not waited for.
  operation *send = make_operation(NULL, NULL);
  casyncio_port_send(loop->port, go(loop, send), ends[1], "y", 1);
  CHECK(pump(loop, -1), ==, 1);
  CHECK(send->result, ==, 1);
  close_both(ends);
  loop_close(loop);
}

// The end of an operation that the port has more work with is not an event, and neither is the answer to a request to
// cancel: a wait goes on over them.
static void over_inner_steps(void) {
  loop *loop = loop_open();
  int ends[2], pipe_ends[2];
  local_pair(ends);
  pipe_pair(pipe_ends, 1);
  operation *receive = make_operation(NULL, NULL), *first = make_operation(NULL, NULL);
  casyncio_port_receive(loop->port, go(loop, receive), ends[0], make(8), 8);
  casyncio_port_read(loop->port, go(loop, first), pipe_ends[0], make(8), 8);
  // A read of an empty pipe begins to wait for bytes.
  CHECK(time_of(loop, 5 * MILLISECOND), >=, 5 * MILLISECOND);
  // The request comes too late: the bytes are there.
  CHECK(put(ends[1], 0, 0, 1), ==, 1);
  casyncio_port_cancel(loop->port, &receive->record);
  finish(loop, receive);
  CHECK(time_of(loop, 5 * MILLISECOND), >=, 5 * MILLISECOND);
  casyncio_port_cancel(loop->port, &first->record);
  finish(loop, first);
  CHECK(time_of(loop, 5 * MILLISECOND), >=, 5 * MILLISECOND);
  // A write that is more than a pipe holds is many writes of the system.
  enum { SIZE = 300000 };
  operation *write = make_operation(NULL, NULL);
  casyncio_port_write(loop->port, go(loop, write), pipe_ends[1], make(SIZE), SIZE);
  for (int i = 0; i < 3; i++) {
    CHECK(time_of(loop, 5 * MILLISECOND), >=, 5 * MILLISECOND);
    char bytes[65536];
    CHECK(read_from(pipe_ends[0], bytes, sizeof bytes), >, 0);
  }
  casyncio_port_cancel(loop->port, &write->record);
  finish(loop, write);
  close_both(ends);
  close_both(pipe_ends);
  loop_close(loop);
}

static void on_signal(int signal) { (void)signal; }

// A signal may end a wait or not, and is not an error.
static void with_signals(void) {
  needs_of_system(SIGNALS);
  loop *loop = loop_open();
  handle_signals(on_signal);
  signal_every_millisecond(1);
  for (int i = 0; i < 10; i++) CHECK(pump(loop, 5 * MILLISECOND), ==, 0);
  signal_every_millisecond(0);
  handle_signals(NULL);
  expect_nothing(loop);
  loop_close(loop);
}

const struct test_case wait_cases[] = {
    {"wait:not-at-all", not_at_all},
    {"wait:exactly", exactly},
    {"wait:below-a-millisecond", below_a_millisecond},
    {"wait:at-once-after-begin", at_once_after_begin},
    {"wait:until-an-event", until_an_event},
    {"wait:over-inner-steps", over_inner_steps},
    {"wait:with-signals", with_signals},
    {NULL, NULL},
};
