#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>
#include <stdlib.h>

// What a handle is to the port. The traps:
//
// - A handle is tied to a port at its first overlapped call, and cannot be untied (Windows 8.1 can; not all that there
//   is). The second attempt is refused with ERROR_INVALID_PARAMETER, whichever port makes it: so a table of the process
//   says whose the handle is. A close removes the entry, and each success writes it, so a number that is
//   somebody's again is never taken for what it was.
// - An entry of the table may be pushed out by another handle. Then the handle is taken for that of another port, which
//   is slower and right.
// - Tying a handle is a call of the system. The record remembers it, so the operations that follow make none.
// - A call that succeeds at once sends a packet nevertheless, unless the handle says otherwise. It may say so only if
//   the socket is a handle of the system and not of a layer above it.
// - What the record remembers of blocking is what the port has set. Nobody may set it back.

enum { OWNERS = 1 << 16 };

// The handle and, shifted by one, the number of its port; the lowest bit says that successes send no packet.
static volatile LONG64 owners[OWNERS];

static volatile LONG64 *place_of(casyncio_handle handle) { return &owners[((uint32_t)handle >> 2) % OWNERS]; }

static LONG64 owner(casyncio_handle handle, uint32_t port, int skips) {
  return (LONG64)((uint64_t)(uint32_t)handle << 32 | (uint64_t)(port << 1) | (skips ? 1 : 0));
}

void win32_forget(int handle) {
  volatile LONG64 *place = place_of(handle);
  LONG64 entry = *place;
  if ((uint32_t)(entry >> 32) == (uint32_t)handle) InterlockedCompareExchange64(place, 0, entry);
}

// True if a packet can be left out: the handle is the system's own.
static int is_system_handle(SOCKET socket) {
  WSAPROTOCOL_INFOW info;
  int length = sizeof info;
  if (getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length) != 0) return 0;
  return (info.dwServiceFlags1 & XP1_IFS_HANDLES) != 0;
}

// A listener's connections come with packets, each of which is an event; everything else may do without them.
static int skip_packets(const casyncio_record *record, int is_socket) {
  if (record->kind == CASYNCIO_KIND_ACCEPT || (is_socket && !is_system_handle(iocp_socket(record)))) return 0;
  return SetFileCompletionNotificationModes(iocp_handle(record), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) != 0;
}

int iocp_claim(struct iocp_operation *operation, int is_socket) {
  casyncio_record *record = operation->record;
  casyncio_port *port = operation->port;
  if (record->flags & FLAG_OURS) return IOCP_OURS;
  if (record->flags & FLAG_ELSEWHERE) return IOCP_ELSEWHERE;
  // A negative number is a pseudo handle: -1 is this process.
  if (record->handle < 0) return -EBADF;
  port->calls.others++;
  int skips;
  if (CreateIoCompletionPort(iocp_handle(record), port->iocp, KEY_IO, 0)) {
    skips = skip_packets(record, is_socket);
    InterlockedExchange64(place_of(record->handle), owner(record->handle, port->number, skips));
  } else {
    DWORD error = GetLastError();
    if (error != ERROR_INVALID_PARAMETER) return win32_negated(error);
    LONG64 entry = InterlockedCompareExchange64(place_of(record->handle), 0, 0);
    skips = (int)(entry & 1);
    if (entry != owner(record->handle, port->number, skips)) {
      record->flags |= FLAG_ELSEWHERE;
      return IOCP_ELSEWHERE;
    }
  }
  record->flags |= skips ? FLAG_OURS | FLAG_SKIPS : FLAG_OURS;
  return IOCP_OURS;
}

int iocp_unblock(casyncio_port *port, casyncio_record *record) {
  if (record->flags & FLAG_NON_BLOCKING) return 0;
  u_long on = 1;
  port->calls.others++;
  if (ioctlsocket(iocp_socket(record), FIONBIO, &on) != 0) {
    return iocp_negated_socket(record, (DWORD)WSAGetLastError());
  }
  record->flags |= FLAG_NON_BLOCKING;
  win32_note_mode(record->handle, 1);
  return 0;
}
#endif
