#if !defined(__linux__) && !defined(_WIN32)
#include "CAsyncIO.h"

int64_t casyncio_thread_number(void) {
  uint64_t number = 0;
  pthread_threadid_np(NULL, &number);
  return (int64_t)number;
}
int casyncio_is_main_thread(void) { return pthread_main_np() != 0; }
void casyncio_name_thread(const char *name) { pthread_setname_np(name); }

int casyncio_available_processors(void) { return casyncio_processors(); }
#endif
