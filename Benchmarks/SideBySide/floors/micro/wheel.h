// A hierarchical timer wheel of one-millisecond ticks: setting and removing a timer is a few writes, whatever else is
// set. Six levels of 64 slots reach 2 years.
//
// A timer is on the lowest level on whose slots its deadline and the wheel's time differ. So what is in a slot of the
// lowest level is due in that very millisecond, and what is in a slot of a higher one moves down when its time begins.
// A slot is a list in a ring with a head of its own, so a timer can leave it without knowing where it is.

#ifndef FLOOR_WHEEL_H
#define FLOOR_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_LEVELS = 6, WHEEL_SLOTS = 64, WHEEL_BITS = 6 };

struct wheel_timer {
  struct wheel_timer *next, *previous;
  uint64_t deadline;
  uint8_t level, slot;
};

struct wheel {
  uint64_t now;
  uint64_t occupied[WHEEL_LEVELS];  // a bit for each slot
  struct wheel_timer heads[WHEEL_LEVELS][WHEEL_SLOTS];
};

static inline void wheel_init(struct wheel *wheel, uint64_t now) {
  wheel->now = now;
  for (int level = 0; level < WHEEL_LEVELS; level++) {
    wheel->occupied[level] = 0;
    for (int slot = 0; slot < WHEEL_SLOTS; slot++) {
      struct wheel_timer *head = &wheel->heads[level][slot];
      head->next = head->previous = head;
    }
  }
}

static inline int wheel_level(uint64_t now, uint64_t deadline) {
  uint64_t difference = (now ^ deadline) | (WHEEL_SLOTS - 1);
  return (63 - __builtin_clzll(difference)) / WHEEL_BITS;
}

static inline void wheel_add(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline) {
  if (deadline < wheel->now) deadline = wheel->now;
  timer->deadline = deadline;
  timer->level = (uint8_t)wheel_level(wheel->now, deadline);
  timer->slot = (uint8_t)(deadline >> (WHEEL_BITS * timer->level) & (WHEEL_SLOTS - 1));
  struct wheel_timer *head = &wheel->heads[timer->level][timer->slot];
  timer->next = head;
  timer->previous = head->previous;
  head->previous->next = timer;
  head->previous = timer;
  wheel->occupied[timer->level] |= 1ull << timer->slot;
}

static inline void wheel_remove(struct wheel *wheel, struct wheel_timer *timer) {
  timer->previous->next = timer->next;
  timer->next->previous = timer->previous;
  struct wheel_timer *head = &wheel->heads[timer->level][timer->slot];
  if (head->next == head) wheel->occupied[timer->level] &= ~(1ull << timer->slot);
}

// The earliest slot that holds anything, and when its time begins. All of a higher level is later than all of a lower.
static inline bool wheel_earliest(const struct wheel *wheel, int *level, int *slot, uint64_t *begin) {
  for (int l = 0; l < WHEEL_LEVELS; l++) {
    if (wheel->occupied[l] == 0) continue;
    *level = l;
    *slot = __builtin_ctzll(wheel->occupied[l]);
    int shift = WHEEL_BITS * l;
    uint64_t block = wheel->now >> (shift + WHEEL_BITS) << (shift + WHEEL_BITS);
    *begin = block + ((uint64_t)*slot << shift);
    return true;
  }
  return false;
}

// Lets the time go on. Gives how many timers have fired.
static inline uint64_t wheel_advance(struct wheel *wheel, uint64_t now) {
  uint64_t fired = 0, begin;
  int level, slot;
  while (wheel_earliest(wheel, &level, &slot, &begin) && begin <= now) {
    struct wheel_timer *head = &wheel->heads[level][slot], *timer = head->next;
    head->previous->next = NULL;
    head->next = head->previous = head;
    wheel->occupied[level] &= ~(1ull << slot);
    if (begin > wheel->now) wheel->now = begin;
    while (timer != NULL) {
      struct wheel_timer *next = timer->next;
      if (level == 0) {
        fired++;
      } else {
        wheel_add(wheel, timer, timer->deadline);
      }
      timer = next;
    }
  }
  if (now > wheel->now) wheel->now = now;
  return fired;
}

#endif
