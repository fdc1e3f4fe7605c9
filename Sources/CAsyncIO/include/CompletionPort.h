// The completion port: one interface to systems that report what I/O has done, and not what it could do. On Linux it is
// io_uring, on Windows an I/O completion port. The rules for every implementation:
//
// - A handle has one receive (or accept) and one send (or connect) in flight, all of them with the same port. When
//   nothing is in flight another port may go on with it. Where the system ties a handle to a port for life (Windows,
//   at the first accept, connect, receive, read or write), the next port waits for readiness and makes the call then.
// - A record is one operation. The record, the memory that it names and its handle stay until its last event has been
//   reaped.
// - Starting an operation never fails and never waits. What the system refuses comes back as an event with an error.
// - A send ends once, with all bytes gone or with an error. Accepting and connecting hide the steps that they take.
// - `casyncio_port_cancel` is a request. The operation still ends by its own event, with what it had done by then or
//   with -ECANCELED. A record that is not in flight is left alone.
// - An event without CASYNCIO_EVENT_MORE is the last one of its operation. Only accepts and lent receives bring more
//   than one event; a system without that feature ends the operation after each event.
//
// Thread rules: between `begin` and `end` only the thread that called `begin` may use the port, except for
// `casyncio_port_wake`, which is for any thread and for signal handlers. Any thread may create, destroy and begin a
// port that no thread drives. `casyncio_lent_return` after `casyncio_port_destroy` is for any thread.
//
// Functions that can fail return a value >= 0, or a negated errno of the platform's errno.h.
#ifndef CASYNCIO_COMPLETION_PORT_H
#define CASYNCIO_COMPLETION_PORT_H

#include <stddef.h>
#include <stdint.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(nullability)
#define CASYNCIO_NULLABLE _Nullable
#define CASYNCIO_NONNULL _Nonnull
#else
#define CASYNCIO_NULLABLE
#define CASYNCIO_NONNULL
#endif

// A descriptor; on Windows a SOCKET or a HANDLE, which have 32 significant bits there, also in processes of 64 bits.
typedef int casyncio_handle;
typedef struct casyncio_port casyncio_port;
typedef struct casyncio_lent casyncio_lent;

// One operation of one handle. Zero it before the first use, and before it is used with another handle or port: a port
// may remember what it knows of the handle, and a number that was closed comes back. The first field is the caller's,
// the rest is the port's.
typedef struct casyncio_record {
  // The caller's reference to its own data.
  void *CASYNCIO_NULLABLE owner;
  void *CASYNCIO_NULLABLE buffer;
  uint64_t count;
  // Bytes of a send that are gone, to be read after its event.
  uint64_t transferred;
  casyncio_handle handle;
  // One of CASYNCIO_KIND_.
  uint8_t kind;
  uint8_t stage;
  uint8_t flags;
  // True from the start of the operation until its last event has been reaped.
  uint8_t in_flight;
  struct casyncio_record *CASYNCIO_NULLABLE next;
  int64_t result;
} casyncio_record;

// What a record does, or did last.
enum {
  CASYNCIO_KIND_NONE = 0,
  CASYNCIO_KIND_ACCEPT,
  CASYNCIO_KIND_CONNECT,
  CASYNCIO_KIND_RECEIVE,
  CASYNCIO_KIND_RECEIVE_LENT,
  CASYNCIO_KIND_SEND,
  CASYNCIO_KIND_READ,
  CASYNCIO_KIND_WRITE,
  CASYNCIO_KIND_WATCH,
};

// What a watch waits for and tells. The last two come unasked.
enum {
  CASYNCIO_READABLE = 1,
  CASYNCIO_WRITABLE = 4,
  CASYNCIO_ERROR = 8,
  CASYNCIO_HANGUP = 16,
};

enum {
  // Further events of this operation follow.
  CASYNCIO_EVENT_MORE = 1,
  // `bytes` and `lease` are set: `result` bytes are lent until `casyncio_lent_return`.
  CASYNCIO_EVENT_LENT = 2,
};

