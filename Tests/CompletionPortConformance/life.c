#include "conformance.h"


// Making a port, driving it from one thread after the other, and giving it back.

static void round_trip(loop *loop) {
  int ends[2];
  local_pair(ends);
  char *bytes = make(4);
  operation *receive = make_operation(NULL, NULL), *send = make_operation(NULL, NULL);
  casyncio_port_receive(loop->port, go(loop, receive), ends[0], bytes, 4);
  casyncio_port_send(loop->port, go(loop, send), ends[1], "ping", 4);
  CHECK(finish(loop, send), ==, 4);
  CHECK(finish(loop, receive), ==, 4);
  CHECK(bytes[0], ==, 'p');
  CHECK(bytes[3], ==, 'g');
  close_both(ends);
}

static void detect(void) {
  int step = -1;
  uint32_t features = 0;
  CHECK(casyncio_port_detect(&step, &features), ==, 0);
  CHECK(step, ==, CASYNCIO_STEP_NONE);
  CHECK(features & CASYNCIO_PORT_BASIC, ==, CASYNCIO_PORT_BASIC);
}

static void once(void) {
  loop *loop = loop_open();
  CHECK_TRUE(loop_has(loop, CASYNCIO_PORT_BASIC));
  CHECK(casyncio_port_features(loop->port) & options.without, ==, 0);
  expect_nothing(loop);
  round_trip(loop);
  expect_nothing(loop);
  loop_close(loop);
}

// Chunks that share buffers are a kind of lent chunks.
static void features_agree(void) {
  loop *loop = loop_open();
  if (loop_has(loop, CASYNCIO_PORT_SHARED_BUFFERS)) CHECK_TRUE(loop_has(loop, CASYNCIO_PORT_LENT));
  loop_close(loop);
}

static void never_begun(void) {
  for (int i = 0; i < 20; i++) {
    loop *loop = loop_create();
    CHECK(casyncio_port_in_flight(loop->port), ==, 0);
    CHECK(casyncio_lent_leases(loop->lent), ==, 0);
    CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
    casyncio_port_wake(loop->port);
    casyncio_port_destroy(loop->port);
  }
}

static void begun_many_times(void) {
  loop *loop = loop_create();
  for (int i = 0; i < 50; i++) {
    loop_begin(loop);
    if (i % 3 > 0) round_trip(loop);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

static void many_at_once(void) {
  loop *loops[8];
  for (int i = 0; i < 8; i++) loops[i] = loop_open();
  for (int i = 0; i < 8; i++) round_trip(loops[i]);
  for (int i = 7; i >= 0; i--) loop_close(loops[i]);
}

// What a check in another thread finds wrong cannot end the case from there: the thread does the steps, and this one
// looks at what came of them.
struct drive {
  loop *loop;
  int handle;
  int begun, step;
  int64_t sent;
};

static void *drive(void *argument) {
  struct drive *drive = argument;
  casyncio_port *port = drive->loop->port;
  drive->begun = casyncio_port_begin(port, &drive->step);
  if (drive->begun < 0) return NULL;
  casyncio_record record = {0};
  casyncio_port_send(port, &record, drive->handle, "x", 1);
  casyncio_event event = {.result = -1};
  while (record.in_flight && casyncio_port_reap(port, &event, 1, SECOND) >= 0) {}
  drive->sent = event.result;
  casyncio_port_end(port, 0);
  return NULL;
}

static void *destroy(void *argument) {
  casyncio_port_destroy(((loop *)argument)->port);
  return NULL;
}

static void in_turn_by_threads(void) {
  int ends[2];
  local_pair(ends);
  loop *loop = loop_create();
  struct drive *drives = make(3 * sizeof *drives);
  struct thread *thread;
  for (int i = 0; i < 3; i++) {
    drives[i] = (struct drive){.loop = loop, .handle = ends[0], .begun = -1, .step = -1};
    thread = start_thread(drive, &drives[i]);
    join_thread(thread);
    CHECK(drives[i].begun, ==, 0);
    CHECK(drives[i].step, ==, CASYNCIO_STEP_NONE);
    CHECK(drives[i].sent, ==, 1);
  }
  loop_begin(loop);
  round_trip(loop);
  casyncio_port_end(loop->port, 0);
  thread = start_thread(destroy, loop);
  join_thread(thread);
  close_both(ends);
}

// Without an answer from the system there is no other way to end.
static void abandoned(void) {
  int ends[2];
  local_pair(ends);
  loop *loop = loop_open();
  char *bytes = make(8);
  casyncio_port_receive(loop->port, go(loop, make_operation(NULL, NULL)), ends[0], bytes, 8);
  pump(loop, 0);
  casyncio_port_end(loop->port, 1);
  CHECK(casyncio_port_in_flight(loop->port), ==, 0);
  loop->in_flight = 0;
  loop_begin(loop);
  // The port is as good as new. The other end is another one: the old receive may still be there.
  round_trip(loop);
  loop_close(loop);
  close_both(ends);
  // Nobody says when the system has let go of the memory.
  pause_for(20 * MILLISECOND);
}

const struct test_case life_cases[] = {
    {"life:detect", detect},
    {"life:once", once},
    {"life:features-agree", features_agree},
    {"life:never-begun", never_begun},
    {"life:begun-many-times", begun_many_times},
    {"life:many-at-once", many_at_once},
    {"life:in-turn-by-threads", in_turn_by_threads},
    {"life:abandoned", abandoned},
    {NULL, NULL},
};
