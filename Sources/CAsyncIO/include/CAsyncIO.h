// What Swift cannot import or express: a thread-local word, system calls behind macros or variadic functions, and a
// signal handler that is safe in signal context.
#ifndef CASYNCIO_H
#define CASYNCIO_H

// Swift code sees the declarations of these through this header, so that no Swift file has to ask which C library the
// platform has.
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
#include "SwiftRuntime.h"

// MARK: The running loop of this thread

// Identity of the loop that runs on this thread, or null. Swift has no thread-local storage that costs one
// instruction, and this word is read on every enqueue. A fork handler clears it in the child: a child runs no loop.
extern _Thread_local void *CASYNCIO_NULLABLE casyncio_running_loop_word;

static inline void *CASYNCIO_NULLABLE casyncio_running_loop(void) { return casyncio_running_loop_word; }
void casyncio_set_running_loop(void *CASYNCIO_NULLABLE loop);

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
// Read or set a word of the calling thread, which is null at first. `ended` gets the word when the thread ends; pass
// the same function with every word.
void *CASYNCIO_NULLABLE casyncio_thread_word(void);
void casyncio_set_thread_word(void *CASYNCIO_NONNULL word, void (*CASYNCIO_NONNULL ended)(void *CASYNCIO_NONNULL));
// Name the calling thread for debuggers and ps; at most 15 bytes are kept.
void casyncio_name_thread(const char *CASYNCIO_NONNULL name);

// MARK: The main queue of Dispatch

// Return a descriptor that becomes readable when the main queue has something to do, or a negated errno: -ENOSYS if
// this program has no such descriptor (another system, no Dispatch, not the main thread, the child of a fork). Main
// thread.
int casyncio_dispatch_main_handle(void);
// Queue a function, after casyncio_dispatch_main_handle has returned a descriptor. Any thread.
void casyncio_dispatch_main_enqueue(
    void (*CASYNCIO_NONNULL work)(void *CASYNCIO_NULLABLE), void *CASYNCIO_NULLABLE context);
// Run what is queued. Main thread.
void casyncio_dispatch_main_drain(int handle);

// MARK: Clock

// Return CLOCK_MONOTONIC in nanoseconds: the clock that epoll_pwait2 and ppoll wait on.
static inline int64_t casyncio_monotonic_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Return the processor time of the calling thread in nanoseconds.
static inline int64_t casyncio_processor_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Wait for a condition, at most for a positive number of nanoseconds on its clock. Returns 0 or the number of an error.
// Here because Swift finds the fields of `timespec` only if the file's neighbours import the right modules.
static inline int casyncio_condition_wait(
    pthread_cond_t *CASYNCIO_NONNULL condition, pthread_mutex_t *CASYNCIO_NONNULL mutex, clockid_t clock,
    int64_t nanoseconds) {
  struct timespec t;
  clock_gettime(clock, &t);
  int64_t rest = t.tv_nsec + nanoseconds % 1000000000;
  t.tv_sec += nanoseconds / 1000000000 + rest / 1000000000;
  t.tv_nsec = rest % 1000000000;
  return pthread_cond_timedwait(condition, mutex, &t);
}

static inline int casyncio_errno(void) { return errno; }

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

// MARK: A lock for many threads that want it at once

// A mutex of the system, at an address of its own. The standard library's mutex passes a contended lock from thread to
// thread through the kernel, which costs two switches for each acquisition if there are more threads than processors;
// this one goes to the thread that runs. The thread sanitizer knows it.
void *CASYNCIO_NONNULL casyncio_mutex_make(void);
void casyncio_mutex_free(void *CASYNCIO_NONNULL mutex);
void casyncio_mutex_lock(void *CASYNCIO_NONNULL mutex);
void casyncio_mutex_unlock(void *CASYNCIO_NONNULL mutex);

// MARK: Descriptors. Each returns a value >= 0, or the negated errno.

int casyncio_set_nonblocking(int fd);
int casyncio_set_blocking(int fd);
// Return 1 or 0.
int casyncio_is_nonblocking(int fd);
// Return what it was opened for: 1 reading, 2 writing, 3 both.
int casyncio_access_mode(int fd);
int casyncio_set_close_on_exec(int fd);
// Return 1 for a TCP socket without another layer above it in the system; 0 for all else, and if the system does not
// say.
int casyncio_is_plain_tcp(int fd);

// Read the limit on open files; a plain function, because the resource's name has another type on every platform.
static inline int casyncio_open_file_limit(struct rlimit *CASYNCIO_NONNULL limit) {
  return getrlimit(RLIMIT_NOFILE, limit) < 0 ? -errno : 0;
}

// SOCK_STREAM and its kin, which have another type on every platform.
static const int casyncio_stream_type = SOCK_STREAM;
static const int casyncio_datagram_type = SOCK_DGRAM;
static const int casyncio_raw_type = SOCK_RAW;

// Move the result of a call that makes a descriptor. Returns the descriptor, with a number of 3 or more and closed on
// exec, or the negated errno. The numbers below 3 are standard input, output and error even while they are closed:
// children inherit them, and any library that has a message writes it to 2.
int casyncio_move_above_standard(int fd);
static inline int casyncio_above_standard(int fd) {
  return fd > 2 ? fd : casyncio_move_above_standard(fd);
}

