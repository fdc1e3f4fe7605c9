// Timers over the wheel, and over the heap for loops that keep deadlines exactly.
//
// Deadlines count from a clock that is read once in a thousand sets, as by loops that read it once a turn. A timer that
// fires is counted and that is all.

#define _GNU_SOURCE
#include "works.h"

#include "../../common/micro.h"
#include "heap.h"
#include "wheel.h"

#include <sys/epoll.h>

enum { SETS_PER_CLOCK_READING = 1000, LIVE = 10000 };

static const uint64_t SECOND = 1000000000, MILLISECOND = 1000000;

static struct wheel wheel;
static struct wheel_timer *wheel_timers;
static struct heap heap;
static struct heap_timer *heap_timers;
static int kernel;

static void prepare(long timers) {
  kernel = epoll_create1(EPOLL_CLOEXEC);
  wheel_init(&wheel, nanoseconds(CLOCK_MONOTONIC) / MILLISECOND);
  wheel_timers = calloc((size_t)timers, sizeof *wheel_timers);
  heap_timers = calloc((size_t)timers, sizeof *heap_timers);
  heap.nodes = malloc((size_t)timers * sizeof *heap.nodes);
  require(kernel >= 0 && wheel_timers && heap_timers && heap.nodes, "memory for the timers");
}

static void poll_at_once(void) {
  struct epoll_event event;
  epoll_wait(kernel, &event, 1, 0);
}

// Never early: a part of a millisecond is a whole one.
static inline void set_in_wheel(struct wheel_timer *timer, uint64_t deadline) {
  wheel_add(&wheel, timer, (deadline + MILLISECOND - 1) / MILLISECOND);
}

// --- set and cancel

static void cancel_in_wheel(long count) {
  uint64_t now = 0;
  for (long i = 0; i < count; i++) {
    if (i % SETS_PER_CLOCK_READING == 0) now = nanoseconds(CLOCK_MONOTONIC);
    set_in_wheel(&wheel_timers[i], now + random_deadline_ms() * MILLISECOND);
  }
  for (long i = 0; i < count; i++) wheel_remove(&wheel, &wheel_timers[i]);
  poll_at_once();
}

static void cancel_in_heap(long count) {
  uint64_t now = 0;
  for (long i = 0; i < count; i++) {
    if (i % SETS_PER_CLOCK_READING == 0) now = nanoseconds(CLOCK_MONOTONIC);
    heap_add(&heap, &heap_timers[i], now + random_deadline_ms() * MILLISECOND);
  }
  for (long i = 0; i < count; i++) heap_remove(&heap, &heap_timers[i]);
  poll_at_once();
}

void timer_cancel(long count) {
  prepare(count);
  measure_after(count, count, cancel_in_wheel);
}

void timer_cancel_heap(long count) {
  prepare(count);
  measure_after(count, count, cancel_in_heap);
}

// --- set and fire

static void fire_from_wheel(long count) {
  uint64_t now = 0;
  long left = count;
  for (long i = 0; i < count; i++) {
    if (i % SETS_PER_CLOCK_READING == 0) now = nanoseconds(CLOCK_MONOTONIC);
    set_in_wheel(&wheel_timers[i], now + random_below(SECOND));
  }
  while (true) {
    now = nanoseconds(CLOCK_MONOTONIC) / MILLISECOND;
    left -= (long)wheel_advance(&wheel, now);
    if (left == 0) return;
    int level, slot;
    uint64_t begin;
    struct epoll_event event;
    if (wheel_earliest(&wheel, &level, &slot, &begin) && begin > now) epoll_wait(kernel, &event, 1, (int)(begin - now));
  }
}

static void fire_from_heap(long count) {
  uint64_t now = 0;
  for (long i = 0; i < count; i++) {
    if (i % SETS_PER_CLOCK_READING == 0) now = nanoseconds(CLOCK_MONOTONIC);
    heap_add(&heap, &heap_timers[i], now + random_below(SECOND));
  }
  while (true) {
    now = nanoseconds(CLOCK_MONOTONIC);
    while (heap.count > 0 && heap.nodes[0].deadline <= now) heap_remove(&heap, heap.nodes[0].timer);
    if (heap.count == 0) return;
    uint64_t wait = heap.nodes[0].deadline - now;
    struct timespec timeout = {(time_t)(wait / SECOND), (long)(wait % SECOND)};
    struct epoll_event event;
    epoll_pwait2(kernel, &event, 1, &timeout, NULL);
  }
}

void timer_fire(long count) {
  prepare(count);
  measure_after(count, count, fire_from_wheel);
}

void timer_fire_heap(long count) {
  prepare(count);
  measure_after(count, count, fire_from_heap);
}

// --- re-arm one of 10,000

static const uint64_t LIMIT = 30ull * 1000000000;

static void rearm_in_wheel(long count) {
  uint64_t now = 0;
  for (long i = 0; i < count; i++) {
    if (i % SETS_PER_CLOCK_READING == 0) now = nanoseconds(CLOCK_MONOTONIC);
    struct wheel_timer *timer = &wheel_timers[random_below(LIVE)];
    wheel_remove(&wheel, timer);
    set_in_wheel(timer, now + LIMIT);
    if (i % SETS_PER_CLOCK_READING == SETS_PER_CLOCK_READING - 1) {
      poll_at_once();
      wheel_advance(&wheel, now / MILLISECOND);
    }
  }
}

// Ten nanoseconds more for each, so that no two deadlines are the same and the heap has to move nodes.
static void rearm_in_heap(long count) {
  uint64_t now = 0;
  for (long i = 0; i < count; i++) {
    long step = i % SETS_PER_CLOCK_READING;
    if (step == 0) now = nanoseconds(CLOCK_MONOTONIC);
    heap_postpone(&heap, &heap_timers[random_below(LIVE)], now + LIMIT + (uint64_t)step * 10);
    if (step == SETS_PER_CLOCK_READING - 1) poll_at_once();
  }
}

void timer_rearm(long count) {
  prepare(LIVE);
  uint64_t now = nanoseconds(CLOCK_MONOTONIC);
  for (long i = 0; i < LIVE; i++) set_in_wheel(&wheel_timers[i], now + LIMIT);
  measure(count, rearm_in_wheel);
}

void timer_rearm_heap(long count) {
  prepare(LIVE);
  uint64_t now = nanoseconds(CLOCK_MONOTONIC);
  for (long i = 0; i < LIVE; i++) heap_add(&heap, &heap_timers[i], now + LIMIT);
  measure(count, rearm_in_heap);
}
