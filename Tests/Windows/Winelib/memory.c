// Preloaded: gives the host's code memory that wine knows of. Wine's system writes only to such memory where it does
// the writing itself: what it reads from a pipe, the events of sockets. What is read into comes from the Swift runtime,
// so this replaces malloc(3) and its kin for the whole process once main has found the memory.
//
// Each block is of a size that is a power of two, with its size in front of it, and comes back to a list of its size.
// It is simple and made for tests: what was once a block of one size is never one of another.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

// In front of what is given away; as large as the alignment of all blocks.
struct block {
  size_t size;
  struct block *next;
};

enum { LEAST_BITS = 5, MOST_BITS = 40 };

static char *start, *next, *end;
static struct block *unused[MOST_BITS];
static volatile int lock;

void winelib_use_memory(void *memory, size_t size) {
  next = memory;
  end = next + size;
  start = next;
}

static int is_ours(const void *memory) { return start && (const char *)memory >= start && (const char *)memory < end; }

static struct block *take(unsigned bits) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
  struct block *block = unused[bits];
  if (block) {
    unused[bits] = block->next;
  } else if ((size_t)(end - next) >= (size_t)1 << bits) {
    block = (struct block *)next;
    next += (size_t)1 << bits;
  }
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
  return block;
}

static void *allocate(size_t size) {
  unsigned bits = LEAST_BITS;
  while (bits < MOST_BITS && ((size_t)1 << bits) < size + sizeof(struct block)) bits++;
  struct block *block = bits < MOST_BITS ? take(bits) : NULL;
  if (!block) {
    errno = ENOMEM;
    return NULL;
  }
  block->size = bits;
  return block + 1;
}

// In front of what was given away with a larger alignment there is this size, and a pointer to the real block.
enum { ALIGNED = 0 };

static struct block *block_of(void *memory) {
  struct block *block = (struct block *)memory - 1;
  return block->size == ALIGNED ? block->next : block;
}

static size_t room_of(void *memory) {
  struct block *block = block_of(memory);
  return (size_t)((char *)block + ((size_t)1 << block->size) - (char *)memory);
}

void *malloc(size_t size) { return start ? allocate(size) : __libc_malloc(size); }

void free(void *memory) {
  if (!is_ours(memory)) return __libc_free(memory);
  struct block *block = block_of(memory);
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
  block->next = unused[block->size];
  unused[block->size] = block;
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void *calloc(size_t count, size_t size) {
  if (!start) return __libc_calloc(count, size);
  size_t whole;
  if (__builtin_mul_overflow(count, size, &whole)) return NULL;
  void *memory = allocate(whole);
  return memory ? memset(memory, 0, whole) : NULL;
}

void *realloc(void *memory, size_t size) {
  if (!memory) return malloc(size);
  if (!is_ours(memory)) return __libc_realloc(memory, size);
  size_t room = room_of(memory);
  if (size <= room) return memory;
  void *larger = allocate(size);
  if (!larger) return NULL;
  memcpy(larger, memory, room);
  free(memory);
  return larger;
}

void *memalign(size_t alignment, size_t size) {
  if (!start) return __libc_memalign(alignment, size);
  if (alignment <= sizeof(struct block)) return allocate(size);
  char *memory = allocate(size + alignment + sizeof(struct block));
  if (!memory) return NULL;
  struct block *block = (struct block *)memory - 1;
  char *aligned = (char *)(((uintptr_t)memory + sizeof(struct block) + alignment - 1) & ~(alignment - 1));
  ((struct block *)aligned)[-1] = (struct block){.size = ALIGNED, .next = block};
  return aligned;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

// For what the host made before, its own answer is not asked for: nobody may use more than he asked for.
size_t malloc_usable_size(void *memory) { return memory && is_ours(memory) ? room_of(memory) : 0; }
