#include "conformance.h"

#include <errno.h>

// Lent chunks that outlive what they came from: the operation, the connection, the life of the port, the port.

enum { CHUNKS = 40 };

struct kept {
  uint32_t count, leases[CHUNKS], sizes[CHUNKS];
  const uint8_t *bytes[CHUNKS];
  uint64_t offsets[CHUNKS], received;
};

static void keep(loop *loop, operation *operation, const casyncio_event *event) {
  struct kept *kept = operation->context;
  (void)loop;
  if (!(event->flags & CASYNCIO_EVENT_LENT)) return;
  CHECK(kept->count, <, CHUNKS);
  kept->leases[kept->count] = event->lease;
  kept->sizes[kept->count] = (uint32_t)event->result;
  kept->bytes[kept->count] = event->bytes;
  kept->offsets[kept->count++] = kept->received;
  kept->received += (uint64_t)event->result;
}

static void check_kept(const struct kept *kept) {
  for (uint32_t i = 0; i < kept->count; i++) {
    CHECK(pattern_breaks(kept->bytes[i], kept->sizes[i], 9, kept->offsets[i]), ==, -1);
  }
}

static void give_all_back(loop *loop, struct kept *kept) {
  check_kept(kept);
  while (kept->count > 0) give_back(loop, kept->leases[--kept->count]);
  CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
}

// A few chunks, fewer than would take all the memory; the connection is closed again.
static void receive_some(loop *loop, struct kept *kept, uint32_t count) {
  int ends[2];
  local_pair(ends);
  operation *receive = make_operation(keep, kept);
  uint32_t until = kept->count + count;
  while (kept->count < until) {
    if (!receive->is_going) casyncio_port_receive_lent(loop->port, go_many(loop, receive), ends[0]);
    CHECK(put(ends[1], 9, kept->received, 100), ==, 100);
    uint64_t target = kept->received + 100;
    while (kept->received < target) {
      CHECK(pump(loop, 20 * MILLISECOND), >, 0);
      if (!receive->is_going) casyncio_port_receive_lent(loop->port, go_many(loop, receive), ends[0]);
    }
  }
  casyncio_port_cancel(loop->port, &receive->record);
  finish(loop, receive);
  close_both(ends);
}

static void after_the_connection(void) {
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  struct kept *kept = make(sizeof *kept);
  for (int i = 0; i < 50; i++) {
    receive_some(loop, kept, 3);
    give_all_back(loop, kept);
  }
  loop_close(loop);
}

static void from_life_to_life(void) {
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  struct kept *kept = make(sizeof *kept);
  for (int life = 0; life < 10; life++) {
    receive_some(loop, kept, 2);
    casyncio_port_end(loop->port, 0);
    check_kept(kept);
    CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
    CHECK(casyncio_lent_leases(loop->lent), ==, loop->leases);
    // Returned while nobody drives the port, in the next life, or at once.
    if (life % 3 == 0) give_all_back(loop, kept);
    loop_begin(loop);
    CHECK_TRUE(casyncio_lent_is_sound(loop->lent));
    // What is held is not received into.
    struct kept *others = make(sizeof *others);
    receive_some(loop, others, 1);
    give_all_back(loop, others);
    check_kept(kept);
    if (life % 3 < 2) give_all_back(loop, kept);
    // Not so many that nothing is left of the smallest memory.
    if (kept->count > 2) give_all_back(loop, kept);
  }
  give_all_back(loop, kept);
  loop_close(loop);
}

struct returner {
  casyncio_lent *lent;
  const struct kept *kept;
  uint32_t first, step;
  uint32_t broken;
};

static void *return_some(void *argument) {
  struct returner *returner = argument;
  const struct kept *kept = returner->kept;
  for (uint32_t i = returner->first; i < kept->count; i += returner->step) {
    if (pattern_breaks(kept->bytes[i], kept->sizes[i], 9, kept->offsets[i]) >= 0) returner->broken++;
    casyncio_lent_return(returner->lent, kept->leases[i]);
  }
  return NULL;
}

// By one thread or by several at the same time; the last return frees the memory.
static void after_destroy(uint32_t threads) {
  for (int round = 0; round < 20; round++) {
    loop *loop = loop_open();
    needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
    struct kept *kept = make(sizeof *kept);
    receive_some(loop, kept, options.lent_count ? 3 : 1 + (uint32_t)round);
    CHECK(casyncio_lent_leases(loop->lent), ==, kept->count);
    casyncio_port_end(loop->port, 0);
    casyncio_port_destroy(loop->port);
    struct returner returners[4];
    struct thread *handles[4];
    for (uint32_t i = 0; i < threads; i++) {
      returners[i] = (struct returner){.lent = loop->lent, .kept = kept, .first = i, .step = threads};
      handles[i] = start_thread(return_some, &returners[i]);
    }
    for (uint32_t i = 0; i < threads; i++) join_thread(handles[i]);
    for (uint32_t i = 0; i < threads; i++) CHECK(returners[i].broken, ==, 0);
  }
}

static void after_destroy_by_one(void) { after_destroy(1); }
static void after_destroy_by_four(void) { after_destroy(4); }

// A receive that is cancelled again and again takes no memory with it.
static void none_lost_by_cancelling(void) {
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_LENT, "no lent memory here");
  int ends[2];
  local_pair(ends);
  struct kept *kept = make(sizeof *kept);
  operation *receive = make_operation(keep, kept);
  uint64_t sent = 0;
  for (int i = 0; i < 5000; i++) {
    if (i % 2) sent += put(ends[1], 9, sent, 10);
    casyncio_port_receive_lent(loop->port, go_many(loop, receive), ends[0]);
    if (i % 3) pump(loop, 0);
    casyncio_port_cancel(loop->port, &receive->record);
    finish(loop, receive);
    CHECK_TRUE(receive->result > 0 || receive->result == -ECANCELED || receive->result == -ENOBUFS);
    if (kept->count > 0) give_all_back(loop, kept);
    CHECK(casyncio_lent_is_low(loop->lent), ==, 0);
  }
  CHECK(kept->received + take(ends[0], 9, kept->received), ==, sent);
  close_both(ends);
  loop_close(loop);
}

const struct test_case lease_cases[] = {
    {"lease:after-the-connection", after_the_connection},
    {"lease:from-life-to-life", from_life_to_life},
    {"lease:after-destroy-by-one", after_destroy_by_one},
    {"lease:after-destroy-by-four", after_destroy_by_four},
    {"lease:none-lost-by-cancelling", none_lost_by_cancelling},
    {NULL, NULL},
};
