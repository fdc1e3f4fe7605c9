#include "platform.h"

#include <stdatomic.h>

static _Atomic int64_t seen, others_number;
static _Atomic int is_main_seen, ends;
static char loop_word, thread_word;

static void word_ended(void *word) { atomic_fetch_add(&ends, word == &thread_word); }

static void body(void *argument) {
  atomic_store(&is_main_seen, casyncio_is_main_thread());
  atomic_store(&others_number, casyncio_thread_number());
  casyncio_name_thread("a name that is longer than fifteen bytes");
  CHECK(casyncio_running_loop() == NULL, ==, 1);
  CHECK(casyncio_thread_word() == NULL, ==, 1);
  casyncio_set_thread_word(&thread_word, word_ended);
  CHECK(casyncio_thread_word() == &thread_word, ==, 1);
  casyncio_set_running_loop(argument, NULL);
  atomic_fetch_add(&seen, casyncio_running_loop() == argument);
}

static void words(void) {
  void *thread;
  casyncio_set_running_loop(&loop_word, NULL);
  CHECK(casyncio_is_main_thread(), ==, 1);
  CHECK(casyncio_thread_start(body, &seen, &thread), ==, 0);
  casyncio_thread_join(thread);
  CHECK(casyncio_running_loop() == &loop_word, ==, 1);
  casyncio_set_running_loop(NULL, NULL);
  CHECK(seen, ==, 1);
  CHECK(is_main_seen, ==, 0);
  CHECK(others_number, !=, casyncio_thread_number());
  CHECK(ends, ==, 1);
  CHECK(casyncio_available_processors(), >, 0);
  CHECK(casyncio_processors(), >=, casyncio_available_processors());
}

static void *mutex, *condition;
static int turn, rounds;

static void other_side(void *argument) {
  (void)argument;
  casyncio_mutex_lock(mutex);
  while (rounds < 1000) {
    while (turn == 0) casyncio_condition_wait(condition, mutex, -1);
    turn = 0;
    rounds++;
    casyncio_condition_signal(condition);
  }
  casyncio_mutex_unlock(mutex);
}

static void conditions(void) {
  void *thread;
  mutex = casyncio_mutex_make();
  condition = casyncio_condition_make();
  turn = rounds = 0;
  CHECK(casyncio_thread_start(other_side, &turn, &thread), ==, 0);
  casyncio_mutex_lock(mutex);
  for (int i = 0; i < 1000; i++) {
    turn = 1;
    casyncio_condition_broadcast(condition);
    while (turn == 1) casyncio_condition_wait(condition, mutex, 1000000000);
  }
  casyncio_mutex_unlock(mutex);
  casyncio_thread_join(thread);
  CHECK(rounds, ==, 1000);
  casyncio_mutex_lock(mutex);
  int64_t start = casyncio_monotonic_nanoseconds(), end = start + 20000000;
  // Without a reason it may end early, and is begun again.
  for (int64_t left = 20000000; left > 0; left = end - casyncio_monotonic_nanoseconds()) {
    casyncio_condition_wait(condition, mutex, left);
  }
  casyncio_mutex_unlock(mutex);
  CHECK(casyncio_monotonic_nanoseconds() - start, <, 5000000000);
  casyncio_condition_free(condition);
  casyncio_mutex_free(mutex);
}

const struct test_case threads[] = {{"threads:words", words}, {"threads:conditions", conditions}, {NULL, NULL}};
