#if defined(_WIN32)
#ifndef WIN32_NO_STATUS
#define WIN32_NO_STATUS
#endif
#include "iocp.h"

#undef WIN32_NO_STATUS
#include <errno.h>
#include <ntstatus.h>

// Errors come in three languages: Winsock's numbers, Win32's, and the system's own, which is what the end of an
// overlapped call says. The caller is told errno's. The traps:
//
// - The same failure has different names by the way it was found: a refused connection is WSAECONNREFUSED from a call
//   and ERROR_CONNECTION_REFUSED from a packet.
// - RtlNtStatusToDosError is made for files. What it does not know, or takes for something of the file system, is
//   translated here first.
// - A socket that was closed and a handle that never was one are both WSAENOTSOCK; wine 8 says of the second that it
//   does not support the call.

// Winsock's numbers.
static int from_winsock(DWORD error) {
  switch (error) {
    case WSAEINTR:
    case WSA_E_CANCELLED:
    case WSAECANCELLED: return ECANCELED;
    case WSAEBADF: return EBADF;
    case WSAEACCES: return EACCES;
    case WSAEFAULT: return EFAULT;
    case WSAEINVAL: return EINVAL;
    case WSAEMFILE:
    case WSAEPROCLIM: return EMFILE;
    case WSAEWOULDBLOCK: return EAGAIN;
    case WSAEINPROGRESS: return EINPROGRESS;
    case WSAEALREADY: return EALREADY;
    case WSAENOTSOCK: return ENOTSOCK;
    case WSAEDESTADDRREQ: return EDESTADDRREQ;
    case WSAEMSGSIZE: return EMSGSIZE;
    case WSAEPROTOTYPE: return EPROTOTYPE;
    case WSAENOPROTOOPT: return ENOPROTOOPT;
    case WSAEPROTONOSUPPORT:
    case WSAESOCKTNOSUPPORT: return EPROTONOSUPPORT;
    case WSAEOPNOTSUPP: return EOPNOTSUPP;
    case WSAEPFNOSUPPORT:
    case WSAEAFNOSUPPORT: return EAFNOSUPPORT;
    case WSAEADDRINUSE: return EADDRINUSE;
    case WSAEADDRNOTAVAIL: return EADDRNOTAVAIL;
    case WSASYSNOTREADY:
    case WSAVERNOTSUPPORTED:
    case WSANOTINITIALISED:
    case WSAENETDOWN: return ENETDOWN;
    case WSAENETUNREACH: return ENETUNREACH;
    case WSAENETRESET: return ENETRESET;
    case WSAECONNABORTED: return ECONNABORTED;
    case WSAECONNRESET: return ECONNRESET;
    case WSAETOOMANYREFS:
    case WSAENOBUFS: return ENOBUFS;
    case WSAEISCONN: return EISCONN;
    case WSAENOTCONN: return ENOTCONN;
    // errno.h has no ESHUTDOWN and no EHOSTDOWN here.
    case WSAEDISCON:
    case WSAESHUTDOWN: return EPIPE;
    case WSAETIMEDOUT: return ETIMEDOUT;
    case WSAECONNREFUSED: return ECONNREFUSED;
    case WSAELOOP: return ELOOP;
    case WSAENAMETOOLONG: return ENAMETOOLONG;
    case WSAEHOSTDOWN:
    case WSAEHOSTUNREACH: return EHOSTUNREACH;
    default: return 0;
  }
}

static int from_win32(DWORD error) {
  switch (error) {
    case ERROR_OPERATION_ABORTED:
    case ERROR_CANCELLED:
    case ERROR_REQUEST_ABORTED: return ECANCELED;
    case ERROR_INVALID_HANDLE: return EBADF;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_NETWORK_ACCESS_DENIED: return EACCES;
    case ERROR_NOACCESS:
    case ERROR_INVALID_USER_BUFFER: return EFAULT;
    case ERROR_INVALID_PARAMETER:
    case ERROR_INVALID_NETNAME:
    case ERROR_BAD_LENGTH: return EINVAL;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT: return ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NONPAGED_SYSTEM_RESOURCES:
    case ERROR_PAGED_SYSTEM_RESOURCES:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_NOT_ENOUGH_QUOTA: return ENOBUFS;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND: return ENOENT;
    case ERROR_NOT_SUPPORTED:
    case ERROR_INVALID_FUNCTION:
    case ERROR_CALL_NOT_IMPLEMENTED: return EOPNOTSUPP;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_BAD_PIPE:
    case ERROR_GRACEFUL_DISCONNECT:
    case ERROR_PIPE_NOT_CONNECTED: return EPIPE;
    case ERROR_MORE_DATA:
    case ERROR_INSUFFICIENT_BUFFER: return EMSGSIZE;
    case ERROR_SEM_TIMEOUT:
    case ERROR_TIMEOUT:
    case WAIT_TIMEOUT: return ETIMEDOUT;
    case ERROR_CONNECTION_REFUSED:
    case ERROR_PORT_UNREACHABLE: return ECONNREFUSED;
    // Packets say this of a reset; wine says the second of one that came before the connection was accepted.
    case ERROR_NETNAME_DELETED:
    case ERROR_UNEXP_NET_ERR: return ECONNRESET;
    case ERROR_CONNECTION_ABORTED: return ECONNABORTED;
    case ERROR_CONNECTION_INVALID:
    case ERROR_CONNECTION_ACTIVE: return ENOTCONN;
    case ERROR_DUP_NAME:
    case ERROR_ADDRESS_ALREADY_ASSOCIATED: return EADDRINUSE;
    case ERROR_INCORRECT_ADDRESS: return EADDRNOTAVAIL;
    case ERROR_BAD_NETPATH:
    case ERROR_HOST_UNREACHABLE:
    case ERROR_HOST_DOWN:
    case ERROR_PROTOCOL_UNREACHABLE: return EHOSTUNREACH;
    case ERROR_NETWORK_UNREACHABLE: return ENETUNREACH;
    default: return EIO;
  }
}

int iocp_negated(DWORD error) {
  if (error == ERROR_SUCCESS) return 0;
  int number = from_winsock(error);
  return -(number ? number : from_win32(error));
}

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
  return number ? -number : iocp_negated(RtlNtStatusToDosError(status));
}

int iocp_negated_socket(const casyncio_record *record, DWORD error) {
  if (error != WSAENOTSOCK && error != WSAEOPNOTSUPP) return iocp_negated(error);
  DWORD flags;
  if (record->handle < 0 || !GetHandleInformation(iocp_handle(record), &flags)) return -EBADF;
  int type, length = sizeof type;
  int is_socket = getsockopt(iocp_socket(record), SOL_SOCKET, SO_TYPE, (char *)&type, &length) == 0;
  return is_socket ? iocp_negated(error) : -ENOTSOCK;
}
#endif
