#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <sys/syscall.h>
#include <unistd.h>

int64_t casyncio_thread_number(void) { return (int64_t)syscall(SYS_gettid); }
int casyncio_is_main_thread(void) { return casyncio_thread_number() == (int64_t)getpid(); }
void casyncio_name_thread(const char *name) {
  char kept[16];
  strncpy(kept, name, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  pthread_setname_np(pthread_self(), kept);
}

// The affinity instead of the machine: a container or taskset may give a program fewer processors than there are. The
// set grows until the kernel's fits, which has as many bits as the kernel was built for.
int casyncio_available_processors(void) {
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
    cpu_set_t *set = CPU_ALLOC(bits);
    if (!set) break;
    size_t size = CPU_ALLOC_SIZE(bits);
    int status = sched_getaffinity(0, size, set);
    int count = status == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (status == 0) return count > 0 ? count : 1;
    if (errno != EINVAL) break;
  }
  return 1;
}
#endif
