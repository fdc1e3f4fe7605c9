#include "conformance.h"

#include <errno.h>
#include <stdatomic.h>

// Waking: no wake is lost, whenever it comes, and none is felt twice.

static void before_the_wait(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 20; i++) {
    casyncio_port_wake(loop->port);
    // For ever, if the wake were lost.
    CHECK(pump(loop, -1), ==, 0);
    int64_t start = now();
    CHECK(pump(loop, 3 * MILLISECOND), ==, 0);
    CHECK(now() - start, >=, 3 * MILLISECOND);
  }
  loop_close(loop);
}

// Before anything else happens to the port in this life.
static void before_the_first_wait(void) {
  loop *loop = loop_create();
  for (int i = 0; i < 5; i++) {
    loop_begin(loop);
    casyncio_port_wake(loop->port);
    CHECK(pump(loop, -1), ==, 0);
    casyncio_port_end(loop->port, 0);
  }
  // And before there is one that drives it.
  casyncio_port_wake(loop->port);
  loop_begin(loop);
  CHECK(pump(loop, -1), ==, 0);
  loop_close(loop);
}

// A wake has ended a wait in an earlier life: it does not end one in the next.
static void not_felt_again(void) {
  loop *loop = loop_create();
  for (int i = 0; i < 5; i++) {
    loop_begin(loop);
    int64_t start = now();
    CHECK(pump(loop, 3 * MILLISECOND), ==, 0);
    CHECK(now() - start, >=, 3 * MILLISECOND);
    casyncio_port_wake(loop->port);
    CHECK(pump(loop, -1), ==, 0);
    casyncio_port_end(loop->port, 0);
  }
  casyncio_port_destroy(loop->port);
}

struct waker {
  casyncio_port *port;
  int64_t pause;
  uint32_t count;
  // How many waits have ended.
  _Atomic uint32_t ended;
  _Atomic int has_finished;
};

static void *wake_one_by_one(void *argument) {
  struct waker *waker = argument;
  uint32_t state = 7;
  for (uint32_t i = 0; i < waker->count; i++) {
    while (atomic_load(&waker->ended) < i) {}
    // Before, at the beginning of and during the wait.
    for (uint32_t n = random_number(&state) % 2000; n > 0; n--) atomic_load(&waker->ended);
    if (waker->pause > 0) pause_for(waker->pause);
    casyncio_port_wake(waker->port);
  }
  return NULL;
}

static void hand_in_hand(uint32_t count, int64_t pause) {
  loop *loop = loop_open();
  struct waker *waker = make(sizeof *waker);
  waker->port = loop->port;
  waker->count = count;
  waker->pause = pause;
  struct thread *thread;
  thread = start_thread(wake_one_by_one, waker);
  for (uint32_t i = 1; i <= count; i++) {
    CHECK(pump(loop, -1), ==, 0);
    atomic_store(&waker->ended, i);
  }
  join_thread(thread);
  expect_nothing(loop);
  loop_close(loop);
}

static void during_the_wait(void) { hand_in_hand(10, 3 * MILLISECOND); }
static void thousand_one_by_one(void) { hand_in_hand(1000, 0); }

static void *wake_at_once(void *argument) {
  struct waker *waker = argument;
  for (uint32_t i = 0; i < waker->count; i++) casyncio_port_wake(waker->port);
  atomic_store(&waker->has_finished, 1);
  return NULL;
}

// May be felt as one, and at most as many: then the waits are whole again.
static void thousand_at_once(void) {
  loop *loop = loop_open();
  struct waker *wakers[2];
  struct thread *threads[2];
  for (int i = 0; i < 2; i++) {
    wakers[i] = make(sizeof **wakers);
    wakers[i]->port = loop->port;
    wakers[i]->count = 500;
    threads[i] = start_thread(wake_at_once, wakers[i]);
  }
  uint32_t felt = 0;
  while (!atomic_load(&wakers[0]->has_finished) || !atomic_load(&wakers[1]->has_finished)) {
    CHECK(pump(loop, 100000), ==, 0);
  }
  for (int i = 0; i < 2; i++) join_thread(threads[i]);
  for (;;) {
    int64_t start = now();
    CHECK(pump(loop, 3 * MILLISECOND), ==, 0);
    if (now() - start >= 3 * MILLISECOND) break;
    CHECK(++felt, <=, 1000);
  }
  casyncio_port_wake(loop->port);
  CHECK(pump(loop, -1), ==, 0);
  loop_close(loop);
}

// A wake takes no event away, and events take no wake away.
static void with_events(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  operation *receive = make_operation(NULL, NULL);
  char *bytes = make(1);
  for (int i = 0; i < 200; i++) {
    casyncio_port_receive(loop->port, go(loop, receive), ends[0], bytes, 1);
    if (i % 2 > 0) pump(loop, 0);
    casyncio_port_wake(loop->port);
    CHECK(put(ends[1], 0, 0, 1), ==, 1);
    CHECK(finish(loop, receive), ==, 1);
  }
  casyncio_port_wake(loop->port);
  int64_t start = now();
  for (int i = 0; i < 201 && now() - start < SECOND; i++) pump(loop, 100000);
  casyncio_port_wake(loop->port);
  CHECK(pump(loop, -1), ==, 0);
  close_both(ends);
  loop_close(loop);
}

// The port still ends: a thread that waits for that can be woken.
static void after_cancel_all(void) {
  loop *loop = loop_open();
  pump(loop, 0);
  casyncio_port_cancel_all(loop->port);
  for (int i = 0; i < 3; i++) pump(loop, MILLISECOND);
  for (int i = 0; i < 3; i++) {
    casyncio_port_wake(loop->port);
    CHECK(pump(loop, -1), ==, 0);
  }
  loop_close(loop);
}

static casyncio_port *port_of_signal;
static volatile int errno_was_kept;

static void wake_in_handler(int signal) {
  (void)signal;
  int before = errno;
  errno = ENOTTY;
  casyncio_port_wake(port_of_signal);
  errno_was_kept = errno == ENOTTY;
  errno = before;
}

static void by_a_signal_handler(void) {
  needs_of_system(SIGNALS);
  loop *loop = loop_open();
  port_of_signal = loop->port;
  handle_signals(wake_in_handler);
  errno_was_kept = 0;
  signal_this_thread();
  CHECK_TRUE(errno_was_kept);
  CHECK(pump(loop, -1), ==, 0);
  struct thread *thread = signal_this_thread_after(5 * MILLISECOND);
  CHECK(pump(loop, -1), ==, 0);
  join_thread(thread);
  handle_signals(NULL);
  pump(loop, 0);
  loop_close(loop);
}

const struct test_case wake_cases[] = {
    {"wake:before-the-wait", before_the_wait},
    {"wake:before-the-first-wait", before_the_first_wait},
    {"wake:not-felt-again", not_felt_again},
    {"wake:during-the-wait", during_the_wait},
    {"wake:thousand-one-by-one", thousand_one_by_one},
    {"wake:thousand-at-once", thousand_at_once},
    {"wake:with-events", with_events},
    {"wake:after-cancel-all", after_cancel_all},
    {"wake:by-a-signal-handler", by_a_signal_handler},
    {NULL, NULL},
};
