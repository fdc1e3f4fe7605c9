// What a thread knows about the simulation that it runs. All NULL: it runs none.
#include <stdint.h>

struct simulated_thread {
  const int64_t *now;
  void *context;
};

extern _Thread_local struct simulated_thread simulated_thread;
