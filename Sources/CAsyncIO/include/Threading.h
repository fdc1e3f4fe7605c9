// Threads, their words, and how they wait for each other.
#ifndef CASYNCIO_THREADING_H
#define CASYNCIO_THREADING_H

#include "CompletionPort.h"
#include "Platform.h"

// MARK: The running loop of this thread

// Identity of the loop that runs on this thread, or null. Swift has no thread-local storage that costs one
// instruction, and this word is read on every enqueue. A fork handler clears it in the child: a child runs no loop.
extern _Thread_local void *CASYNCIO_NULLABLE casyncio_running_loop_word;

static inline void *CASYNCIO_NULLABLE casyncio_running_loop(void) { return casyncio_running_loop_word; }
// The function is called in the child of a fork that this thread makes, before the word is cleared.
void casyncio_set_running_loop(
    void *CASYNCIO_NULLABLE loop, void (*CASYNCIO_NULLABLE forked)(void *CASYNCIO_NONNULL loop));

// The chain of cancellations that is in progress in this thread, or null; see Cancellation.swift.
void *CASYNCIO_NULLABLE casyncio_sequel(void);
void casyncio_set_sequel(void *CASYNCIO_NULLABLE sequel);

// Return how often this process came out of fork() as the child. State that belongs to the parent compares it.
uint64_t casyncio_fork_generation(void);

// MARK: Threads

// Return 1 in the thread that runs main(), else 0.
int casyncio_is_main_thread(void);
// Return the kernel's number for this thread, for messages.
int64_t casyncio_thread_number(void);
// Start a detached thread. Returns zero or an errno (not negated, like pthread_create).
int casyncio_thread_detach(void (*CASYNCIO_NONNULL body)(void *CASYNCIO_NONNULL), void *CASYNCIO_NONNULL argument);
// Start a thread that casyncio_thread_join waits for, which also frees its memory. Returns zero or an errno, as above.
int casyncio_thread_start(
    void (*CASYNCIO_NONNULL body)(void *CASYNCIO_NONNULL), void *CASYNCIO_NONNULL argument,
    void *CASYNCIO_NULLABLE *CASYNCIO_NONNULL thread);
void casyncio_thread_join(void *CASYNCIO_NONNULL thread);
// Return how many processors the calling thread may run on; at least one.
int casyncio_available_processors(void);
// Return how many processors the machine has; at least one.
int casyncio_processors(void);
// Read or set a word of the calling thread, which is null at first. `ended` gets the word when the thread ends; pass
// the same function with every word.
void *CASYNCIO_NULLABLE casyncio_thread_word(void);
void casyncio_set_thread_word(void *CASYNCIO_NONNULL word, void (*CASYNCIO_NONNULL ended)(void *CASYNCIO_NONNULL));
// Name the calling thread for debuggers and ps; at most 15 bytes are kept.
void casyncio_name_thread(const char *CASYNCIO_NONNULL name);

// MARK: Waiting for each other

// A mutex of the system, at an address of its own. The standard library's mutex passes a contended lock from thread to
// thread through the kernel, which costs two switches for each acquisition if there are more threads than processors;
// this one goes to the thread that runs. The thread sanitizer knows it.
void *CASYNCIO_NONNULL casyncio_mutex_make(void);
void casyncio_mutex_free(void *CASYNCIO_NONNULL mutex);
void casyncio_mutex_lock(void *CASYNCIO_NONNULL mutex);
void casyncio_mutex_unlock(void *CASYNCIO_NONNULL mutex);

// A condition that threads wait for with such a mutex, which they hold.
void *CASYNCIO_NONNULL casyncio_condition_make(void);
void casyncio_condition_free(void *CASYNCIO_NONNULL condition);
void casyncio_condition_signal(void *CASYNCIO_NONNULL condition);
void casyncio_condition_broadcast(void *CASYNCIO_NONNULL condition);
// Wait; a negative number of nanoseconds waits for ever. Wake-ups may come without a reason. A change of the date
// neither ends nor prolongs a wait, where the system has conditions that can do without the date.
void casyncio_condition_wait(
    void *CASYNCIO_NONNULL condition, void *CASYNCIO_NONNULL mutex, int64_t nanoseconds);

// MARK: The thread sanitizer

// Announce that the lock at an address was taken, or will be released. Does nothing if the sanitizer is not linked.
#if defined(__linux__)
void __tsan_acquire(void *CASYNCIO_NONNULL address) __attribute__((weak));
void __tsan_release(void *CASYNCIO_NONNULL address) __attribute__((weak));
static inline void casyncio_lock_taken(void *CASYNCIO_NONNULL address) {
  if (__tsan_acquire) __tsan_acquire(address);
}
static inline void casyncio_lock_leaving(void *CASYNCIO_NONNULL address) {
  if (__tsan_release) __tsan_release(address);
}
static inline int casyncio_has_thread_sanitizer(void) { return __tsan_acquire != 0; }
#else
static inline int casyncio_has_thread_sanitizer(void) { return 0; }
static inline void casyncio_lock_taken(void *CASYNCIO_NONNULL address) { (void)address; }
static inline void casyncio_lock_leaving(void *CASYNCIO_NONNULL address) { (void)address; }
#endif

#endif
