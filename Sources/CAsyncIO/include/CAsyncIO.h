// Only what Swift cannot import or cannot express: a thread-local word, system calls behind macros or variadic
// functions, and a signal handler that is safe to run in signal context.
#ifndef CASYNCIO_H
#define CASYNCIO_H

// Swift code sees the declarations of these through this header, so that no Swift file has to ask which C library
// the platform has.
#include <errno.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/epoll.h>
#endif

#include "CompletionPort.h"
#include "ChildProcess.h"

// MARK: The running loop of this thread

// Identity of the loop that runs on this thread, or null. Swift has no thread-local storage that costs one
// instruction, and this word is read on every enqueue. A fork handler clears it in the child: a child runs no loop.
extern _Thread_local void *CASYNCIO_NULLABLE casyncio_running_loop_word;

static inline void *CASYNCIO_NULLABLE casyncio_running_loop(void) { return casyncio_running_loop_word; }
void casyncio_set_running_loop(void *CASYNCIO_NULLABLE loop);

// What goes on in this thread that leads to more of its kind, or null; see Cancellation.swift.
void *CASYNCIO_NULLABLE casyncio_sequel(void);
void casyncio_set_sequel(void *CASYNCIO_NULLABLE sequel);

// How often this process came out of fork() as the child. State that belongs to the parent compares it.
uint64_t casyncio_fork_generation(void);

// MARK: Threads

// True in the thread that runs main().
int casyncio_is_main_thread(void);
// The kernel's number for this thread, for messages.
int64_t casyncio_thread_number(void);
// Starts a detached thread; zero or an errno (not negated, as pthread_create has it).
int casyncio_thread_detach(void (*CASYNCIO_NONNULL body)(void *CASYNCIO_NONNULL), void *CASYNCIO_NONNULL argument);
// Starts a thread that casyncio_thread_join waits for, which gives its memory back; zero or an errno, as above.
int casyncio_thread_start(
    void (*CASYNCIO_NONNULL body)(void *CASYNCIO_NONNULL), void *CASYNCIO_NONNULL argument,
    void *CASYNCIO_NULLABLE *CASYNCIO_NONNULL thread);
void casyncio_thread_join(void *CASYNCIO_NONNULL thread);
// How many processors the calling thread may run on; at least one.
int casyncio_available_processors(void);
// A word of the calling thread, null at first. `ended` gets it when the thread ends; it is the same for all words.
void *CASYNCIO_NULLABLE casyncio_thread_word(void);
void casyncio_set_thread_word(void *CASYNCIO_NONNULL word, void (*CASYNCIO_NONNULL ended)(void *CASYNCIO_NONNULL));
// Names the calling thread for debuggers and ps; at most 15 bytes are kept.
void casyncio_name_thread(const char *CASYNCIO_NONNULL name);

// MARK: The current Swift task

// Identity of the task that runs in this thread, or null. The entry point that compiled Swift code itself calls for
// `Builtin.getCurrentAsyncTask`; `withUnsafeCurrentTask` says the same through an unspecialised generic closure and
// two retains, too much for once per message.
#if __has_attribute(swiftcall)
__attribute__((swiftcall))
#endif
void *CASYNCIO_NULLABLE swift_task_getCurrent(void);

#if __has_attribute(swiftcall)
__attribute__((swiftcall))
#endif
_Bool swift_task_isCancelled(void *CASYNCIO_NONNULL task);

static inline const void *CASYNCIO_NULLABLE casyncio_current_task(void) { return swift_task_getCurrent(); }

// `Task.isCancelled` without its retain and release, for a task that runs now.
static inline _Bool casyncio_is_task_cancelled(const void *CASYNCIO_NONNULL task) {
  return swift_task_isCancelled((void *)task);
}

// The runtime's records of cancellation, which `withTaskCancellationHandler` is made of, without the frames of that
// function and its closures. Its bodies call these two entry points in other people's binaries too, so their names and
// their convention stay. Declared here because the compiler keeps the names to itself in Swift files; used in line
// because programs in C alone have no such functions.
#if __has_attribute(swiftcall)
#define CASYNCIO_SWIFT_CALL __attribute__((swiftcall))
#define CASYNCIO_SWIFT_CONTEXT __attribute__((swift_context))
#else
#define CASYNCIO_SWIFT_CALL
#define CASYNCIO_SWIFT_CONTEXT
#endif
CASYNCIO_SWIFT_CALL void *CASYNCIO_NONNULL swift_task_addCancellationHandler(
    CASYNCIO_SWIFT_CALL void (*CASYNCIO_NONNULL handler)(CASYNCIO_SWIFT_CONTEXT void *CASYNCIO_NULLABLE context),
    void *CASYNCIO_NULLABLE context);
CASYNCIO_SWIFT_CALL void swift_task_removeCancellationHandler(void *CASYNCIO_NONNULL record);

// Sets what is called when a task with a record is cancelled, with the record's argument, in any thread. Once.
void casyncio_set_cancellation_body(void (*CASYNCIO_NONNULL body)(void *CASYNCIO_NULLABLE argument));

