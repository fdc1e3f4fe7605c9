#if defined(_WIN32)
#include "win32.h"

#include <errno.h>

// Winsock's numbers of errors and Win32's, as the caller is told them: by errno's. The same failure has different names
// by the way it was found: a refused connection is WSAECONNREFUSED from a call and ERROR_CONNECTION_REFUSED from a
// packet. What a system has no number for becomes the nearest that it has, and a name that nobody knows EIO.

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

int win32_negated(DWORD error) {
  if (error == ERROR_SUCCESS) return 0;
  int number = from_winsock(error);
  return -(number ? number : from_win32(error));
}
#endif
