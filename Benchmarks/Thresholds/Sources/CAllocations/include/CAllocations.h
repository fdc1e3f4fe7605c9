#pragma once

#include <stdbool.h>
#include <stdint.h>

/// How often this process has allocated memory so far, in all threads. A `realloc` is one, a `free` is none.
uint64_t callocations_count(void);

/// What this process holds at the moment, in all threads: blocks that were allocated and not freed.
int64_t callocations_held_blocks(void);

/// How many bytes these blocks take in the allocator's memory.
int64_t callocations_held_bytes(void);

/// From here on leave out of all this what OpenSSL allocates. Returns `false` if it has no such library here, or if
/// something is allocated already: then it is too late.
bool callocations_tell_openssl_apart(void);

/// How many bytes OpenSSL's blocks take, once it is told apart.
int64_t callocations_held_by_openssl(void);
