// Counts allocations by standing in front of the C library's allocator.
//
// A program's own `malloc` is used by every library in it, and by Swift's runtime, which is what the manual of glibc
// offers ("Replacing malloc"): all functions of the family have to be there. They pass the call on to the names under
// which glibc has its own, so nothing has to be looked up, and nothing can call itself.
//
// What is held is counted as the allocator counts it: the size that a block has, which is more than was asked for, and
// the word before it.
//
// OpenSSL offers to take its memory from functions of the program's. It is given some that count apart, so that what
// stays is ours, and does not change with the version of OpenSSL.
#include "CAllocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

// What was allocated, and what of it is held, by one party.
struct account {
  _Atomic uint64_t allocations;
  _Atomic int64_t held_blocks;
  _Atomic int64_t held_bytes;
};

static struct account own;
static struct account openssl;

uint64_t callocations_count(void) { return atomic_load_explicit(&own.allocations, memory_order_relaxed); }
int64_t callocations_held_blocks(void) { return atomic_load_explicit(&own.held_blocks, memory_order_relaxed); }
int64_t callocations_held_bytes(void) { return atomic_load_explicit(&own.held_bytes, memory_order_relaxed); }
int64_t callocations_held_by_openssl(void) { return atomic_load_explicit(&openssl.held_bytes, memory_order_relaxed); }

#ifdef __linux__

#include <features.h>
#ifdef __GLIBC__

#include <dlfcn.h>
#include <malloc.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static void change_held(struct account *account, void *memory, int64_t blocks) {
  if (!memory) return;
  int64_t bytes = (int64_t)(malloc_usable_size(memory) + sizeof(size_t));
  atomic_fetch_add_explicit(&account->held_blocks, blocks, memory_order_relaxed);
  atomic_fetch_add_explicit(&account->held_bytes, blocks * bytes, memory_order_relaxed);
}

static void *counted(struct account *account, void *memory) {
  atomic_fetch_add_explicit(&account->allocations, 1, memory_order_relaxed);
  change_held(account, memory, 1);
  return memory;
}

static void *counted_realloc(struct account *account, void *memory, size_t size) {
  change_held(account, memory, -1);
  void *moved = __libc_realloc(memory, size);
  // A size of 0 frees; a failure leaves the block as it was.
  if (!moved && size > 0) change_held(account, memory, 1);
  return counted(account, moved);
}

static void counted_free(struct account *account, void *memory) {
  change_held(account, memory, -1);
  __libc_free(memory);
}

void *malloc(size_t size) { return counted(&own, __libc_malloc(size)); }

void *calloc(size_t number, size_t size) { return counted(&own, __libc_calloc(number, size)); }

void *realloc(void *memory, size_t size) { return counted_realloc(&own, memory, size); }

void *memalign(size_t alignment, size_t size) { return counted(&own, __libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

void free(void *memory) { counted_free(&own, memory); }

// --- OpenSSL, which says from where in its sources it calls

static void *openssl_malloc(size_t size, const char *file, int line) {
  (void)file, (void)line;
  return counted(&openssl, __libc_malloc(size));
}

static void *openssl_realloc(void *memory, size_t size, const char *file, int line) {
  (void)file, (void)line;
  return counted_realloc(&openssl, memory, size);
}

static void openssl_free(void *memory, const char *file, int line) {
  (void)file, (void)line;
  counted_free(&openssl, memory);
}

bool callocations_tell_openssl_apart(void) {
  // In the order in which the library looks for libssl, which brings this one along.
  static const char *const names[] = {"libcrypto.so.3", "libcrypto.so.1.1"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) continue;
    int (*set)(void *(*)(size_t, const char *, int), void *(*)(void *, size_t, const char *, int),
               void (*)(void *, const char *, int));
    *(void **)&set = dlsym(library, "CRYPTO_set_mem_functions");
    return set && set(openssl_malloc, openssl_realloc, openssl_free) == 1;
  }
  return false;
}

#else
#error "allocations are counted with glibc only"
#endif
#else
#error "allocations are counted on Linux only"
#endif
