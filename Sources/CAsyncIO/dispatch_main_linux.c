#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/eventfd.h>

// The main queue of Dispatch, for a loop that has the main thread. Everything here that Dispatch does not promise is in
// this file.
//
// On Linux the library has two functions for run loops: one returns an eventfd that becomes readable when the main
// queue has something to do, the other does it, in the main thread. CoreFoundation uses them. Found by experiment on
// 6.3.1:
//
// - What was queued before the descriptor was first asked for does not make it readable.
// - The library traps if it gets no descriptor, and in the child of a fork.
// - A program that is linked statically has the functions, and no table in which they could be looked up; one that is
//   linked dynamically may have them only there.

extern int _dispatch_get_main_queue_handle_4CF(void) __attribute__((weak));
extern void _dispatch_main_queue_callback_4CF(void *message) __attribute__((weak));
extern void dispatch_async_f(void *queue, void *context, void (*work)(void *)) __attribute__((weak));
extern char _dispatch_main_q __attribute__((weak));

static struct {
  int (*handle)(void);
  void (*drain)(void *);
  void (*enqueue)(void *, void *, void (*)(void *));
  void *queue;
} dispatch;

static int find_functions(void) {
  if (dispatch.queue != NULL) return 1;
  void *handle = (void *)_dispatch_get_main_queue_handle_4CF, *drain = (void *)_dispatch_main_queue_callback_4CF;
  void *enqueue = (void *)dispatch_async_f, *queue = &_dispatch_main_q;
  if (handle == NULL) handle = dlsym(RTLD_DEFAULT, "_dispatch_get_main_queue_handle_4CF");
  if (drain == NULL) drain = dlsym(RTLD_DEFAULT, "_dispatch_main_queue_callback_4CF");
  if (enqueue == NULL) enqueue = dlsym(RTLD_DEFAULT, "dispatch_async_f");
  if (queue == NULL) queue = dlsym(RTLD_DEFAULT, "_dispatch_main_q");
  if (handle == NULL || drain == NULL || enqueue == NULL || queue == NULL) return 0;
  dispatch.handle = (int (*)(void))handle;
  dispatch.drain = (void (*)(void *))drain;
  dispatch.enqueue = (void (*)(void *, void *, void (*)(void *)))enqueue;
  dispatch.queue = queue;
  return 1;
}

// Dispatch makes its descriptor now, and has no way to report that it gets none; and it takes any number, even that of
// a standard stream that is closed.
static int ask_for_handle(void) {
  int kept[3], count = 0, result;
  while (1) {
    int free_one = eventfd(0, EFD_CLOEXEC);
    if (free_one < 0) {
      result = -errno;
      break;
    }
    if (free_one > 2) {
      close(free_one);
      result = dispatch.handle();
      break;
    }
    kept[count++] = free_one;
  }
  while (count > 0) close(kept[--count]);
  return result;
}

int casyncio_dispatch_main_handle(void) {
  static int known = -1;
  if (known >= 0) return known;
  if (!casyncio_is_main_thread() || casyncio_fork_generation() != 0 || !find_functions()) return -ENOSYS;
  int handle = ask_for_handle();
  if (handle < 0) return handle;
  int flags = fcntl(handle, F_GETFL);
  // A read must not wait.
  if (flags < 0 || !(flags & O_NONBLOCK)) return -ENOSYS;
  known = handle;
  return handle;
}

void casyncio_dispatch_main_enqueue(void (*work)(void *), void *context) {
  dispatch.enqueue(dispatch.queue, context, work);
}

void casyncio_dispatch_main_drain(int handle) {
  uint64_t count;
  while (read(handle, &count, sizeof count) < 0 && errno == EINTR) {}
  dispatch.drain(NULL);
}
#endif