// Do the same for a call that makes two descriptors, given the call's status. Returns 0, or the negated errno with both
// closed.
int casyncio_both_above_standard(int status, int ends[CASYNCIO_NONNULL 2]);

// Make a non-blocking, close-on-exec socket; without SIGPIPE where that is a property of the socket.
int casyncio_socket(int family, int type, int protocol);
// Accept without the peer's address; the result is non-blocking and close-on-exec.
int casyncio_accept(int fd);
// Return the flags for send(2) that suppress SIGPIPE. They and casyncio_receive_flags keep calls from waiting, even on
// a blocking socket: a child may share the socket, and need it blocking.
int casyncio_send_flags(void);
static const int casyncio_receive_flags = MSG_DONTWAIT;

// Open the file of a descriptor once more, as an open file of its own that blocks and is closed on exec: a pipe, a
// FIFO, a terminal, the null device and its kin. Returns the negated errno if the system has no way to do so, if the
// file is of another kind, or if this process may not open it.
int casyncio_reopen_blocking(int fd);

// MARK: Messages

// What goes with the bytes of one message: the other side's address, and what the system says about a received message.
typedef struct casyncio_message {
  struct sockaddr_storage address;
  // The length of the address; 0 if there is none: a sender without a name, or a message to the connected peer.
  socklen_t address_length;
  // True if the received message had more bytes than there was room for; the rest is lost.
  int is_truncated;
} casyncio_message;

// Receive one message, or what a stream has, and its sender's address. Returns the number of bytes, or the negated
// errno. Does not wait.
ssize_t casyncio_receive_message(
    int fd, void *CASYNCIO_NULLABLE buffer, size_t count, casyncio_message *CASYNCIO_NULLABLE message);
// Return the length of the next message, which stays in place; 0 if the system does not say; or the negated errno:
// -EAGAIN if there is no message. Does not wait.
ssize_t casyncio_next_message_length(int fd);
// Send one message, whole or not at all; to a stream, as many bytes as the system takes. Returns the number of bytes,
// or the negated errno. Does not wait. -EAGAIN: the socket will report when it has room. -ENOBUFS: nothing will report
// it, try again later; the queue of another Unix socket is full, to which this socket is not connected.
ssize_t casyncio_send_message(
    int fd, const void *CASYNCIO_NULLABLE bytes, size_t count, const casyncio_message *CASYNCIO_NULLABLE message);
// Return 1 if the descriptor is ready for what `events` (POLLIN, POLLOUT) names, has failed or has hung up; else 0.
int casyncio_is_ready(int fd, int events);

// MARK: Files

// Return the number of bytes that were sent on a socket and that the peer's system has not taken; 0 if this system
// cannot tell.
int casyncio_undelivered_bytes(int socket);
// Send bytes of a file from an offset on, and leave the file's position alone. Returns the number of bytes, 0 at the
// end of the file, or the negated errno: -EINVAL and -ENOSYS if the system cannot do it with this file or at all.
int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count);

// MARK: Wake-ups

// Make a pair of descriptors that ends a wait: an eventfd on Linux (both ends are one number), a pipe elsewhere.
int casyncio_wake_create(int *CASYNCIO_NONNULL read_end, int *CASYNCIO_NONNULL write_end);
// End the wait. Safe in signal handlers; keeps errno.
void casyncio_wake_signal(int write_end);
void casyncio_wake_drain(int read_end);

// MARK: Waiting with nanoseconds

// Wait, and return the number of events or the negated errno. A negative timeout waits for ever. If the kernel has no
// epoll_pwait2 (before 5.11) the timeout is rounded up to milliseconds, so a wait is never too short.
#if defined(__linux__)
int casyncio_epoll_wait(int epoll, struct epoll_event *CASYNCIO_NONNULL events, int capacity, int64_t nanoseconds);
#endif
// Return 1 if casyncio_poll does not round to milliseconds, else 0.
int casyncio_poll_is_exact(void);
int casyncio_poll(struct pollfd *CASYNCIO_NULLABLE fds, size_t count, int64_t nanoseconds);

// MARK: Signals

// Install or remove the process-wide handler of one signal. The handler sets a pending bit and then signals the wake
// end: a byte in a full pipe can be lost, a bit cannot. Removing restores the earlier action. Callers serialise these
// two calls.
int casyncio_signal_install(int number);
int casyncio_signal_restore(int number);
// Take and clear the pending bit. Returns 1 if the signal came since the last call, else 0.
int casyncio_signal_take(int number);
// Set the write end that the handler signals, or -1 for none.
void casyncio_signal_set_wake(int write_end);
// Install a handler that counts SIGINT and signals the wake end, if the signal has its default action. Returns 1 then,
// 0 if it has another action, or the negated errno. The second signal restores the default action by itself. For one
// run at a time: callers serialise this and casyncio_interrupt_restore with the installs above.
int casyncio_interrupt_install(int wake_end);
// Restore the default action, unless other code has installed an action meanwhile.
void casyncio_interrupt_restore(void);
// Return how often the signal came since the install.
int casyncio_interrupt_count(void);
// End the process by the default action of a signal.
void casyncio_end_by_signal(int number);
// Ignore SIGPIPE if it still has its default action.
void casyncio_ignore_sigpipe(void);

#endif
