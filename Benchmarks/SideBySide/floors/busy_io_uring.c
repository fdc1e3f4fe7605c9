// The floor of a loop over completions that has other things to do as well: the server of io_uring.c with the shapes of
// busy.c. What a turn wants to send goes to the kernel with the next look at it, and so after the next callback.
#include "ring.h"

#include "busy_turns.h"

static void look(void) {
  io_uring_submit_and_get_events(&ring);
  serve_completed();
}

static void wait_at_most(uint64_t left_ns) {
  struct __kernel_timespec left = {.tv_nsec = (long long)left_ns};
  struct io_uring_cqe *first;
  io_uring_submit_and_wait_timeout(&ring, &first, 1, &left, NULL);
  serve_completed();
}
