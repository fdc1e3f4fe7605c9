#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <pthread.h>

// What threads wait for each other with. Waits with a limit count on the monotonic clock, so a change of the date
// neither ends nor prolongs them. Darwin's conditions do not know that clock: there a wait is given how long it is, and
// not until when.

void *casyncio_mutex_make(void) {
  pthread_mutex_t *mutex = malloc(sizeof *mutex);
  if (!mutex || pthread_mutex_init(mutex, NULL) != 0) abort();
  return mutex;
}

void casyncio_mutex_free(void *mutex) {
  pthread_mutex_destroy(mutex);
  free(mutex);
}

void casyncio_mutex_lock(void *mutex) { pthread_mutex_lock(mutex); }

void casyncio_mutex_unlock(void *mutex) { pthread_mutex_unlock(mutex); }

void *casyncio_condition_make(void) {
  pthread_cond_t *condition = malloc(sizeof *condition);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
  if (!condition || pthread_cond_init(condition, &attributes) != 0) abort();
  pthread_condattr_destroy(&attributes);
  return condition;
}

void casyncio_condition_free(void *condition) {
  pthread_cond_destroy(condition);
  free(condition);
}

void casyncio_condition_signal(void *condition) { pthread_cond_signal(condition); }

void casyncio_condition_broadcast(void *condition) { pthread_cond_broadcast(condition); }

void casyncio_condition_wait(void *condition, void *mutex, int64_t nanoseconds) {
  if (nanoseconds < 0) {
    pthread_cond_wait(condition, mutex);
    return;
  }
  struct timespec t;
#if defined(__APPLE__)
  t.tv_sec = nanoseconds / 1000000000;
  t.tv_nsec = nanoseconds % 1000000000;
  pthread_cond_timedwait_relative_np(condition, mutex, &t);
#else
  clock_gettime(CLOCK_MONOTONIC, &t);
  int64_t rest = t.tv_nsec + nanoseconds % 1000000000;
  t.tv_sec += nanoseconds / 1000000000 + rest / 1000000000;
  t.tv_nsec = rest % 1000000000;
  pthread_cond_timedwait(condition, mutex, &t);
#endif
}
#endif