// What a record calls: a Swift closure, whose context comes in the register of closures.
CASYNCIO_SWIFT_CALL void casyncio_task_was_cancelled(CASYNCIO_SWIFT_CONTEXT void *CASYNCIO_NULLABLE argument);

// Adds a record to the task that runs here; the body is called at once if that was cancelled. The record is memory of
// the task, which is a stack: the last one goes first.
static inline void *CASYNCIO_NONNULL casyncio_add_cancellation(void *CASYNCIO_NULLABLE argument) {
  return swift_task_addCancellationHandler(casyncio_task_was_cancelled, argument);
}

// Takes the record away. A body that runs in another thread right now has ended when this returns.
static inline void casyncio_remove_cancellation(void *CASYNCIO_NONNULL record) {
  swift_task_removeCancellationHandler(record);
}

// MARK: The main queue of Dispatch

// A descriptor that becomes readable when the main queue has something to do; the negated errno, -ENOSYS where this
// program has no such thing: another system, no Dispatch, not the main thread, the child of a fork. Main thread.
int casyncio_dispatch_main_handle(void);
// Queues a function, after casyncio_dispatch_main_handle has given a descriptor. Any thread.
void casyncio_dispatch_main_enqueue(
    void (*CASYNCIO_NONNULL work)(void *CASYNCIO_NULLABLE), void *CASYNCIO_NULLABLE context);
// Runs what the queue has. Main thread.
void casyncio_dispatch_main_drain(int handle);

// MARK: Clock

// CLOCK_MONOTONIC in nanoseconds: the clock that epoll_pwait2 and ppoll wait on.
static inline int64_t casyncio_monotonic_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int casyncio_errno(void) { return errno; }

// MARK: Caches

// Asks for a cache line that will be needed soon. Any address will do, also one that is not mapped.
static inline void casyncio_prefetch(const void *CASYNCIO_NULLABLE address) { __builtin_prefetch(address, 1, 3); }

// Asks for the frame that a Swift task will resume in. The word behind a job's seven is its task's context; for jobs
// that are no tasks it is something else, and asking for that does no harm either.
static inline void casyncio_prefetch_frame(const void *CASYNCIO_NONNULL job) {
  const char *frame = ((const char *const *)job)[7];
  for (int line = 0; line < 12; line++) casyncio_prefetch(frame + 64 * line);
}

// MARK: The thread sanitizer

// Says that a lock was taken, or will be left, at an address. Nothing where the sanitizer is not linked.
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

// MARK: References

// The word behind the type of a Swift object, in which the runtime counts the references to it.
static inline uintptr_t casyncio_reference_counts(const void *CASYNCIO_NONNULL object) {
  return __atomic_load_n((const uintptr_t *)object + 1, __ATOMIC_ACQUIRE);
}

// MARK: A lock for many threads that want it at once

// A mutex of the system, at an address of its own. The standard library's passes a contended lock on from thread to
// thread by way of the kernel, which with more threads than processors is two switches for each time it is taken; this
// one goes to whoever runs. The thread sanitizer knows it.
void *CASYNCIO_NONNULL casyncio_mutex_make(void);
void casyncio_mutex_free(void *CASYNCIO_NONNULL mutex);
void casyncio_mutex_lock(void *CASYNCIO_NONNULL mutex);
void casyncio_mutex_unlock(void *CASYNCIO_NONNULL mutex);

// MARK: Descriptors. Each returns a value >= 0, or the negated errno.

int casyncio_set_nonblocking(int fd);
int casyncio_set_blocking(int fd);
// 1 or 0.
int casyncio_is_nonblocking(int fd);
// What it was opened for: 1 reading, 2 writing, 3 both.
int casyncio_access_mode(int fd);
int casyncio_set_close_on_exec(int fd);
// 1 for a socket of TCP without a layer above it in the system; 0 for all else, and where the system does not say.
int casyncio_is_plain_tcp(int fd);

// The limit on open files; a plain call, because the resource's name is of another type on every platform.
static inline int casyncio_open_file_limit(struct rlimit *CASYNCIO_NONNULL limit) {
  return getrlimit(RLIMIT_NOFILE, limit) < 0 ? -errno : 0;
}

// SOCK_STREAM and its kin, which are of another type on every platform.
static const int casyncio_stream_type = SOCK_STREAM;
static const int casyncio_datagram_type = SOCK_DGRAM;
static const int casyncio_raw_type = SOCK_RAW;

// What a call answered that makes a descriptor: the descriptor, under a number of 3 and up and closed on exec, or the
// negated errno. The numbers below are standard input, output and error also while they are closed: children inherit
// them, and whatever library has a message writes it to 2.
int casyncio_move_above_standard(int fd);
static inline int casyncio_above_standard(int fd) {
  return fd > 2 ? fd : casyncio_move_above_standard(fd);
}

