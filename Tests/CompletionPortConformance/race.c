#include "conformance.h"

#include <errno.h>
#include <stdatomic.h>

// Requests to cancel that race what they are to cancel, many times and at every distance: each operation has one last
// event, and no byte is lost or seen twice.

// A thread that works at the other end of a stream.
struct peer {
  int handle;
  uint32_t stream, state;
  uint64_t count;
  _Atomic int is_wanted;
  uint32_t broken;
};

// Nothing, a few turns of a loop, or a real pause.
static void dawdle(uint32_t *state, volatile uint32_t *sink) {
  uint32_t random = random_number(state);
  if (random % 4 == 0) return;
  if (random % 101 == 0) pause_for(random % 30000);
  for (uint32_t i = random % 1500; i > 0; i--) *sink = i;
}

static void *send_now_and_then(void *argument) {
  struct peer *peer = argument;
  uint8_t bytes[64];
  volatile uint32_t sink = 0;
  while (atomic_load(&peer->is_wanted)) {
    dawdle(&peer->state, &sink);
    size_t count = 1 + random_number(&peer->state) % sizeof bytes;
    fill_pattern(bytes, count, peer->stream, peer->count);
    int64_t n = write_to(peer->handle, bytes, count);
    if (n > 0) peer->count += (uint64_t)n;
  }
  return NULL;
}

static void *receive_now_and_then(void *argument) {
  struct peer *peer = argument;
  uint8_t bytes[4096];
  volatile uint32_t sink = 0;
  while (atomic_load(&peer->is_wanted)) {
    dawdle(&peer->state, &sink);
    int64_t n = read_from(peer->handle, bytes, 1 + random_number(&peer->state) % sizeof bytes);
    if (n <= 0) continue;
    if (pattern_breaks(bytes, (size_t)n, peer->stream, peer->count) >= 0) peer->broken++;
    peer->count += (uint64_t)n;
  }
  return NULL;
}

static struct peer *start_peer(struct thread **thread, void *(*body)(void *), int handle) {
  struct peer *peer = make(sizeof *peer);
  *peer = (struct peer){.handle = handle, .stream = 7, .state = 99, .is_wanted = 1};
  *thread = start_thread(body, peer);
  return peer;
}

struct receiver {
  uint8_t bytes[256];
  uint64_t received;
};

static void on_bytes(loop *loop, operation *operation, const casyncio_event *event) {
  struct receiver *receiver = operation->context;
  if (event->result <= 0) {
    CHECK_TRUE(event->result == -ECANCELED || event->result == -ENOBUFS);
    return;
  }
  const uint8_t *bytes = event->flags & CASYNCIO_EVENT_LENT ? event->bytes : receiver->bytes;
  CHECK(pattern_breaks(bytes, (size_t)event->result, 7, receiver->received), ==, -1);
  receiver->received += (uint64_t)event->result;
  if (event->flags & CASYNCIO_EVENT_LENT) give_back(loop, event->lease);
}

enum way { OWN_MEMORY, LENT_MEMORY, BY_READING };

static void start(loop *loop, operation *receive, int handle, enum way way) {
  struct receiver *receiver = receive->context;
  switch (way) {
    case OWN_MEMORY:
      casyncio_port_receive(loop->port, go(loop, receive), handle, receiver->bytes, sizeof receiver->bytes);
      break;
    case LENT_MEMORY: casyncio_port_receive_lent(loop->port, go_many(loop, receive), handle); break;
    case BY_READING:
      casyncio_port_read(loop->port, go(loop, receive), handle, receiver->bytes, sizeof receiver->bytes);
      break;
  }
}

static void receiving(enum way way, int rounds) {
  loop *loop = loop_open();
  if (way == LENT_MEMORY) needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  int ends[2];
  if (way == BY_READING) {
    pipe_pair(ends, 1);
  } else {
    local_pair(ends);
  }
  struct thread *thread;
  struct peer *peer = start_peer(&thread, send_now_and_then, ends[1]);
  struct receiver *receiver = make(sizeof *receiver);
  operation *receive = make_operation(on_bytes, receiver);
  uint32_t state = 1;
  volatile uint32_t sink = 0;
  // Longer where the peer's thread gets no processor meanwhile: a race needs two.
  for (int i = 0; i < rounds || (receiver->received == 0 && i < 100 * rounds); i++) {
    start(loop, receive, ends[0], way);
    if (i % 3 > 0) pump(loop, 0);
    dawdle(&state, &sink);
    if (i % 3 > 1 && receive->is_going) pump(loop, 0);
    casyncio_port_cancel(loop->port, &receive->record);
    // Sometimes nobody looks for a while.
    if (i % 7 == 0) dawdle(&state, &sink);
    finish(loop, receive);
    CHECK(receive->ends, ==, i + 1);
  }
  atomic_store(&peer->is_wanted, 0);
  join_thread(thread);
  expect_nothing(loop);
  CHECK(receiver->received + take(ends[0], 7, receiver->received), ==, peer->count);
  CHECK(receiver->received, >, 0);
  close_both(ends);
  loop_close(loop);
}

