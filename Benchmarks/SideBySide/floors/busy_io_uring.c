// The floor of a loop over completions that has other things to do as well: the server of io_uring.c with the shapes of
// busy.c. What a turn wants to send goes to the kernel with the next look at it, and so after the next callback.
#include "ring.h"

#include "../common/busy.h"

static void hog(void) {
  for (;;) {
    compute(HOG_NS);
    io_uring_submit_and_get_events(&ring);
    serve_completed();
  }
}

static void slow(void) {
  for (uint64_t next = nanoseconds(CLOCK_MONOTONIC);;) {
    uint64_t now = nanoseconds(CLOCK_MONOTONIC);
    if (now >= next) {
      compute(SLOW_NS);
      next += SLOW_EVERY_NS;
    } else {
      struct __kernel_timespec left = {.tv_nsec = (long long)(next - now)};
      struct io_uring_cqe *first;
      io_uring_submit_and_wait_timeout(&ring, &first, 1, &left, NULL);
      serve_completed();
    }
  }
}

int main(int count, char **arguments) {
  enum shape shape = shape_of(count, arguments);
  start_serving(count, arguments);
  if (shape == HOG) {
    hog();
  } else {
    slow();
  }
}
