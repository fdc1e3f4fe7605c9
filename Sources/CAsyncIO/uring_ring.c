#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uring_ring.h"
#include "CAsyncIO.h"
#include "CompletionPort.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static long enter(int fd, uint32_t submit, uint32_t wait_for, uint32_t flags, void *argument, size_t size) {
  return syscall(URING_SYS_ENTER, fd, submit, wait_for, flags, argument, size);
}

// From the best flags to those that Linux 5.19 takes. Deferred work: completions are worked on only when this thread
// asks, so never in the middle of something else; cooperative: at the next system call.
static int set_up(uint32_t entries, uint32_t event_entries, int allow_deferred, struct uring_params *params) {
  static const uint32_t deferred = URING_SETUP_SINGLE_ISSUER | URING_SETUP_DEFER_TASKRUN;
  const uint32_t ladder[] = {
      deferred | URING_SETUP_NO_SQARRAY,                      // 6.6
      deferred,                                               // 6.1
      URING_SETUP_SINGLE_ISSUER | URING_SETUP_COOP_TASKRUN,   // 6.0
      URING_SETUP_COOP_TASKRUN,                               // 5.19
  };
  int error = 0;
  for (size_t i = allow_deferred ? 0 : 2; i < sizeof ladder / sizeof *ladder; i++) {
    memset(params, 0, sizeof *params);
    params->flags =
        ladder[i] | URING_SETUP_TASKRUN_FLAG | URING_SETUP_SUBMIT_ALL | URING_SETUP_CQSIZE | URING_SETUP_CLAMP;
    params->cq_entries = event_entries;
    int fd = casyncio_above_standard((int)syscall(URING_SYS_SETUP, entries, params));
    if (fd >= 0) return fd;
    error = fd;
    if (error != -EINVAL) break;
  }
  return error;
}

static void *map(int fd, size_t size, uint64_t offset) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);
  if (memory == MAP_FAILED) return NULL;
  // The child of a fork shares no queue with its parent.
  madvise(memory, size, MADV_DONTFORK);
  return memory;
}

int uring_ring_make(struct uring_ring *ring, uint32_t entries, uint32_t event_entries, int allow_deferred, int *step) {
  struct uring_params p;
  memset(ring, 0, sizeof *ring);
  *step = CASYNCIO_STEP_SETUP;
  ring->fd = set_up(entries, event_entries, allow_deferred, &p);
  if (ring->fd < 0) return ring->fd;
  ring->setup_flags = p.flags;
  ring->features = p.features;
  uint32_t needed = URING_FEAT_SINGLE_MMAP | URING_FEAT_NODROP | URING_FEAT_EXT_ARG;
  if ((p.features & needed) != needed) {
    close(ring->fd);
    return -EOPNOTSUPP;
  }

  *step = CASYNCIO_STEP_MAP;
  size_t sq_size = p.sq_off.array + ((p.flags & URING_SETUP_NO_SQARRAY) ? 0 : p.sq_entries * sizeof(uint32_t));
  size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct uring_cqe);
  ring->queue_size = sq_size > cq_size ? sq_size : cq_size;
  ring->sqe_size = p.sq_entries * sizeof(struct uring_sqe);
  ring->queue_map = map(ring->fd, ring->queue_size, URING_OFF_SQ_RING);
  ring->sqe_map = ring->queue_map ? map(ring->fd, ring->sqe_size, URING_OFF_SQES) : NULL;
  if (!ring->sqe_map) {
    int error = -errno;
    uring_ring_destroy(ring);
    return error;
  }

  char *base = ring->queue_map;
  ring->sqes = ring->sqe_map;
  ring->sq_head = (uint32_t *)(base + p.sq_off.head);
  ring->sq_tail = (uint32_t *)(base + p.sq_off.tail);
  ring->sq_flags = (uint32_t *)(base + p.sq_off.flags);
  ring->sq_mask = *(uint32_t *)(base + p.sq_off.ring_mask);
  ring->sq_entries = p.sq_entries;
  ring->cqes = (struct uring_cqe *)(base + p.cq_off.cqes);
  ring->cq_head = (uint32_t *)(base + p.cq_off.head);
  ring->cq_tail = (uint32_t *)(base + p.cq_off.tail);
  ring->cq_mask = *(uint32_t *)(base + p.cq_off.ring_mask);
  if (!(p.flags & URING_SETUP_NO_SQARRAY)) {
    uint32_t *array = (uint32_t *)(base + p.sq_off.array);
    for (uint32_t i = 0; i < p.sq_entries; i++) array[i] = i;
  }
  *step = CASYNCIO_STEP_NONE;
  return 0;
}

