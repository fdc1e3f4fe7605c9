// What the parts of the port over I/O completion ports share: what a handle is to the port (iocp_handles.c), the calls
// of sockets (iocp_sockets.c), of pipes and processes (iocp_files.c), waiting for readiness (iocp_poll.c), lent memory
// (iocp_lent.c), starting and cancelling (iocp_port.c), events (iocp_events.c), the life of the port (iocp_life.c),
// errors (iocp_errors.c).
#if defined(_WIN32) && !defined(CASYNCIO_IOCP_H)
#define CASYNCIO_IOCP_H

#include "port.h"
#include "win32.h"

#include <mswsock.h>
#include <windows.h>
#include <winternl.h>

// The result of a step that is not over.
#define IOCP_PENDING INT64_MIN

// Where a packet of the port comes from.
enum { KEY_IO = 1, KEY_WAKE, KEY_WAITED };

// The stage of an operation that takes more than one call.
enum { STAGE_WORK = 0, STAGE_POLL };

enum {
  // Its end was requested: nothing is started again for it.
  FLAG_CANCELLED = 1,
  // In the list of what has ended without the system.
  FLAG_ENDED = 2,
  // What is known of the handle, from one operation of the record to the next: a socket of a stream; tied to this port;
  // calls that succeed at once send no packet; tied to another port; its calls do not block.
  FLAG_STREAM = 8,
  FLAG_OURS = 16,
  FLAG_SKIPS = 32,
  FLAG_ELSEWHERE = 64,
  FLAG_NON_BLOCKING = 128,
  FLAGS_KNOWN = FLAG_STREAM | FLAG_OURS | FLAG_SKIPS | FLAG_ELSEWHERE | FLAG_NON_BLOCKING,
};

struct afd_poll {
  LARGE_INTEGER timeout;
  ULONG count, is_exclusive;
  struct {
    HANDLE handle;
    ULONG events;
    LONG status;
  } entry;
};

// What the system works on. It is memory of the port and not of the caller: an abandoned operation may end at any time,
// even after the port is gone.
struct iocp_operation {
  // First: its address comes back with the packet.
  OVERLAPPED overlapped;
  // Null after the operation was abandoned.
  casyncio_record *record;
  struct iocp_operation *next, *previous;
  casyncio_port *port;
  // Whose call it is, for the request to cancel.
  HANDLE target;
  // A wait of the system's own threads, for a process or for the event of a call.
  HANDLE wait, event;
  volatile LONG is_told;
  SOCKET accepted;
  int family;
  DWORD received_flags;
  struct afd_poll poll;
  char addresses[2 * (sizeof(struct sockaddr_storage) + 16)];
};

struct casyncio_port {
  HANDLE iocp, timer, afd;
  LPFN_ACCEPTEX accept;
  LPFN_CONNECTEX connect;
  // A ring of what is with the system, and operations to be used again.
  struct iocp_operation live;
  struct iocp_operation *spare;
  uint32_t spare_count, with_system;
  // Ended without the system.
  struct list ended;
  uint64_t in_flight;
  uint32_t without;
  // This port's number among all ports of the process, never used again.
  uint32_t number;
  volatile LONG is_woken, is_waiting;
  uint8_t is_ending, is_wait_over, is_afd_socket;
  casyncio_lent *lent;
  casyncio_port_calls calls;
};

static inline HANDLE iocp_handle(const casyncio_record *record) { return (HANDLE)(intptr_t)record->handle; }
static inline SOCKET iocp_socket(const casyncio_record *record) { return (SOCKET)(intptr_t)record->handle; }

// MARK: Errors

// The same for how a call of the system itself has ended.
int iocp_negated_status(LONG status);
// The same for a call of a socket, which may be something else or nothing.
int iocp_negated_socket(const casyncio_record *record, DWORD error);

// MARK: Handles

enum { IOCP_OURS = 0, IOCP_ELSEWHERE = 1 };

// Tie the handle to the port unless that is done. Returns IOCP_OURS, IOCP_ELSEWHERE or a negated errno.
int iocp_claim(struct iocp_operation *operation, int is_socket);
// Make calls of the socket return instead of waiting. Returns 0 or a negated errno.
int iocp_unblock(casyncio_port *port, casyncio_record *record);
// For a call whose packet must not go to another port: gives the call an event of its own, whose lowest bit keeps it
// away. Returns 0 or a negated errno.
int iocp_use_event(struct iocp_operation *operation);
// Wait for that event. Returns IOCP_PENDING, or a negated errno when the call has been taken back.
int64_t iocp_wait_for_event(struct iocp_operation *operation);

// MARK: Steps. Each returns the result of the operation, a negated errno, or IOCP_PENDING.

int64_t iocp_accept(struct iocp_operation *operation);
int64_t iocp_connect(struct iocp_operation *operation);
int64_t iocp_receive(struct iocp_operation *operation);
int64_t iocp_send(struct iocp_operation *operation);
int64_t iocp_transfer(struct iocp_operation *operation);
int64_t iocp_watch(struct iocp_operation *operation);
// For a handle that is not a socket.
int64_t iocp_watch_other(struct iocp_operation *operation);

// The connection that an accept has brought: a handle or a negated errno.
int64_t iocp_accepted(struct iocp_operation *operation);
// The same for a listener of another port, which may be readable for nothing.
int64_t iocp_accept_ready(struct iocp_operation *operation);
int64_t iocp_connected(struct iocp_operation *operation);

// MARK: Readiness

int iocp_poll_open(casyncio_port *port);
void iocp_poll_close(casyncio_port *port);
// Wait for what CASYNCIO_READABLE and CASYNCIO_WRITABLE name.
int64_t iocp_poll(struct iocp_operation *operation, uint32_t events);
// The flags of a watch that has ended, or a negated errno.
int64_t iocp_polled(struct iocp_operation *operation);
// What the end of a stream is after a wait: 0, or the negated errno of a reset.
int64_t iocp_end_of_stream(const struct iocp_operation *operation);
// How a connect that was waited for has ended.
int64_t iocp_connect_result(const struct iocp_operation *operation);

// MARK: Lent memory

// Null when there is no memory.
casyncio_lent *iocp_lent_make(const casyncio_port_options *options);
// Free the memory when the last lent chunk has come back.
void iocp_lent_release(casyncio_lent *lent);
int64_t iocp_receive_lent(struct iocp_operation *operation);
// Receive what is there, and make it an event after which the operation goes on. Returns its length, 0 or a negated
// errno.
int64_t iocp_take_chunk(struct iocp_operation *operation, casyncio_event *event);

// MARK: Operations

// Null when there is no memory.
struct iocp_operation *iocp_take(casyncio_port *port, casyncio_record *record);
void iocp_leave(struct iocp_operation *operation);
// Put the record into the list of what has ended.
void iocp_end(casyncio_port *port, casyncio_record *record, int64_t result);
void iocp_cancel(struct iocp_operation *operation);
// Wait until the system has let go of what is abandoned, up to a time in milliseconds.
void iocp_drain(casyncio_port *port, uint32_t milliseconds);
// Begin the operation or its next step.
int64_t iocp_step(struct iocp_operation *operation);
// Ready for another call.
static inline void iocp_clear(struct iocp_operation *operation, HANDLE target) {
  operation->target = target;
  operation->overlapped = (OVERLAPPED){.hEvent = NULL};
}

#endif
