#include "conformance.h"

#include <stdlib.h>
#include <string.h>

// A port with its books: every reap is compared with what was started, ended, lent and returned.

loop *loop_create(void) {
  loop *loop = make(sizeof *loop);
  CHECK(casyncio_port_create(&options, &loop->port), ==, 0);
  loop->lent = casyncio_port_lent(loop->port);
  loop->capacity = 64;
  return loop;
}

void loop_begin(loop *loop) {
  int step = -1;
  CHECK(casyncio_port_begin(loop->port, &step), ==, 0);
  CHECK(step, ==, CASYNCIO_STEP_NONE);
  CHECK(casyncio_port_in_flight(loop->port), ==, 0);
}

loop *loop_open(void) {
  loop *loop = loop_create();
  loop_begin(loop);
  return loop;
}

void loop_close(loop *loop) {
  CHECK(casyncio_port_in_flight(loop->port), ==, 0);
  CHECK(loop->in_flight, ==, 0);
  CHECK(casyncio_lent_leases(loop->lent), ==, 0);
  CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
  casyncio_port_end(loop->port, 0);
  CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
  casyncio_port_destroy(loop->port);
}

int loop_has(const loop *loop, uint32_t feature) { return (casyncio_port_features(loop->port) & feature) == feature; }

void needs(const loop *loop, uint32_t feature, const char *name) {
  if (loop_has(loop, feature)) return;
  casyncio_port_end(loop->port, 0);
  casyncio_port_destroy(loop->port);
  case_skipped(name);
}

operation *make_operation(handler handler, void *context) {
  operation *operation = make(sizeof *operation);
  operation->record.owner = operation;
  operation->handler = handler;
  operation->context = context;
  return operation;
}

casyncio_record *go(loop *loop, operation *operation) {
  CHECK(operation->is_going, ==, 0);
  CHECK(operation->record.in_flight, ==, 0);
  operation->is_going = 1;
  operation->may_repeat = 0;
  loop->in_flight++;
  return &operation->record;
}

casyncio_record *go_many(loop *loop, operation *operation) {
  casyncio_record *record = go(loop, operation);
  operation->may_repeat = 1;
  return record;
}

// What can be said about an event before anybody acts on any of them.
static void note(loop *loop, const casyncio_event *event) {
  operation *operation = event->record->owner;
  CHECK_TRUE(&operation->record == event->record);
  CHECK(operation->is_going, ==, 1);
  if (event->flags & CASYNCIO_EVENT_LENT) {
    CHECK_TRUE(operation->may_repeat && event->bytes != NULL);
    CHECK(event->result, >, 0);
    loop->leases++;
  }
  operation->events++;
  if (event->flags & CASYNCIO_EVENT_MORE) {
    CHECK(operation->may_repeat, ==, 1);
    CHECK(event->result, >=, 0);
    return;
  }
  CHECK(operation->record.in_flight, ==, 0);
  operation->is_going = 0;
  operation->ends++;
  loop->in_flight--;
}

int pump(loop *loop, int64_t nanoseconds) {
  casyncio_event events[64];
  memset(events, 0x5a, sizeof events);
  int n = casyncio_port_reap(loop->port, events, loop->capacity, nanoseconds);
  CHECK(n, >=, 0);
  CHECK(n, <=, loop->capacity);
  for (int i = 0; i < n; i++) note(loop, &events[i]);
  CHECK(casyncio_port_in_flight(loop->port), ==, loop->in_flight);
  CHECK(casyncio_lent_leases(loop->lent), ==, loop->leases);
  CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
  for (int i = 0; i < n; i++) {
    operation *operation = events[i].record->owner;
    operation->result = events[i].result;
    if (operation->handler) operation->handler(loop, operation, &events[i]);
  }
  return n;
}

int64_t finish(loop *loop, operation *operation) {
  int64_t limit = now() + 10LL * SECOND;
  while (operation->is_going) {
    pump(loop, 20 * MILLISECOND);
    CHECK(now(), <, limit);
  }
  return operation->result;
}

void drain(loop *loop) {
  int64_t limit = now() + 10LL * SECOND;
  while (loop->in_flight > 0) {
    pump(loop, 20 * MILLISECOND);
    CHECK(now(), <, limit);
  }
}

void expect_nothing(loop *loop) {
  for (int i = 0; i < 3; i++) CHECK(pump(loop, 0), ==, 0);
  for (int i = 0; i < 2; i++) CHECK(pump(loop, 2 * MILLISECOND), ==, 0);
}

void give_back(loop *loop, uint32_t lease) {
  casyncio_lent_return(loop->lent, lease);
  loop->leases--;
  CHECK(casyncio_lent_leases(loop->lent), ==, loop->leases);
}