typedef struct casyncio_event {
  casyncio_record *CASYNCIO_NONNULL record;
  // Bytes, a new handle, flags of a watch or 0; or a negated errno, with the numbers of the platform's errno.h.
  int64_t result;
  void *CASYNCIO_NULLABLE bytes;
  uint32_t lease;
  uint32_t flags;
} casyncio_event;

// MARK: What a system can do

enum {
  // The port works at all.
  CASYNCIO_PORT_BASIC = 1 << 0,
  // One accept serves many connections.
  CASYNCIO_PORT_MULTISHOT_ACCEPT = 1 << 1,
  // Lent receives work, and one serves many chunks.
  CASYNCIO_PORT_LENT = 1 << 2,
  // Chunks share buffers.
  CASYNCIO_PORT_SHARED_BUFFERS = 1 << 3,
  // The system works on completions only when this thread asks for them.
  CASYNCIO_PORT_DEFERRED_WORK = 1 << 4,
};

typedef struct casyncio_port_options {
  // The number of operations that can be submitted in one call, and of events that fit without the system's overflow
  // list. Powers of two; 0 is the default.
  uint32_t entries;
  uint32_t event_entries;
  // The number and the size of the buffers to lend. The number is a power of two; 0 is the default.
  uint32_t lent_count;
  uint32_t lent_size;
  // Features to do without, for tests of the fallbacks.
  uint32_t without;
} casyncio_port_options;

// Where detection stopped.
enum {
  CASYNCIO_STEP_NONE = 0,
  CASYNCIO_STEP_PLATFORM,
  CASYNCIO_STEP_SETUP,
  CASYNCIO_STEP_MAP,
  CASYNCIO_STEP_OPERATIONS,
  CASYNCIO_STEP_BUFFERS,
  CASYNCIO_STEP_SELF_TEST,
};

// Try everything that a port needs, in a port that is thrown away: make it, ask for each operation, and make a round
// trip through a pair of sockets with a cancelled wait. Returns 0, or a negated errno and the step that failed.
int casyncio_port_detect(int *CASYNCIO_NONNULL step, uint32_t *CASYNCIO_NONNULL features);

// MARK: In words

// Return the mechanism's short name for reports, and its name in a sentence.
const char *CASYNCIO_NONNULL casyncio_port_name(void);
const char *CASYNCIO_NONNULL casyncio_port_title(void);
// Say what a step of the detection does, and what helps when it has failed with an errno.
const char *CASYNCIO_NONNULL casyncio_port_step_name(int step);
const char *CASYNCIO_NONNULL casyncio_port_advice(int step, int error);

// MARK: Life

int casyncio_port_create(
    const casyncio_port_options *CASYNCIO_NULLABLE options, casyncio_port *CASYNCIO_NULLABLE *CASYNCIO_NONNULL port);
// Make the calling thread drive the port from here on. `step` says which step failed.
int casyncio_port_begin(casyncio_port *CASYNCIO_NONNULL port, int *CASYNCIO_NONNULL step);
// End what `begin` began. Nothing may be in flight, unless `abandon` says that the system has stopped answering (1), or
// that this is the child of a fork, whose parent goes on with all of it (2).
void casyncio_port_end(casyncio_port *CASYNCIO_NONNULL port, int abandon);
// Destroy the port. Not between `begin` and `end`. Lent memory stays until the last chunk has been returned.
void casyncio_port_destroy(casyncio_port *CASYNCIO_NONNULL port);

// Return the features of the system that the last `begin` found.
uint32_t casyncio_port_features(const casyncio_port *CASYNCIO_NONNULL port);
// Return the number of operations that have been started and not reaped.
uint64_t casyncio_port_in_flight(const casyncio_port *CASYNCIO_NONNULL port);

// MARK: Operations. The record is not in flight; the handle is open.

// Accept connections. Each event has a new one, non-blocking and closed on exec.
void casyncio_port_accept(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle);
// Connect. The address must stay until the event.
void casyncio_port_connect(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle,
    const void *CASYNCIO_NONNULL address, uint32_t length);
// Receive into the caller's memory; the result is 0 at the end of the stream.
void casyncio_port_receive(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle,
    void *CASYNCIO_NONNULL buffer, size_t count);
