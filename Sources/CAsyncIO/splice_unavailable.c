#if !defined(__linux__)
#include "CAsyncIO.h"

#include <errno.h>

// Systems that move no bytes between sockets by themselves: the program copies them.

int casyncio_can_splice(void) { return 0; }

int casyncio_splice_pipe(int capacity, int *read_end, int *write_end) {
  (void)capacity;
  *read_end = *write_end = -1;
  return -ENOSYS;
}

ptrdiff_t casyncio_splice(int from, int to, size_t count) {
  (void)from;
  (void)to;
  (void)count;
  return -ENOSYS;
}
#endif
