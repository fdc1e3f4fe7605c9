#if defined(_WIN32)
#ifndef WIN32_NO_STATUS
#define WIN32_NO_STATUS
#endif
#include "iocp.h"

#undef WIN32_NO_STATUS
#include <errno.h>
#include <ntstatus.h>

// How an overlapped call has ended is a number of the system's own. The traps:
//
// - RtlNtStatusToDosError is made for files. What it does not know, or takes for something of the file system, is
//   translated here first.
// - A socket that was closed and a handle that never was one are both WSAENOTSOCK; wine 8 says of the second that it
//   does not support the call.

// Statuses of sockets that the system's own translation takes for something else.
static int from_status(LONG status) {
  switch ((ULONG)status) {
    case (ULONG)STATUS_CANCELLED: return ECANCELED;
    case (ULONG)STATUS_CONNECTION_RESET:
    case (ULONG)STATUS_CONNECTION_DISCONNECTED: return ECONNRESET;
    case (ULONG)STATUS_CONNECTION_ABORTED:
    case (ULONG)STATUS_LOCAL_DISCONNECT: return ECONNABORTED;
    case (ULONG)STATUS_CONNECTION_REFUSED:
    case (ULONG)STATUS_REMOTE_NOT_LISTENING:
    case (ULONG)STATUS_PORT_UNREACHABLE: return ECONNREFUSED;
    case (ULONG)STATUS_IO_TIMEOUT:
    case (ULONG)STATUS_TIMEOUT: return ETIMEDOUT;
    case (ULONG)STATUS_ADDRESS_ALREADY_EXISTS:
    case (ULONG)STATUS_SHARING_VIOLATION: return EADDRINUSE;
    case (ULONG)STATUS_INVALID_ADDRESS:
    case (ULONG)STATUS_INVALID_ADDRESS_COMPONENT: return EADDRNOTAVAIL;
    case (ULONG)STATUS_HOST_UNREACHABLE:
    case (ULONG)STATUS_PROTOCOL_UNREACHABLE:
    case (ULONG)STATUS_BAD_NETWORK_PATH: return EHOSTUNREACH;
    case (ULONG)STATUS_NETWORK_UNREACHABLE: return ENETUNREACH;
    case (ULONG)STATUS_INVALID_CONNECTION: return ENOTCONN;
    case (ULONG)STATUS_GRACEFUL_DISCONNECT: return EPIPE;
    case (ULONG)STATUS_OBJECT_TYPE_MISMATCH:
    case (ULONG)STATUS_INVALID_HANDLE: return EBADF;
    case (ULONG)STATUS_NO_MEMORY: return ENOMEM;
    case (ULONG)STATUS_INSUFFICIENT_RESOURCES:
    case (ULONG)STATUS_PAGEFILE_QUOTA: return ENOBUFS;
    case (ULONG)STATUS_BUFFER_OVERFLOW: return EMSGSIZE;
    default: return 0;
  }
}

int iocp_negated_status(LONG status) {
  if (status == STATUS_SUCCESS) return 0;
  int number = from_status(status);
  return number ? -number : win32_negated(RtlNtStatusToDosError(status));
}

int iocp_negated_socket(const casyncio_record *record, DWORD error) {
  if (error != WSAENOTSOCK && error != WSAEOPNOTSUPP) return win32_negated(error);
  DWORD flags;
  if (record->handle < 0 || !GetHandleInformation(iocp_handle(record), &flags)) return -EBADF;
  return win32_is_socket(record->handle) ? win32_negated(error) : -ENOTSOCK;
}
#endif
