// The memory that chunks are lent from. It outlives the ring: a task may hold a chunk while the loop does not run, and
// after the loop was closed.
#ifndef CASYNCIO_URING_LENT_H
#define CASYNCIO_URING_LENT_H

#include "CompletionPort.h"
#include "uring_ring.h"

enum { URING_LENT_GROUP = 0 };

casyncio_lent *uring_lent_make(uint32_t count, uint32_t size);
// Registers the buffers that are not held with a new ring. `shared`: chunks share buffers.
int uring_lent_attach(casyncio_lent *lent, struct uring_ring *ring, int shared);
// The ring is about to go; the kernel gives back all buffers at once.
void uring_lent_detach(casyncio_lent *lent, struct uring_ring *ring);
// Frees the memory when the last lent chunk has come back.
void uring_lent_release(casyncio_lent *lent);
// Accounts for an event that carries a buffer: where its bytes are. A chunk without bytes takes no lease.
void *uring_lent_take(casyncio_lent *lent, uint32_t cqe_flags, uint32_t bytes, uint32_t *lease);

#endif
