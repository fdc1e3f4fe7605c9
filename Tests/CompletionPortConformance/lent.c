#include "conformance.h"

#include <errno.h>
#include <string.h>

// Receiving into the port's memory: bytes are conserved and in order, chunks stay as they are until they are returned,
// and no memory is lost, whatever order they come back in.

struct chunk {
  const uint8_t *bytes;
  uint32_t count, lease, stream;
  uint64_t offset;
};

// Chunks that are kept, from all connections.
struct shelf {
  struct chunk *chunks;
  size_t count, room;
};

struct connection {
  int ends[2];
  uint32_t number;
  // What the peer has put in, what came out here, and what the last event said.
  uint64_t sent, received;
  operation *receive;
  struct shelf *shelf;
  int is_over, is_out_of_memory;
};

static void on_chunk(loop *loop, operation *operation, const casyncio_event *event) {
  struct connection *c = operation->context;
  (void)loop;
  if (event->flags & CASYNCIO_EVENT_LENT) {
    CHECK(event->result, <=, options.lent_size ? options.lent_size : 64 * 1024);
    CHECK(pattern_breaks(event->bytes, (size_t)event->result, c->number, c->received), ==, -1);
    CHECK(c->shelf->count, <, c->shelf->room);
    c->shelf->chunks[c->shelf->count++] = (struct chunk){
        .bytes = event->bytes, .count = (uint32_t)event->result, .lease = event->lease, .stream = c->number,
        .offset = c->received};
    c->received += (uint64_t)event->result;
    return;
  }
  CHECK(event->flags & CASYNCIO_EVENT_MORE, ==, 0);
  if (event->result == -ENOBUFS) {
    c->is_out_of_memory = 1;
  } else {
    CHECK(event->result, ==, 0);
    c->is_over = 1;
  }
}

// The chunk is as it was, and goes back.
static void put_back(loop *loop, struct shelf *shelf, size_t index) {
  struct chunk chunk = shelf->chunks[index];
  CHECK(pattern_breaks(chunk.bytes, chunk.count, chunk.stream, chunk.offset), ==, -1);
  shelf->chunks[index] = shelf->chunks[--shelf->count];
  give_back(loop, chunk.lease);
  CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
}

static struct shelf *make_shelf(size_t room) {
  struct shelf *shelf = make(sizeof *shelf);
  shelf->chunks = make(room * sizeof *shelf->chunks);
  shelf->room = room;
  return shelf;
}

static struct connection *make_connection(uint32_t number, struct shelf *shelf, int is_tcp) {
  struct connection *c = make(sizeof *c);
  if (is_tcp) {
    tcp_pair(c->ends);
  } else {
    local_pair(c->ends);
  }
  c->number = number;
  c->shelf = shelf;
  c->receive = make_operation(on_chunk, c);
  return c;
}

static void start(loop *loop, struct connection *c) {
  c->is_out_of_memory = 0;
  casyncio_port_receive_lent(loop->port, go_many(loop, c->receive), c->ends[0]);
}

// Many streams of chunks of random sizes; random chunks come back at random times.
static void many_streams(void) {
  enum { CONNECTIONS = 24, BYTES = 150000 };
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  struct shelf *shelf = make_shelf(65536);
  struct connection *all[CONNECTIONS];
  for (uint32_t i = 0; i < CONNECTIONS; i++) all[i] = make_connection(i + 1, shelf, i % 2 == 0);
  uint32_t state = 5, over = 0;
  int64_t limit = now() + 15LL * SECOND;
  while (over < CONNECTIONS) {
    for (int i = 0; i < 4; i++) {
      struct connection *c = all[random_number(&state) % CONNECTIONS];
      uint64_t left = BYTES - c->sent, count = 1 + random_number(&state) % (i == 0 ? 20000 : 700);
      c->sent += put(c->ends[1], c->number, c->sent, count < left ? count : left);
      if (left > 0 && c->sent == BYTES) end_writing(c->ends[1]);
    }
    // With nothing left somebody has to give; otherwise a few go back now and then.
    size_t kept = casyncio_lent_is_low(loop->lent) ? random_number(&state) % 3 : 20 + random_number(&state) % 40;
    while (shelf->count > kept) put_back(loop, shelf, random_number(&state) % shelf->count);
    over = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
      over += (unsigned)all[i]->is_over;
      if (!all[i]->receive->is_going && !all[i]->is_over) start(loop, all[i]);
    }
    pump(loop, random_number(&state) % 8 == 0 ? 100000 : 0);
    CHECK(now(), <, limit);
  }
  while (shelf->count > 0) put_back(loop, shelf, 0);
  for (int i = 0; i < CONNECTIONS; i++) {
    CHECK(all[i]->received, ==, BYTES);
    close_both(all[i]->ends);
  }
  CHECK(casyncio_lent_is_low(loop->lent), ==, 0);
  loop_close(loop);
}