// The same for a call that makes two, whose status is given: 0 or the negated errno, and then none is left open.
int casyncio_both_above_standard(int status, int ends[CASYNCIO_NONNULL 2]);

// A non-blocking, close-on-exec socket; without SIGPIPE where that is a property of the socket.
int casyncio_socket(int family, int type, int protocol);
// Accepts without the peer's address; the result is non-blocking and close-on-exec.
int casyncio_accept(int fd);
// Flags for send(2) that keep SIGPIPE away, and for both directions: no call waits, whatever the mode of the socket is.
// A child may have it, too, and want it blocking.
int casyncio_send_flags(void);
static const int casyncio_receive_flags = MSG_DONTWAIT;

// The file behind the descriptor once more, as an open file of its own that blocks: a pipe, a FIFO, a terminal, the
// null device and its kin. Closed on exec. The negated errno: where the system has no way to do so, where the file is
// of another kind, or where this process may not open it.
int casyncio_reopen_blocking(int fd);

// MARK: Messages

// What goes with the bytes of one message: the address of the other side, and what the system says of a received one.
typedef struct casyncio_message {
  struct sockaddr_storage address;
  // Bytes of the address; 0 if there is none: a sender without a name, or a message to the connected peer.
  socklen_t address_length;
  // The message that was received had more bytes than there was room for; they are gone.
  int is_truncated;
} casyncio_message;

// One message, or what a stream has, and its sender's address. Bytes received, or the negated errno. Does not wait.
ssize_t casyncio_receive_message(
    int fd, void *CASYNCIO_NULLABLE buffer, size_t count, casyncio_message *CASYNCIO_NULLABLE message);
// How many bytes the next message has, which stays where it is; 0 if the system does not say. The negated errno: `EAGAIN`
// if there is none. Does not wait.
ssize_t casyncio_next_message_length(int fd);
// One message, whole or not at all; of a stream's bytes what the system takes. Bytes sent, or the negated errno. Does
// not wait. -EAGAIN: the socket will say when it has room. -ENOBUFS: nobody will say, ask again later; so it is when
// the queue of another Unix socket is full, one that this socket is not connected to.
ssize_t casyncio_send_message(
    int fd, const void *CASYNCIO_NULLABLE bytes, size_t count, const casyncio_message *CASYNCIO_NULLABLE message);
// True if the descriptor is ready for what `events` (POLLIN, POLLOUT) names, has failed or has hung up.
int casyncio_is_ready(int fd, int events);

// MARK: Files

// Bytes that were sent on a socket and that the peer's system has not taken; 0 where this system cannot tell.
int casyncio_undelivered_bytes(int socket);
// Sends bytes of a file from an offset on, and leaves the file's position alone. Bytes sent, 0 at the end of the file,
// or the negated errno: -EINVAL and -ENOSYS where the system cannot do it with this file or at all.
int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count);

// MARK: Wake-ups

// Makes a descriptor pair that ends a wait: an eventfd on Linux (both ends are one number), a pipe elsewhere.
int casyncio_wake_create(int *CASYNCIO_NONNULL read_end, int *CASYNCIO_NONNULL write_end);
// Safe in signal handlers; keeps errno.
void casyncio_wake_signal(int write_end);
void casyncio_wake_drain(int read_end);

// MARK: Waiting with nanoseconds

// Number of events or the negated errno. A negative timeout waits for ever. Where the kernel has no epoll_pwait2
// (before 5.11) the timeout is rounded up to milliseconds, so a wait is never too short.
#if defined(__linux__)
int casyncio_epoll_wait(int epoll, struct epoll_event *CASYNCIO_NONNULL events, int capacity, int64_t nanoseconds);
#endif
// True where casyncio_poll does not round to milliseconds.
int casyncio_poll_is_exact(void);
int casyncio_poll(struct pollfd *CASYNCIO_NULLABLE fds, size_t count, int64_t nanoseconds);

// MARK: Signals

// Installs or removes the process-wide handler of one signal. The handler sets a pending bit and then signals the
// wake end: a byte in a full pipe can be lost, a bit cannot. Removing brings back what stood there before. Callers
// serialise these two.
int casyncio_signal_install(int number);
int casyncio_signal_restore(int number);
// Takes and clears the pending bit: 1 if the signal came since the last call.
int casyncio_signal_take(int number);
// The write end that the handler signals, or -1 for none.
void casyncio_signal_set_wake(int write_end);
// Counts SIGINT and signals the wake end, if the signal has its default action: 1 then, 0 if it has another, or the
// negated errno. The second signal brings the default action back by itself. For one run at a time: callers serialise
// these two with the installs above.
int casyncio_interrupt_install(int wake_end);
// Brings the default action back, unless somebody has put another one there meanwhile.
void casyncio_interrupt_restore(void);
// How often the signal came since the install.
int casyncio_interrupt_count(void);
// Ends the process by the default action of a signal.
void casyncio_end_by_signal(int number);
// Sets SIGPIPE to ignored where it still has its default action.
void casyncio_ignore_sigpipe(void);

#endif
