// One io_uring: two queues shared with the kernel. This file knows queues, barriers and system calls, and nothing of
// what the submissions mean.
#ifndef CASYNCIO_URING_RING_H
#define CASYNCIO_URING_RING_H

#include <stddef.h>
#include "uring_abi.h"

struct uring_ring {
  int fd;
  uint32_t setup_flags, features;

  struct uring_sqe *sqes;
  uint32_t *sq_head, *sq_tail, *sq_flags;
  uint32_t sq_mask, sq_entries;
  // Our tail; the kernel's copy is updated when the kernel is entered.
  uint32_t sq_local_tail;

  struct uring_cqe *cqes;
  uint32_t *cq_head, *cq_tail;
  uint32_t cq_mask;

  void *queue_map, *sqe_map;
  size_t queue_size, sqe_size;
};

// Makes a ring for the calling thread with the best flags that the kernel takes. 0 or a negated errno; `step` is one of
// the CASYNCIO_STEP_ values.
int uring_ring_make(struct uring_ring *ring, uint32_t entries, uint32_t event_entries, int allow_deferred, int *step);
void uring_ring_destroy(struct uring_ring *ring);
// In the child of a fork: give up the number, and touch nothing of the parent's ring.
void uring_ring_leave(struct uring_ring *ring);
// 0 if the kernel knows all these operations, or a negated errno.
int uring_ring_probe(const struct uring_ring *ring, const uint8_t *operations, size_t count);
int uring_ring_register(const struct uring_ring *ring, unsigned code, void *argument, unsigned count);

// A zeroed submission, or null when the queue is full.
struct uring_sqe *uring_ring_sqe(struct uring_ring *ring);
// A queued submission that the kernel has not taken yet, the last one with this word, or null.
struct uring_sqe *uring_ring_find(const struct uring_ring *ring, uint64_t user_data);
// Submits what is queued, and with `wait_for` > 0 waits for that many events: nanoseconds, negative for ever. With
// `events` deferred work is done. Returns 0, -ETIME, -EINTR, or another negated errno.
int uring_ring_enter(struct uring_ring *ring, uint32_t wait_for, int events, int64_t nanoseconds);

static inline uint32_t uring_ring_queued(const struct uring_ring *ring) {
  return ring->sq_local_tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
}

// True if the kernel has events that it puts into the queue only when it is entered.
static inline int uring_ring_has_work(const struct uring_ring *ring) {
  return (__atomic_load_n(ring->sq_flags, __ATOMIC_RELAXED) & (URING_SQ_TASKRUN | URING_SQ_CQ_OVERFLOW)) != 0;
}

static inline int uring_ring_has_events(const struct uring_ring *ring) {
  return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) != *ring->cq_head;
}

#endif
