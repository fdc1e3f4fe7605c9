// The floor of a loop over completions: an echo server on io_uring, one thread, no abstraction.
#include "ring.h"

int main(int count, char **arguments) {
  start_serving(count, arguments);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    serve_completed();
  }
}
