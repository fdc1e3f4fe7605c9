// Counts allocations by standing in front of the C library's allocator.
//
// A program's own `malloc` is used by every library in it, and by Swift's runtime, which is what the manual of glibc
// offers ("Replacing malloc"): all functions of the family have to be there. They pass the call on to the names under
// which glibc has its own, so nothing has to be looked up, and nothing can call itself.
//
// What is held is counted as the allocator counts it: the size that a block has, which is more than was asked for, and
// the word before it.
#include "CAllocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

static _Atomic uint64_t allocations;
static _Atomic int64_t held_blocks;
static _Atomic int64_t held_bytes;

uint64_t callocations_count(void) { return atomic_load_explicit(&allocations, memory_order_relaxed); }
int64_t callocations_held_blocks(void) { return atomic_load_explicit(&held_blocks, memory_order_relaxed); }
int64_t callocations_held_bytes(void) { return atomic_load_explicit(&held_bytes, memory_order_relaxed); }

#ifdef __linux__

#include <features.h>
#ifdef __GLIBC__

#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static void change_held(void *memory, int64_t blocks) {
  if (!memory) return;
  int64_t bytes = (int64_t)(malloc_usable_size(memory) + sizeof(size_t));
  atomic_fetch_add_explicit(&held_blocks, blocks, memory_order_relaxed);
  atomic_fetch_add_explicit(&held_bytes, blocks * bytes, memory_order_relaxed);
}

static void *counted(void *memory) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  change_held(memory, 1);
  return memory;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }

void *calloc(size_t number, size_t size) { return counted(__libc_calloc(number, size)); }

void *realloc(void *memory, size_t size) {
  change_held(memory, -1);
  void *moved = __libc_realloc(memory, size);
  // A size of 0 frees; a failure leaves the block as it was.
  if (!moved && size > 0) change_held(memory, 1);
  return counted(moved);
}

void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void *memory) {
  change_held(memory, -1);
  __libc_free(memory);
}

#else
#error "allocations are counted with glibc only"
#endif
#else
#error "allocations are counted on Linux only"
#endif
