// The floor of a loop over readiness: an echo server on edge-triggered epoll, one thread, no abstraction.
#include "edge.h"

int main(int count, char **arguments) {
  start_serving(count, arguments);
  for (;;) turn(-1);
}
