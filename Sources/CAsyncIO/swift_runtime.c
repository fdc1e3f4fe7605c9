// What the records of a task's cancellation call, and what the self-tests of SwiftRuntime.h need of C.
#include "CAsyncIO.h"

#include <stdatomic.h>

_Bool casyncio_boxes_jobs_word = 0;

typedef void cancellation_body(void *argument);
static _Atomic(cancellation_body *) body;

void casyncio_set_cancellation_body(void (*new_body)(void *argument)) {
  atomic_store_explicit(&body, new_body, memory_order_release);
}

CASYNCIO_SWIFT_CALL void casyncio_task_was_cancelled(CASYNCIO_SWIFT_CONTEXT void *argument) {
  cancellation_body *call = atomic_load_explicit(&body, memory_order_acquire);
  if (call) call(argument);
}

static _Thread_local uintptr_t probed;

CASYNCIO_SWIFT_CALL void casyncio_probe_was_cancelled(CASYNCIO_SWIFT_CONTEXT void *argument) {
  probed = (uintptr_t)argument;
}

uintptr_t casyncio_probed_argument(void) { return probed; }
