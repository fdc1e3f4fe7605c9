// The clock of a simulated thread.
//
// ContinuousClock, Date and the loop all end in clock_gettime. A definition in the program takes precedence over the C
// library's, even for calls from the runtime's shared libraries. A call from any other thread goes on to the C library,
// and so to the vDSO: that costs a load and a call through a pointer, not a system call.
#if defined(__linux__)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include <time.h>

#include "CSimulation.h"
#include "simulated_thread.h"

_Thread_local struct simulated_thread simulated_thread;

void csimulation_enter(const int64_t *now, void *context) {
  simulated_thread.now = now;
  simulated_thread.context = context;
}

void csimulation_leave(void) {
  simulated_thread.now = NULL;
  simulated_thread.context = NULL;
}

#if defined(__linux__)

typedef int clock_function(clockid_t, struct timespec *);

static int ask_kernel(clockid_t clock, struct timespec *time) { return (int)syscall(SYS_clock_gettime, clock, time); }

static int ask_system(clockid_t clock, struct timespec *time) {
  static _Atomic(clock_function *) found;
  clock_function *next = atomic_load_explicit(&found, memory_order_relaxed);
  if (next == NULL) {
    // A program that is linked statically has no next one.
    next = (clock_function *)dlsym(RTLD_NEXT, "clock_gettime");
    if (next == NULL) next = ask_kernel;
    atomic_store_explicit(&found, next, memory_order_relaxed);
  }
  return next(clock, time);
}

// The date at which every simulation begins: 2020-01-01T00:00:00Z.
static const int64_t first_second = 1577836800;

int clock_gettime(clockid_t clock, struct timespec *time) {
  const int64_t *now = simulated_thread.now;
  if (__builtin_expect(now == NULL, 1)) return ask_system(clock, time);
  // Time that a processor spends is real.
  if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) return ask_system(clock, time);
  time->tv_sec = *now / 1000000000;
  time->tv_nsec = *now % 1000000000;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += first_second;
  return 0;
}

int64_t csimulation_real_nanoseconds(void) {
  struct timespec time;
  ask_system(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void csimulation_thread_name(char *name, size_t size) {
  if (size > 0) name[0] = 0;
  if (getpid() == (pid_t)syscall(SYS_gettid)) {
    if (size > 4) memcpy(name, "main", 5);
    return;
  }
  pthread_getname_np(pthread_self(), name, size);
}

#else

int64_t csimulation_real_nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void csimulation_thread_name(char *name, size_t size) {
  if (size > 0) name[0] = 0;
}

#endif

void csimulation_pause(void) {
  struct timespec moment = {0, 200000};
  nanosleep(&moment, NULL);
}
