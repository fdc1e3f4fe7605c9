#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>
#include <stdlib.h>

// Lent receives: the port waits until a socket has bytes, and takes them into a buffer of its own. The traps:
//
// - A receive that is with the system would hold a buffer for as long as the connection is idle. A receive of nothing
//   holds none, but wine 8 ends it at once; so the wait is that for readiness.
// - Between the wait and the call somebody else may take the bytes, or the last buffer. Without bytes the wait begins
//   anew, without a buffer the operation ends with ENOBUFS and has taken no bytes.
// - Chunks share a buffer, one behind the other, until little is left of it. It is used again when the last of them has
//   come back; the one that is being filled begins anew then as well.
// - The memory outlives the port: the thread that returns the last chunk frees it.

enum { NONE = UINT32_MAX, CUTS = 4 };

struct buffer {
  // Where the next chunk begins.
  uint32_t head;
  // Chunks in it that are lent.
  uint32_t chunks;
  uint32_t next;
  uint8_t is_available;
};

struct casyncio_lent {
  unsigned char *memory;
  struct buffer *buffers;
  uint32_t count, size;
  // A list of the empty ones; the one that is being filled, which is also available.
  uint32_t first, current, available;
  volatile LONG leases;
  uint8_t is_shared;
  // No port uses it any more: from here on the thread that returns a lease counts it.
  volatile uint8_t is_released;
};

static void add(casyncio_lent *lent, uint32_t id) {
  lent->buffers[id].head = 0;
  lent->buffers[id].is_available = 1;
  lent->buffers[id].next = lent->first;
  lent->first = id;
  lent->available++;
}

static void destroy(casyncio_lent *lent) {
  if (lent->memory) VirtualFree(lent->memory, 0, MEM_RELEASE);
  free(lent->buffers);
  free(lent);
}

casyncio_lent *iocp_lent_make(const casyncio_port_options *options) {
  casyncio_lent *lent = calloc(1, sizeof *lent);
  if (!lent) return NULL;
  lent->count = options && options->lent_count ? options->lent_count : 16;
  lent->size = options && options->lent_size ? options->lent_size : 64 * 1024;
  lent->is_shared = !(options && (options->without & CASYNCIO_PORT_SHARED_BUFFERS));
  if (!lent->is_shared) {
    // Each chunk takes a buffer, so there are more and smaller ones.
    lent->count *= CUTS;
    lent->size /= CUTS;
  }
  lent->memory = VirtualAlloc(NULL, (size_t)lent->count * lent->size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  lent->buffers = calloc(lent->count, sizeof *lent->buffers);
  if (!lent->memory || !lent->buffers) {
    destroy(lent);
    return NULL;
  }
  lent->first = lent->current = NONE;
  for (uint32_t id = lent->count; id > 0; id--) add(lent, id - 1);
  return lent;
}

void iocp_lent_release(casyncio_lent *lent) {
  // Held by one extra lease while this is decided, so that only one side finds the last one gone.
  InterlockedIncrement(&lent->leases);
  lent->is_released = 1;
  if (InterlockedDecrement(&lent->leases) == 0) destroy(lent);
}

// MARK: Room

// Give up the buffer that is being filled: it is empty again, or comes back with its last chunk.
static void retire(casyncio_lent *lent) {
  struct buffer *buffer = &lent->buffers[lent->current];
  buffer->is_available = 0;
  lent->available--;
  if (buffer->chunks == 0) add(lent, lent->current);
  lent->current = NONE;
}

// The room for the next chunk; null if there is none.
static unsigned char *room(casyncio_lent *lent, uint32_t *length) {
  if (lent->current != NONE) {
    const struct buffer *buffer = &lent->buffers[lent->current];
    int is_used = lent->is_shared ? buffer->head > lent->size - lent->size / 8 : buffer->head > 0;
    if (is_used) retire(lent);
  }
  if (lent->current == NONE) {
    if (lent->first == NONE) return NULL;
    lent->current = lent->first;
    lent->first = lent->buffers[lent->current].next;
  }
  uint32_t head = lent->buffers[lent->current].head;
  *length = lent->size - head;
  return lent->memory + (size_t)lent->current * lent->size + head;
}

static uint32_t lend(casyncio_lent *lent, uint32_t bytes) {
  struct buffer *buffer = &lent->buffers[lent->current];
  buffer->head += bytes;
  buffer->chunks++;
  InterlockedIncrement(&lent->leases);
  return lent->current;
}

// MARK: Receiving

int64_t iocp_receive_lent(struct iocp_operation *operation) {
  uint32_t length;
  int error = iocp_unblock(operation->port, operation->record);
  if (error < 0) return error;
  if (!room(operation->port->lent, &length)) return -ENOBUFS;
  operation->record->stage = STAGE_POLL;
  return iocp_poll(operation, CASYNCIO_READABLE);
}

int64_t iocp_take_chunk(struct iocp_operation *operation, casyncio_event *event) {
  casyncio_lent *lent = operation->port->lent;
  uint32_t length;
  unsigned char *bytes = room(lent, &length);
  if (!bytes) return -ENOBUFS;
  operation->port->calls.receives++;
  int n = recv(iocp_socket(operation->record), (char *)bytes, (int)length, 0);
  if (n == 0) return iocp_end_of_stream(operation);
  if (n < 0) return iocp_negated_socket(operation->record, (DWORD)WSAGetLastError());
  *event = (casyncio_event){
      .record = operation->record, .result = n, .bytes = bytes, .lease = lend(lent, (uint32_t)n),
      .flags = CASYNCIO_EVENT_LENT | CASYNCIO_EVENT_MORE};
  return n;
}

// MARK: Returning

void casyncio_lent_return(casyncio_lent *lent, uint32_t lease) {
  if (lent->is_released) {
    if (InterlockedDecrement(&lent->leases) == 0) destroy(lent);
    return;
  }
  struct buffer *buffer = &lent->buffers[lease];
  InterlockedDecrement(&lent->leases);
  if (--buffer->chunks > 0) return;
  if (buffer->is_available) {
    buffer->head = 0;
  } else {
    add(lent, lease);
  }
}

uint32_t casyncio_lent_leases(const casyncio_lent *lent) { return (uint32_t)lent->leases; }

int casyncio_lent_is_low(const casyncio_lent *lent) { return lent->available < lent->count / 4; }

int casyncio_lent_is_sound(const casyncio_lent *lent) {
  uint32_t available = 0, chunks = 0;
  for (uint32_t id = 0; id < lent->count; id++) {
    const struct buffer *buffer = &lent->buffers[id];
    available += buffer->is_available;
    chunks += buffer->chunks;
    if (buffer->head > lent->size || (!buffer->is_available && buffer->chunks == 0)) return 0;
  }
  return available == lent->available && chunks == (uint32_t)lent->leases;
}
#endif
