// Two things of the Swift runtime that would make two runs of one seed differ.
//
// - Tasks without a preference go to the pool's threads. The runtime calls a hook before it hands such a job out; a job
//   that a simulated thread hands out goes to the simulation, and everything that it makes stays there, because the
//   thread that runs a job decides where its continuations go.
// - Sets and dictionaries are seeded anew in every process, and by their address. The runtime has a switch for
//   deterministic hashing, which it reads from the environment when hashing is first used; set before that, it holds.
#if defined(__linux__)
#include <stdatomic.h>
#include <stdbool.h>
#endif

#include "CSimulation.h"
#include "simulated_thread.h"

#if defined(__linux__)

#define SWIFT_CALL __attribute__((swiftcall))

typedef SWIFT_CALL void enqueue_function(void *job);
extern SWIFT_CALL void (*swift_task_enqueueGlobal_hook)(void *job, enqueue_function *original);

static void (*global_route)(void *job, void *context);

static SWIFT_CALL void enqueue_global(void *job, enqueue_function *original) {
  if (simulated_thread.context != NULL) {
    global_route(job, simulated_thread.context);
  } else {
    original(job);
  }
}

void csimulation_route(void (*global_job)(void *job, void *context)) {
  static atomic_flag is_routed = ATOMIC_FLAG_INIT;
  if (atomic_flag_test_and_set(&is_routed)) return;
  global_route = global_job;
  // Read by the runtime without a lock: an aligned word, written once.
  __atomic_store_n(&swift_task_enqueueGlobal_hook, enqueue_global, __ATOMIC_RELEASE);
}

int csimulation_can_route(void) { return 1; }

extern struct {
  uint64_t seed0;
  uint64_t seed1;
  bool is_deterministic;
} _swift_stdlib_Hashing_parameters;

__attribute__((constructor)) static void fix_hashing(void) {
  _swift_stdlib_Hashing_parameters.seed0 = 0;
  _swift_stdlib_Hashing_parameters.seed1 = 0;
  _swift_stdlib_Hashing_parameters.is_deterministic = true;
}

#else

void csimulation_route(void (*global_job)(void *job, void *context)) {
  (void)global_job;
}

int csimulation_can_route(void) { return 0; }

#endif