static void own_memory(void) { receiving(OWN_MEMORY, 20000); }
static void lent_memory(void) { receiving(LENT_MEMORY, 20000); }
static void by_reading(void) { receiving(BY_READING, 20000); }

static void sending(int is_pipe, int rounds) {
  enum { MOST = 30000 };
  loop *loop = loop_open();
  int ends[2];
  if (is_pipe) {
    pipe_pair(ends, 1);
  } else {
    local_pair(ends);
    set_buffers(ends[1], 8192);
  }
  struct thread *thread;
  struct peer *peer = start_peer(&thread, receive_now_and_then, ends[0]);
  uint8_t *bytes = make(MOST);
  operation *send = make_operation(NULL, NULL);
  uint32_t state = 2;
  volatile uint32_t sink = 0;
  uint64_t sent = 0;
  for (int i = 0; i < rounds; i++) {
    size_t count = i % 16 == 0 ? MOST : random_number(&state) % 600;
    fill_pattern(bytes, count, 7, sent);
    if (is_pipe) {
      casyncio_port_write(loop->port, go(loop, send), ends[1], bytes, count);
    } else {
      casyncio_port_send(loop->port, go(loop, send), ends[1], bytes, count);
    }
    if (i % 3 > 0) pump(loop, 0);
    dawdle(&state, &sink);
    casyncio_port_cancel(loop->port, &send->record);
    int64_t result = finish(loop, send);
    CHECK_TRUE(result == (int64_t)count || result == -ECANCELED);
    CHECK(send->record.transferred, <=, count);
    if (result >= 0) CHECK(send->record.transferred, ==, count);
    CHECK(send->ends, ==, i + 1);
    sent += send->record.transferred;
  }
  atomic_store(&peer->is_wanted, 0);
  join_thread(thread);
  expect_nothing(loop);
  CHECK(peer->broken, ==, 0);
  CHECK(peer->count + take(ends[0], 7, peer->count), ==, sent);
  close_both(ends);
  loop_close(loop);
}

static void by_sending(void) { sending(0, 5000); }
static void by_writing(void) { sending(1, 5000); }

// A watch takes no bytes; a caller that is told that there are some finds some.
static void watching(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  struct thread *thread;
  struct peer *peer = start_peer(&thread, send_now_and_then, ends[1]);
  operation *watch = make_operation(NULL, NULL);
  uint32_t state = 3;
  volatile uint32_t sink = 0;
  uint64_t received = 0;
  for (int i = 0; i < 10000; i++) {
    casyncio_port_watch(loop->port, go(loop, watch), ends[0], CASYNCIO_READABLE);
    if (i % 2 > 0) pump(loop, 0);
    dawdle(&state, &sink);
    casyncio_port_cancel(loop->port, &watch->record);
    int64_t result = finish(loop, watch);
    CHECK_TRUE(result == CASYNCIO_READABLE || result == -ECANCELED);
    uint64_t taken = take(ends[0], 7, received);
    if (result == CASYNCIO_READABLE) CHECK(taken, >, 0);
    received += taken;
  }
  atomic_store(&peer->is_wanted, 0);
  join_thread(thread);
  CHECK(received + take(ends[0], 7, received), ==, peer->count);
  CHECK(watch->ends, ==, 10000);
  close_both(ends);
  loop_close(loop);
}

const struct test_case race_cases[] = {
    {"race:own-memory", own_memory},
    {"race:lent-memory", lent_memory},
    {"race:by-reading", by_reading},
    {"race:by-sending", by_sending},
    {"race:by-writing", by_writing},
    {"race:watching", watching},
    {NULL, NULL},
};
