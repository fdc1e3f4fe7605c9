// What the checks of conformance ask of their process and do to it, beyond what CAsyncIO has for programs: signals that
// a process sends itself, forks, shortages, terminals, lists of what is open.
//
// The C files are named as those of CAsyncIO: a function is in one for all systems, or in one for POSIX and in one for
// Windows. Functions that can fail return a value >= 0, or a negated errno: -ENOSYS if the system does not have what is
// asked for, which makes a check "not offered".
#ifndef CCONFORMANCE_H
#define CCONFORMANCE_H

#include <stddef.h>
#include <stdint.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(nullability)
#pragma clang assume_nonnull begin
#define CCONFORMANCE_NULLABLE _Nullable
#define CCONFORMANCE_NONNULL _Nonnull
#else
#define CCONFORMANCE_NONNULL
#define CCONFORMANCE_NULLABLE
#endif

enum {
  // A process can send itself any signal, and say what it does on one.
  CCONFORMANCE_SIGNALS = 1,
  // A process can go on as two.
  CCONFORMANCE_FORKS = 2,
  // There are sh, cat and their kin.
  CCONFORMANCE_PROGRAMS = 4,
  // A new file gets the lowest number that is free, and can have more than one.
  CCONFORMANCE_LOWEST_NUMBERS = 8,
  // Two sockets can be connected without an address.
  CCONFORMANCE_SOCKET_PAIRS = 16,
  // A datagram to a port without a socket comes back as an error.
  CCONFORMANCE_UNREACHABLE = 32,
  // Sockets can share a port, by an option that both have.
  CCONFORMANCE_SHARED_PORTS = 64,
  // Unix sockets can have names that are not files.
  CCONFORMANCE_ABSTRACT_NAMES = 128,
};

// Return which of these the system has.
uint32_t cconformance_features(void);

// Return the code that a child which was killed ends with: the signal's negative number, or a status.
int cconformance_killed_code(void);

// MARK: Sockets and pipes

// Make a pipe whose two ends block and are closed on exec. `here` says which of them a loop uses: see casyncio_pipe.
int cconformance_pipe(uint32_t here, int *read_end, int *write_end);
// Make two connected stream sockets, non-blocking and closed on exec.
int cconformance_socket_pair(int ends[CCONFORMANCE_NONNULL 2]);
// Return 1 if the peer has sent its last byte and everything was read, else 0.
int cconformance_is_at_end(int socket);
// Connect to a port of 127.0.0.1, or begin to: see casyncio_connect.
int cconformance_connect_loopback(int socket, uint16_t port);
// Make a socket that listens on the loopback and does not block. Returns its port.
int cconformance_listen_on_loopback(int *listener);
// Return another descriptor of a socket, for this process.
int cconformance_duplicate_socket(int socket);
// Return the port of a peer that has an address of IPv4.
int cconformance_peer_port(int socket);

// MARK: Signals

enum {
  CCONFORMANCE_ACTION_DEFAULT = 0,
  CCONFORMANCE_ACTION_IGNORED,
  CCONFORMANCE_ACTION_HANDLER,
};

// Send this process a signal.
int cconformance_send_signal(int number);
// Let the calling thread take a signal: the program that started this one may have blocked it.
int cconformance_unblock_signal(int number);
// Return the process's action on a signal, which stays.
int cconformance_signal_action(int number);
// Set the default action or ignore the signal. Returns the former action.
int cconformance_set_signal_action(int number, int action);

// MARK: The process

// Block the calling thread; a signal may cut it short.
void cconformance_sleep(int milliseconds);
// Remove a variable from this process's environment.
int cconformance_unset_variable(const char *name);
// Return how many threads this process has.
int cconformance_thread_count(void);
// Take the status of any child that has ended. Returns 1, or 0 if there is none.
int cconformance_reap(void);

// Fork. The child calls the body, which writes a text and returns its length, tells the parent the text, and ends. It
// has only the calling thread, so this is for processes that have no other important one. Returns the length of the
// text; -ECHILD if the child died.
ptrdiff_t cconformance_in_fork(
    size_t (*body)(void *CCONFORMANCE_NULLABLE context, char *text, size_t capacity),
    void *CCONFORMANCE_NULLABLE context, char *text, size_t capacity);
// Fork, and go on in both: returns 0 in the child, which has to end by the next call, and its number in the parent.
int64_t cconformance_fork(void);
// End the child of a fork at once.
void cconformance_end_child(int status);
// Wait for its end. Returns its status, or the negated signal that has ended it.
int cconformance_wait_for_child(int64_t child);

// MARK: Descriptors

// Call a function with each descriptor that this process has open, and what it is in the system's words. Returns how
// many there are.
int cconformance_list_descriptors(
    void (*CCONFORMANCE_NULLABLE visit)(void *CCONFORMANCE_NULLABLE context, int number, const char *target),
    void *CCONFORMANCE_NULLABLE context);
// Return 1 if an epoll instance of this process has the descriptor in its table, else 0.
int cconformance_is_in_epoll(int descriptor);

// Lower this process's limit on open files to so many beyond the next number, and say what it was.
int cconformance_limit_descriptors(int spare, uint64_t *former);
void cconformance_restore_limit(uint64_t former);
// Return one more descriptor of standard input.
int cconformance_take_descriptor(void);

// Open both sides of a pseudo-terminal, which passes bytes on as they are and does not echo.
int cconformance_open_terminal(int *screen, int *line);

// MARK: Files

// Return the folder for temporary files, whose path is short enough for Unix sockets in it.
const char *cconformance_temporary_folder(void);
// Make a folder that only this user can enter.
int cconformance_make_folder(const char *path);
int cconformance_remove_folder(const char *path);

// MARK: A check in a process of its own

// Start a program, whose standard output is for the caller. No signal is blocked in it.
int cconformance_start(
    const char *path, char *CCONFORMANCE_NULLABLE const *CCONFORMANCE_NONNULL arguments, int64_t *process, int *output);
// Read what the program has written. Returns how many bytes; 0 at the end; -EAGAIN if nothing came within this time.
ptrdiff_t cconformance_read_output(int output, void *memory, size_t count, int milliseconds);
// Close the output, kill the program if that is asked for, and wait for its end. Returns its exit status, and the
// signal that has ended it, or 0.
int cconformance_finish(int64_t process, int output, int kills, int *signal);

// In the program: keep the way to the caller, and let everything else that writes to standard output write to standard
// error. Returns the way.
int cconformance_take_output(void);
// Tell the caller all of it, and close the way.
void cconformance_tell(int output, const void *bytes, size_t count);

#if __has_feature(nullability)
#pragma clang assume_nonnull end
#endif

#endif