void uring_ring_leave(struct uring_ring *ring) {
  // The mappings did not come along, and their addresses may be others' by now.
  if (ring->fd >= 0) close(ring->fd);
  memset(ring, 0, sizeof *ring);
  ring->fd = -1;
}

void uring_ring_destroy(struct uring_ring *ring) {
  if (ring->sqe_map) munmap(ring->sqe_map, ring->sqe_size);
  if (ring->queue_map) munmap(ring->queue_map, ring->queue_size);
  if (ring->fd >= 0) close(ring->fd);
  memset(ring, 0, sizeof *ring);
  ring->fd = -1;
}

int uring_ring_register(const struct uring_ring *ring, unsigned code, void *argument, unsigned count) {
  return syscall(URING_SYS_REGISTER, ring->fd, code, argument, count) < 0 ? -errno : 0;
}

int uring_ring_probe(const struct uring_ring *ring, const uint8_t *operations, size_t count) {
  struct uring_probe probe;
  memset(&probe, 0, sizeof probe);
  int error = uring_ring_register(ring, URING_REGISTER_PROBE, &probe, 256);
  if (error < 0) return error;
  for (size_t i = 0; i < count; i++) {
    if (operations[i] > probe.last_op) return -EOPNOTSUPP;
    if (!(probe.ops[operations[i]].flags & URING_PROBE_SUPPORTED)) return -EOPNOTSUPP;
  }
  return 0;
}

struct uring_sqe *uring_ring_sqe(struct uring_ring *ring) {
  if (uring_ring_queued(ring) >= ring->sq_entries) return NULL;
  struct uring_sqe *sqe = &ring->sqes[ring->sq_local_tail & ring->sq_mask];
  ring->sq_local_tail++;
  memset(sqe, 0, sizeof *sqe);
  return sqe;
}

struct uring_sqe *uring_ring_find(const struct uring_ring *ring, uint64_t user_data) {
  for (uint32_t left = uring_ring_queued(ring), place = ring->sq_local_tail - 1; left > 0; left--, place--) {
    struct uring_sqe *sqe = &ring->sqes[place & ring->sq_mask];
    if (sqe->user_data == user_data) return sqe;
  }
  return NULL;
}

int uring_ring_enter(struct uring_ring *ring, uint32_t wait_for, int events, int64_t nanoseconds) {
  struct uring_timespec timeout;
  struct uring_getevents_arg argument;
  memset(&argument, 0, sizeof argument);
  uint32_t flags = events ? URING_ENTER_GETEVENTS : 0;
  void *pointer = NULL;
  size_t size = 0;
  if (wait_for > 0) {
    if (ring->features & URING_FEAT_NO_IOWAIT) flags |= URING_ENTER_NO_IOWAIT;
    if (nanoseconds >= 0) {
      timeout.seconds = nanoseconds / 1000000000;
      timeout.nanoseconds = nanoseconds % 1000000000;
      argument.timespec = (uint64_t)(uintptr_t)&timeout;
      flags |= URING_ENTER_EXT_ARG;
      pointer = &argument;
      size = sizeof argument;
    }
  }
  // The kernel reads what is before the tail when it sees the tail.
  __atomic_store_n(ring->sq_tail, ring->sq_local_tail, __ATOMIC_RELEASE);
  if (enter(ring->fd, uring_ring_queued(ring), wait_for, flags, pointer, size) >= 0) return 0;
  return -errno;
}
#endif
