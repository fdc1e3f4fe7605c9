// Starts a Swift program in wine.
#include <errno.h>
#include <stdlib.h>
#include <windows.h>

#include <dlfcn.h>

int AsyncIOCommand_main(int count, char **arguments);

struct start {
  void (*body)(void *);
  void *argument;
};

static DWORD WINAPI begin(void *context) {
  struct start start = *(struct start *)context;
  free(context);
  start.body(start.argument);
  return 0;
}

static int make_thread(void (*body)(void *), void *argument, size_t stack) {
  // A debug build of Swift has large frames.
  enum { LEAST = 8 << 20 };
  struct start *start = malloc(sizeof *start);
  if (!start) return EAGAIN;
  start->body = body;
  start->argument = argument;
  HANDLE thread = CreateThread(
      NULL, stack > LEAST ? stack : LEAST, begin, start, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  if (!thread) {
    free(start);
    return EAGAIN;
  }
  CloseHandle(thread);
  return 0;
}

// What the preloaded code is told: how it gets threads and memory.
static void prepare(void) {
  // Only what is used of it takes memory of the host.
  const size_t most = (size_t)4 << 30;
  void (*make_threads_by)(int (*)(void (*)(void *), void *, size_t)) = dlsym(RTLD_DEFAULT, "winelib_make_threads_by");
  void (*use_memory)(void *, size_t) = dlsym(RTLD_DEFAULT, "winelib_use_memory");
  void *memory = VirtualAlloc(NULL, most, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (!make_threads_by || !use_memory || !memory) abort();
  make_threads_by(make_thread);
  use_memory(memory, most);
}

int main(int count, char **arguments) {
  prepare();
  return AsyncIOCommand_main(count, arguments);
}
