#pragma once

#include <stdint.h>

/// How often this process has allocated memory so far, in all threads. A `realloc` is one, a `free` is none.
uint64_t callocations_count(void);
