#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uring_lent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Provided buffers. The traps of the mechanism:
//
// - If chunks share a buffer (Linux 6.12) the kernel keeps no count for us: an event names the buffer, its bytes begin
//   where the bytes of the previous event ended, and a flag says whether the buffer goes on. So the order of the events
//   is the order of the bytes, and every event with a buffer is accounted for, even one that carries no bytes.
// - A buffer comes back to the ring when the kernel has finished with it and the last chunk in it was returned.
// - A receive that finds the ring empty ends with ENOBUFS, on some kernels even before there is anything to receive.

struct buffer {
  // Where the next chunk begins.
  uint32_t head;
  // Chunks in it that are lent.
  uint32_t chunks;
  // The kernel may put bytes into it.
  uint8_t with_kernel;
};

struct casyncio_lent {
  unsigned char *memory;
  struct uring_buf *ring;
  struct buffer *buffers;
  uint32_t count, size;
  // The same for chunks that share buffers; if each chunk takes a buffer there are more and smaller ones.
  uint32_t shared_count, shared_size;
  // Buffers with the kernel, lent chunks.
  uint32_t available, leases;
  uint16_t tail;
  uint8_t is_attached;
  // No port uses it any more: from here on the thread that returns a lease counts it.
  uint8_t is_released;
};

static void *map(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

// The number of pieces that a buffer is cut into if chunks do not share it.
enum { CUTS = 4 };

static void destroy(casyncio_lent *lent) {
  if (lent->memory) munmap(lent->memory, (size_t)lent->shared_count * lent->shared_size);
  if (lent->ring) munmap(lent->ring, lent->shared_count * CUTS * sizeof(struct uring_buf));
  free(lent->buffers);
  free(lent);
}

casyncio_lent *uring_lent_make(uint32_t count, uint32_t size) {
  casyncio_lent *lent = calloc(1, sizeof *lent);
  if (!lent) return NULL;
  lent->count = lent->shared_count = count;
  lent->size = lent->shared_size = size;
  lent->memory = map((size_t)count * size);
  lent->ring = map(count * CUTS * sizeof(struct uring_buf));
  lent->buffers = calloc(count * CUTS, sizeof *lent->buffers);
  if (lent->memory && lent->ring && lent->buffers) return lent;
  destroy(lent);
  return NULL;
}

static void provide(casyncio_lent *lent, uint32_t id) {
  struct uring_buf *slot = &lent->ring[lent->tail & (lent->count - 1)];
  slot->addr = (uint64_t)(uintptr_t)(lent->memory + (size_t)id * lent->size);
  slot->len = lent->size;
  slot->bid = (uint16_t)id;
  lent->buffers[id].head = 0;
  lent->buffers[id].with_kernel = 1;
  lent->available++;
  lent->tail++;
  // The tail lies over a field of the first slot; the kernel reads the slots before it when it sees it.
  __atomic_store_n(&lent->ring[0].tail, lent->tail, __ATOMIC_RELEASE);
}

int uring_lent_attach(casyncio_lent *lent, struct uring_ring *ring, int shared) {
  struct uring_buf_reg registration;
  // The same for every run on this machine, so chunks that are lent from one run to the next keep their places.
  lent->count = shared ? lent->shared_count : lent->shared_count * CUTS;
  lent->size = shared ? lent->shared_size : lent->shared_size / CUTS;
  memset(&registration, 0, sizeof registration);
  registration.ring_addr = (uint64_t)(uintptr_t)lent->ring;
  registration.ring_entries = lent->count;
  registration.bgid = URING_LENT_GROUP;
  registration.flags = shared ? URING_PBUF_RING_INC : 0;
  lent->tail = 0;
  __atomic_store_n(&lent->ring[0].tail, 0, __ATOMIC_RELEASE);
  int error = uring_ring_register(ring, URING_REGISTER_PBUF_RING, &registration, 1);
  if (error < 0) return error;
  lent->is_attached = 1;
  for (uint32_t id = 0; id < lent->count; id++) {
    if (lent->buffers[id].chunks == 0) provide(lent, id);
  }
  return 0;
}

void uring_lent_detach(casyncio_lent *lent, struct uring_ring *ring) {
  if (!lent->is_attached) return;
  struct uring_buf_reg registration;
  memset(&registration, 0, sizeof registration);
  registration.bgid = URING_LENT_GROUP;
  uring_ring_register(ring, URING_UNREGISTER_PBUF_RING, &registration, 1);
  lent->is_attached = 0;
  lent->available = 0;
  for (uint32_t id = 0; id < lent->count; id++) lent->buffers[id].with_kernel = 0;
}

void uring_lent_release(casyncio_lent *lent) {
  // Held by one extra lease while this is decided, so that only one side finds the last one gone.
  lent->leases++;
  lent->is_released = 1;
  if (__atomic_fetch_sub(&lent->leases, 1, __ATOMIC_ACQ_REL) == 1) destroy(lent);
}

void *uring_lent_take(casyncio_lent *lent, uint32_t cqe_flags, uint32_t bytes, uint32_t *lease) {
  uint32_t id = cqe_flags >> 16;
  struct buffer *buffer = &lent->buffers[id];
  void *start = lent->memory + (size_t)id * lent->size + buffer->head;
  buffer->head += bytes;
  if (!(cqe_flags & URING_CQE_BUF_MORE)) {
    buffer->with_kernel = 0;
    lent->available--;
  }
  if (bytes > 0) {
    buffer->chunks++;
    lent->leases++;
  } else if (!buffer->with_kernel && buffer->chunks == 0) {
    provide(lent, id);
  }
  *lease = id;
  return start;
}

void casyncio_lent_return(casyncio_lent *lent, uint32_t lease) {
  if (lent->is_released) {
    if (__atomic_fetch_sub(&lent->leases, 1, __ATOMIC_ACQ_REL) == 1) destroy(lent);
    return;
  }
  struct buffer *buffer = &lent->buffers[lease];
  buffer->chunks--;
  lent->leases--;
  if (buffer->chunks == 0 && !buffer->with_kernel && lent->is_attached) provide(lent, lease);
}

uint32_t casyncio_lent_leases(const casyncio_lent *lent) { return lent->leases; }

int casyncio_lent_is_low(const casyncio_lent *lent) { return lent->available < lent->count / 4; }

int casyncio_lent_is_sound(const casyncio_lent *lent) {
  uint32_t available = 0, chunks = 0;
  for (uint32_t id = 0; id < lent->count; id++) {
    const struct buffer *buffer = &lent->buffers[id];
    available += buffer->with_kernel;
    chunks += buffer->chunks;
    if (buffer->head > lent->size) return 0;
    if (lent->is_attached && !buffer->with_kernel && buffer->chunks == 0) return 0;
  }
  return available == lent->available && chunks == lent->leases;
}
#endif
