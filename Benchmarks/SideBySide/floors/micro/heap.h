// A 4-ary heap of timers by deadlines in nanoseconds. A timer knows its place, so it can leave from anywhere. Half as
// deep as a binary heap, and the four children of a node share a cache line.

#ifndef FLOOR_HEAP_H
#define FLOOR_HEAP_H

#include <stdint.h>

struct heap_timer {
  uint32_t place;
};

struct heap_node {
  uint64_t deadline;
  struct heap_timer *timer;
};

struct heap {
  struct heap_node *nodes;
  uint32_t count;
};

static inline void heap_put(struct heap *heap, uint32_t place, struct heap_node node) {
  heap->nodes[place] = node;
  node.timer->place = place;
}

static inline void heap_up(struct heap *heap, uint32_t place, struct heap_node node) {
  while (place > 0) {
    uint32_t parent = (place - 1) / 4;
    if (heap->nodes[parent].deadline <= node.deadline) break;
    heap_put(heap, place, heap->nodes[parent]);
    place = parent;
  }
  heap_put(heap, place, node);
}

static inline void heap_down(struct heap *heap, uint32_t place, struct heap_node node) {
  for (;;) {
    uint32_t first = 4 * place + 1, least = first;
    if (first >= heap->count) break;
    uint32_t end = first + 4 < heap->count ? first + 4 : heap->count;
    for (uint32_t child = first + 1; child < end; child++) {
      if (heap->nodes[child].deadline < heap->nodes[least].deadline) least = child;
    }
    if (heap->nodes[least].deadline >= node.deadline) break;
    heap_put(heap, place, heap->nodes[least]);
    place = least;
  }
  heap_put(heap, place, node);
}

static inline void heap_add(struct heap *heap, struct heap_timer *timer, uint64_t deadline) {
  heap_up(heap, heap->count++, (struct heap_node){deadline, timer});
}

static inline void heap_remove(struct heap *heap, struct heap_timer *timer) {
  uint32_t place = timer->place;
  struct heap_node last = heap->nodes[--heap->count];
  if (place == heap->count) return;
  if (place > 0 && heap->nodes[(place - 1) / 4].deadline > last.deadline) {
    heap_up(heap, place, last);
  } else {
    heap_down(heap, place, last);
  }
}

// To a later deadline.
static inline void heap_postpone(struct heap *heap, struct heap_timer *timer, uint64_t deadline) {
  heap_down(heap, timer->place, (struct heap_node){deadline, timer});
}

#endif
