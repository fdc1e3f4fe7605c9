#if defined(_WIN32)
#include "win32.h"
#include "milliseconds.h"

// What threads wait for each other with. Neither kind holds anything of the system, and there is nothing to give back
// but memory. Waits count on the time since the system's start, so a change of the date does not concern them.

static void *make(size_t size) {
  void *made = calloc(1, size);
  if (!made) abort();
  return made;
}

void *casyncio_mutex_make(void) {
  SRWLOCK *mutex = make(sizeof *mutex);
  InitializeSRWLock(mutex);
  return mutex;
}

void casyncio_mutex_free(void *mutex) { free(mutex); }
void casyncio_mutex_lock(void *mutex) { AcquireSRWLockExclusive(mutex); }
void casyncio_mutex_unlock(void *mutex) { ReleaseSRWLockExclusive(mutex); }

void *casyncio_condition_make(void) {
  CONDITION_VARIABLE *condition = make(sizeof *condition);
  InitializeConditionVariable(condition);
  return condition;
}

void casyncio_condition_free(void *condition) { free(condition); }
void casyncio_condition_signal(void *condition) { WakeConditionVariable(condition); }
void casyncio_condition_broadcast(void *condition) { WakeAllConditionVariable(condition); }

void casyncio_condition_wait(void *condition, void *mutex, int64_t nanoseconds) {
  // Callers wait again after a wait that was too short; -1 is INFINITE.
  SleepConditionVariableSRW(condition, mutex, (DWORD)milliseconds_rounded_up(nanoseconds), 0);
}
#endif
