#pragma once

#include <stdint.h>

/// How often this process has allocated memory so far, in all threads. A `realloc` is one, a `free` is none.
uint64_t callocations_count(void);

/// What this process holds at the moment, in all threads: blocks that were allocated and not freed.
int64_t callocations_held_blocks(void);

/// How many bytes these blocks take in the allocator's memory.
int64_t callocations_held_bytes(void);