// Receive into memory of the port, chunk after chunk. -ENOBUFS: none is left; return some, or receive into memory of
// your own. Only with CASYNCIO_PORT_LENT.
void casyncio_port_receive_lent(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle);
// Send all the bytes.
void casyncio_port_send(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle,
    const void *CASYNCIO_NONNULL bytes, size_t count);
// Do the same for pipes and other handles that are not sockets. Writing to a pipe without a reader raises SIGPIPE
// unless the process ignores it: not every kernel can be told otherwise. On Windows these are handles that were opened
// for overlapped calls, and have no position: named pipes.
void casyncio_port_read(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle,
    void *CASYNCIO_NONNULL buffer, size_t count);
void casyncio_port_write(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle,
    const void *CASYNCIO_NONNULL bytes, size_t count);
// Wait until the handle is ready for what `events` (CASYNCIO_READABLE, CASYNCIO_WRITABLE) names; the result has such
// flags, or is the error of a connection that was reset. A process handle (pidfd) is readable when its process has
// ended. What is not a socket can be watched on Windows if it is a process or a pipe, and a pipe for reading only: it
// is always said to be writable.
void casyncio_port_watch(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record, casyncio_handle handle,
    uint32_t events);

// MARK: Ending

void casyncio_port_cancel(casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record);
// Take an operation back that has not reached the system: it has no event, and `transferred` says what went before.
// Returns 1, or 0 if the system has it.
int casyncio_port_withdraw(casyncio_port *CASYNCIO_NONNULL port, casyncio_record *CASYNCIO_NONNULL record);
// Ask for the end of everything in flight. What is started after that and before the next `begin` ends with -ECANCELED
// and has done nothing.
void casyncio_port_cancel_all(casyncio_port *CASYNCIO_NONNULL port);
// Submit everything that was started or is to be cancelled, and let the system do the work that it has put off. The
// events stay for the next reap. Returns 1 if no cancelled wait still holds a file and no handle still has to be
// submitted; 0 if that could not be reached now.
int casyncio_port_settle(casyncio_port *CASYNCIO_NONNULL port);
// Submit what was started, wait for events and take up to `capacity` of them. The time is in nanoseconds; 0 does not
// wait, a negative value waits for ever. Ends early, and without events, when woken (even by a wake that came while no
// thread drove the port), at a signal, and when the system refuses the call for a moment. Returns the number of events,
// or a negated errno when the system has stopped answering.
int casyncio_port_reap(
    casyncio_port *CASYNCIO_NONNULL port, casyncio_event *CASYNCIO_NONNULL events, uint32_t capacity,
    int64_t nanoseconds);
// End the current or the next wait. Any thread, even a signal handler; keeps errno.
void casyncio_port_wake(casyncio_port *CASYNCIO_NONNULL port);

#if defined(_WIN32)
// How many calls of the system a port has made, for tests.
typedef struct casyncio_port_calls {
  // Waits for packets; wakes that a wait needed; attempts to receive, to send, and to wait for readiness.
  uint64_t waits, wakes, receives, sends, polls;
  // What is made once for a handle, and what accepts, connects, pipes and processes need.
  uint64_t others;
} casyncio_port_calls;

casyncio_port_calls casyncio_port_count_calls(const casyncio_port *CASYNCIO_NONNULL port);
#endif

// MARK: Lent memory

casyncio_lent *CASYNCIO_NONNULL casyncio_port_lent(casyncio_port *CASYNCIO_NONNULL port);
// Give back one lent chunk.
void casyncio_lent_return(casyncio_lent *CASYNCIO_NONNULL lent, uint32_t lease);
// Return the number of chunks that are lent.
uint32_t casyncio_lent_leases(const casyncio_lent *CASYNCIO_NONNULL lent);
// Return 1 if less than a quarter of the memory is left to receive into, else 0.
int casyncio_lent_is_low(const casyncio_lent *CASYNCIO_NONNULL lent);
// Return 1 if the books agree, else 0: every buffer is either with the system or has chunks that are lent.
int casyncio_lent_is_sound(const casyncio_lent *CASYNCIO_NONNULL lent);

#endif
