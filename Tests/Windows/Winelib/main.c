// Starts a Swift program in wine.
#include "CAsyncIO.h"

#include <windows.h>

#include <dlfcn.h>

int AsyncIOCommand_main(int count, char **arguments);

// What the preloaded code is told: how it gets threads and memory.
static void prepare(void) {
  // Only what is used of it takes memory of the host.
  const size_t most = (size_t)4 << 30;
  void (*make_threads_by)(int (*)(void (*)(void *), void *)) = dlsym(RTLD_DEFAULT, "winelib_make_threads_by");
  void (*use_memory)(void *, size_t) = dlsym(RTLD_DEFAULT, "winelib_use_memory");
  void *memory = VirtualAlloc(NULL, most, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (!make_threads_by || !use_memory || !memory) abort();
  make_threads_by(casyncio_thread_detach);
  use_memory(memory, most);
}

int main(int count, char **arguments) {
  prepare();
  return AsyncIOCommand_main(count, arguments);
}