// Puts in and keeps what comes out until there is no memory left.
static void exhaust(loop *loop, struct connection *c) {
  int64_t limit = now() + 10LL * SECOND;
  if (!c->receive->is_going) start(loop, c);
  while (!c->is_out_of_memory) {
    c->sent += put(c->ends[1], c->number, c->sent, 30000);
    pump(loop, 0);
    CHECK(now(), <, limit);
    if (!c->receive->is_going && !c->is_out_of_memory) start(loop, c);
  }
  CHECK(c->receive->is_going, ==, 0);
  CHECK_TRUE(casyncio_lent_is_low(loop->lent));
}

static void receive_the_rest(loop *loop, struct connection *c) {
  int64_t limit = now() + 10LL * SECOND;
  while (c->received < c->sent) {
    if (!c->receive->is_going) start(loop, c);
    pump(loop, MILLISECOND);
    while (c->shelf->count > 0) put_back(loop, c->shelf, c->shelf->count - 1);
    CHECK(now(), <, limit);
  }
}

static void exhausted(void) {
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  struct shelf *shelf = make_shelf(65536);
  struct connection *c = make_connection(1, shelf, 0);
  CHECK(casyncio_lent_is_low(loop->lent), ==, 0);
  for (int round = 0; round < 4; round++) {
    exhaust(loop, c);
    // Another one finds nothing either; it takes no bytes, and the one end is its only event.
    uint32_t events = c->receive->events;
    start(loop, c);
    c->sent += put(c->ends[1], c->number, c->sent, 1);
    CHECK(finish(loop, c->receive), ==, -ENOBUFS);
    CHECK(c->receive->events, ==, events + 1);
    while (shelf->count > 0) put_back(loop, shelf, round % 2 ? 0 : shelf->count - 1);
    CHECK(casyncio_lent_is_low(loop->lent), ==, 0);
    receive_the_rest(loop, c);
  }
  end_writing(c->ends[1]);
  if (!c->receive->is_going) start(loop, c);
  CHECK(finish(loop, c->receive), ==, 0);
  close_both(c->ends);
  loop_close(loop);
}

// Without lent memory left bytes can be received elsewhere.
static void exhausted_then_own_memory(void) {
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  struct shelf *shelf = make_shelf(65536);
  struct connection *hog = make_connection(1, shelf, 0), *other = make_connection(2, shelf, 1);
  exhaust(loop, hog);
  enum { ROOM = 1000 };
  uint8_t *own = make(ROOM);
  operation *receive = make_operation(NULL, NULL);
  for (uint64_t offset = 0; offset < 20000;) {
    CHECK(put(other->ends[1], 2, offset, ROOM), ==, ROOM);
    casyncio_port_receive(loop->port, go(loop, receive), other->ends[0], own, ROOM);
    int64_t n = finish(loop, receive);
    CHECK(n, >, 0);
    CHECK(pattern_breaks(own, (size_t)n, 2, offset), ==, -1);
    offset += (uint64_t)n;
    if (n < ROOM) offset += take(other->ends[0], 2, offset);
  }
  while (shelf->count > 0) put_back(loop, shelf, 0);
  receive_the_rest(loop, hog);
  if (hog->receive->is_going) {
    casyncio_port_cancel(loop->port, &hog->receive->record);
    hog->receive->handler = NULL;
    finish(loop, hog->receive);
  }
  close_both(hog->ends);
  close_both(other->ends);
  loop_close(loop);
}

// All the memory is in the hands of a few, and many are waiting for it: each gets its turn.
static void shared_by_many(void) {
  enum { CONNECTIONS = 32, BYTES = 20000 };
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  struct shelf *shelf = make_shelf(65536);
  struct connection *all[CONNECTIONS];
  for (uint32_t i = 0; i < CONNECTIONS; i++) {
    all[i] = make_connection(i + 1, shelf, 0);
    all[i]->sent = put(all[i]->ends[1], i + 1, 0, BYTES);
    CHECK(all[i]->sent, ==, BYTES);
    close_handle(all[i]->ends[1]);
  }
  int64_t limit = now() + 10LL * SECOND;
  for (int over = 0; over < CONNECTIONS;) {
    for (int i = 0; i < CONNECTIONS; i++) {
      if (!all[i]->receive->is_going && !all[i]->is_over) start(loop, all[i]);
    }
    pump(loop, MILLISECOND);
    // Returned one turn later, the oldest first.
    while (shelf->count > 2) put_back(loop, shelf, 0);
    over = 0;
    for (int i = 0; i < CONNECTIONS; i++) over += all[i]->is_over;
    if (over < CONNECTIONS && casyncio_lent_is_low(loop->lent)) {
      while (shelf->count > 0) put_back(loop, shelf, 0);
    }
    CHECK(now(), <, limit);
  }
  while (shelf->count > 0) put_back(loop, shelf, 0);
  for (int i = 0; i < CONNECTIONS; i++) {
    CHECK(all[i]->received, ==, BYTES);
    close_handle(all[i]->ends[0]);
  }
  loop_close(loop);
}

const struct test_case lent_cases[] = {
    {"lent:many-streams", many_streams},
    {"lent:exhausted", exhausted},
    {"lent:exhausted-then-own-memory", exhausted_then_own_memory},
    {"lent:shared-by-many", shared_by_many},
    {NULL, NULL},
};
