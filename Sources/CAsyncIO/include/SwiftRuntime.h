// What this package knows of the Swift runtime and has to say in C: entry points that compiled Swift code calls and
// that Swift files cannot name, and where some words of the runtime's objects are. The Swift half is
// Sources/AsyncIO/Base/Runtime, which tries all of it out before it is used; ARCHITECTURE.md has the table.
#ifndef CASYNCIO_SWIFT_RUNTIME_H
#define CASYNCIO_SWIFT_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "CompletionPort.h"

#if __has_attribute(swiftcall)
#define CASYNCIO_SWIFT_CALL __attribute__((swiftcall))
#define CASYNCIO_SWIFT_CONTEXT __attribute__((swift_context))
#else
#define CASYNCIO_SWIFT_CALL
#define CASYNCIO_SWIFT_CONTEXT
#endif

// MARK: Entry points
//
// All four are in the interface of Swift's concurrency library, as functions that bodies inlined into other people's
// binaries call. So their names and conventions stay: where Swift promises a stable ABI they are part of it, and
// elsewhere a program is compiled and linked against the same library. They are linked, not looked up: a runtime
// without them is one that this package cannot be linked to, and no switch at run time would help.
// They are called from inline functions because programs in C alone have no such functions.

// Return the task that runs in this thread, or null. `withUnsafeCurrentTask` returns the same through an unspecialised
// generic closure and two retains, too much for once per message.
CASYNCIO_SWIFT_CALL void *CASYNCIO_NULLABLE swift_task_getCurrent(void);
CASYNCIO_SWIFT_CALL _Bool swift_task_isCancelled(void *CASYNCIO_NONNULL task);
// The records of cancellation, which `withTaskCancellationHandler` is made of.
CASYNCIO_SWIFT_CALL void *CASYNCIO_NONNULL swift_task_addCancellationHandler(
    CASYNCIO_SWIFT_CALL void (*CASYNCIO_NONNULL handler)(CASYNCIO_SWIFT_CONTEXT void *CASYNCIO_NULLABLE context),
    void *CASYNCIO_NULLABLE context);
CASYNCIO_SWIFT_CALL void swift_task_removeCancellationHandler(void *CASYNCIO_NONNULL record);

// Return the identity of the task that runs in this thread, or null.
static inline const void *CASYNCIO_NULLABLE casyncio_current_task(void) { return swift_task_getCurrent(); }

// `Task.isCancelled` without its retain and release, for a task that runs now.
static inline _Bool casyncio_is_task_cancelled(const void *CASYNCIO_NONNULL task) {
  return swift_task_isCancelled((void *)task);
}

// MARK: Records of cancellation

// Set the function to call when a task with a record is cancelled, with the record's argument, in any thread. Once.
void casyncio_set_cancellation_body(void (*CASYNCIO_NONNULL body)(void *CASYNCIO_NULLABLE argument));

// The function that a record calls: a Swift closure, whose context comes in the register of closures.
CASYNCIO_SWIFT_CALL void casyncio_task_was_cancelled(CASYNCIO_SWIFT_CONTEXT void *CASYNCIO_NULLABLE argument);

// Add a record to the task that runs here; the body is called at once if the task was cancelled. The record is memory
// of the task, which is a stack: the last one is removed first.
static inline void *CASYNCIO_NONNULL casyncio_add_cancellation(void *CASYNCIO_NULLABLE argument) {
  return swift_task_addCancellationHandler(casyncio_task_was_cancelled, argument);
}

// Remove the record. A body that is running in another thread has ended when this returns.
static inline void casyncio_remove_cancellation(void *CASYNCIO_NONNULL record) {
  swift_task_removeCancellationHandler(record);
}

// For the self-test: a record that only notes its argument, for `casyncio_probed_argument` in the same thread. The
// argument is never followed.
CASYNCIO_SWIFT_CALL void casyncio_probe_was_cancelled(CASYNCIO_SWIFT_CONTEXT void *CASYNCIO_NULLABLE argument);
static inline void *CASYNCIO_NONNULL casyncio_add_probe(uintptr_t argument) {
  return swift_task_addCancellationHandler(casyncio_probe_was_cancelled, (void *)argument);
}
uintptr_t casyncio_probed_argument(void);

// MARK: Words of objects

// ABI/HeapObject.h: an object begins with its type, and the word after it counts the references to it.
static const int casyncio_counts_word = 1;
static inline uintptr_t casyncio_reference_counts(const void *CASYNCIO_NONNULL object) {
  return __atomic_load_n((const uintptr_t *)object + casyncio_counts_word, __ATOMIC_ACQUIRE);
}
// For the only owner of an object.
static inline void casyncio_set_reference_counts(void *CASYNCIO_NONNULL object, uintptr_t word) {
  __atomic_store_n((uintptr_t *)object + casyncio_counts_word, word, __ATOMIC_RELAXED);
}

// Prefetch a cache line that will be needed soon. Any address will do, even one that is not mapped.
static inline void casyncio_prefetch(const void *CASYNCIO_NULLABLE address) { __builtin_prefetch(address, 1, 3); }

// ABI/Task.h: a job takes eight words, the last of which is the function to go on with. A task begins with its job, and
// the word after it is the context that it goes on in, which is in the frame of the suspended function.
static const int casyncio_frame_word = 8;

// Prefetch the frame that a Swift task will resume in. Of jobs that are not tasks the word is something else, and
// prefetching that does no harm.
static inline void casyncio_prefetch_frame(const void *CASYNCIO_NONNULL job) {
  const char *frame = ((const char *const *)job)[casyncio_frame_word];
  for (int line = 0; line < 12; line++) casyncio_prefetch(frame + 64 * line);
}

// True if jobs have to be put into objects of this package's own, because their addresses have no bits to spare. Read
// for each job; written once, before the first loop of the process is made.
extern _Bool casyncio_boxes_jobs_word;
static inline _Bool casyncio_boxes_jobs(void) { return __atomic_load_n(&casyncio_boxes_jobs_word, __ATOMIC_RELAXED); }
static inline void casyncio_set_boxes_jobs(_Bool boxes) {
  __atomic_store_n(&casyncio_boxes_jobs_word, boxes, __ATOMIC_RELAXED);
}

#endif
