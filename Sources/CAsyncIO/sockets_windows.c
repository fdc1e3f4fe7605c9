#if defined(_WIN32)
#include "win32.h"

// Sockets by Winsock. The traps:
//
// - A send that does not wait takes everything if there is room for one byte. So it is given little at a time, or a
//   slow peer would never hold anybody up.
// - SO_REUSEADDR lets another program take a port that is in use. What POSIX means by it, to bind a port whose last
//   connections are still being forgotten, Windows allows anyway; so for a stream it becomes the promise that nobody
//   else gets the port. Datagrams keep it, for groups that several programs listen to.
// - A datagram to a port where nobody listens makes the next receive fail, of whatever sender. That is turned off.
// - A socket that is not bound has no name, which is an error, and POSIX systems say its family.
// - A connect that goes on says WSAEWOULDBLOCK, and a second call while it does so says WSAEINVAL.
// - SO_LINGER has two short words, and is given as two of 32 bits here.
// - A layer of somebody else may make sockets of its own kind; they cannot be waited for, and are not asked for.

// So much goes in one call of a send.
enum { SEND_STEP = 16 * 1024 };

// MARK: Starting

static BOOL CALLBACK start_winsock(PINIT_ONCE once, void *context, void **result) {
  (void)once, (void)result;
  WSADATA data;
  *(int *)context = WSAStartup(MAKEWORD(2, 2), &data);
  return *(int *)context == 0;
}

int win32_prepare(void) {
  static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
  int error = 0;
  InitOnceExecuteOnce(&once, start_winsock, &error, NULL);
  return win32_negated((DWORD)error);
}

// MARK: Making

#ifndef SIO_UDP_CONNRESET
#define SIO_UDP_CONNRESET _WSAIOW(IOC_VENDOR, 12)
#endif

SOCKET win32_make_socket(int family, int type, int protocol) {
  return WSASocketW(family, type, protocol, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

int win32_finish_socket(SOCKET socket) {
  u_long on = 1;
  if (ioctlsocket(socket, FIONBIO, &on) != 0) {
    int error = win32_last_of_socket();
    closesocket(socket);
    return error;
  }
  int number = win32_number((HANDLE)socket);
  win32_note_mode(number, 1);
  return number;
}

int casyncio_socket(int family, int type, int protocol) {
  int error = win32_prepare();
  if (error < 0) return error;
  SOCKET made = win32_make_socket(family, type, protocol);
  if (made == INVALID_SOCKET) return win32_last_of_socket();
  if (type == SOCK_DGRAM) {
    BOOL off = FALSE;
    DWORD n;
    WSAIoctl(made, SIO_UDP_CONNRESET, &off, sizeof off, NULL, 0, &n, NULL, NULL);
  }
  return win32_finish_socket(made);
}

// The error of a call of a socket. The number may stand for something else or for nothing, and what the system says
// then depends on the call.
static int error_of(int socket) {
  DWORD error = (DWORD)WSAGetLastError(), flags;
  if (error == WSAEWOULDBLOCK || win32_is_socket(socket)) return win32_negated(error);
  return socket >= 0 && GetHandleInformation(win32_handle(socket), &flags) ? -ENOTSOCK : -EBADF;
}

int casyncio_accept(int socket) {
  SOCKET made = accept(win32_socket(socket), NULL, NULL);
  if (made == INVALID_SOCKET) {
    // A connection that was cut off before it was accepted.
    int error = error_of(socket);
    return error == -ECONNRESET ? -ECONNABORTED : error;
  }
  SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0);
  return win32_finish_socket(made);
}

static int status_of(int socket, int result) { return result == 0 ? 0 : error_of(socket); }

int casyncio_bind(int socket, const struct sockaddr *address, socklen_t length) {
  return status_of(socket, bind(win32_socket(socket), address, length));
}

int casyncio_listen(int socket, int backlog) { return status_of(socket, listen(win32_socket(socket), backlog)); }

int casyncio_connect(int socket, const struct sockaddr *address, socklen_t length) {
  if (connect(win32_socket(socket), address, length) == 0) return 0;
  int error = error_of(socket);
  return error == -EAGAIN ? -EINPROGRESS : error;
}

// The name of a socket that has none yet: its family.
static int name_of_unbound(int socket, struct sockaddr_storage *name) {
  WSAPROTOCOL_INFOW info;
  int length = sizeof info;
  int status = getsockopt(win32_socket(socket), SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &length);
  if (status != 0) return error_of(socket);
  memset(name, 0, sizeof *name);
  name->ss_family = (ADDRESS_FAMILY)info.iAddressFamily;
  return info.iMinSockAddr;
}

int casyncio_local_name(int socket, struct sockaddr_storage *name) {
  int length = sizeof *name;
  if (getsockname(win32_socket(socket), (struct sockaddr *)name, &length) == 0) return length;
  return WSAGetLastError() == WSAEINVAL ? name_of_unbound(socket, name) : error_of(socket);
}

int casyncio_peer_name(int socket, struct sockaddr_storage *name) {
  int length = sizeof *name;
  return getpeername(win32_socket(socket), (struct sockaddr *)name, &length) == 0 ? length : error_of(socket);
}

// MARK: Bytes

static ptrdiff_t counted(int socket, int n) {
  if (n >= 0) return n;
  errno = -error_of(socket);
  return -1;
}

static int at_most(size_t count, int most) { return count > (size_t)most ? most : (int)count; }

ptrdiff_t casyncio_send_once(int socket, const void *bytes, size_t count) {
  return counted(socket, send(win32_socket(socket), bytes, at_most(count, SEND_STEP), 0));
}

ptrdiff_t casyncio_receive_once(int socket, void *memory, size_t count) {
  return counted(socket, recv(win32_socket(socket), memory, at_most(count, INT32_MAX), 0));
}

int casyncio_shutdown(int socket, int how) { return status_of(socket, shutdown(win32_socket(socket), how)); }

int casyncio_undelivered_bytes(int socket) {
  (void)socket;
  return 0;
}

int casyncio_transferred_bytes(int socket, uint64_t *received, uint64_t *sent) {
  (void)socket;
  (void)received;
  (void)sent;
  return -ENOSYS;
}

int casyncio_is_plain_tcp(int socket) {
  (void)socket;
  return 0;
}

int casyncio_multipath_tcp(void) { return 0; }

// MARK: Options

static int type_of(int socket) {
  int type = 0, length = sizeof type;
  getsockopt(win32_socket(socket), SOL_SOCKET, SO_TYPE, (char *)&type, &length);
  return type;
}

// The option that means here what the given one means on POSIX systems.
static int translated(int socket, int level, int name) {
  if (level != SOL_SOCKET || name != SO_REUSEADDR) return name;
  return type_of(socket) == SOCK_STREAM ? SO_EXCLUSIVEADDRUSE : name;
}

int casyncio_get_option(int socket, int level, int name, void *value, socklen_t size) {
  name = translated(socket, level, name);
  if (level == SOL_SOCKET && name == SO_LINGER && size == 2 * sizeof(int)) {
    struct linger linger;
    int length = sizeof linger;
    if (getsockopt(win32_socket(socket), level, name, (char *)&linger, &length) != 0) return error_of(socket);
    memcpy(value, (int[]){linger.l_onoff, linger.l_linger}, 2 * sizeof(int));
    return 2 * sizeof(int);
  }
  // Some options have one byte, and the rest is the caller's.
  memset(value, 0, (size_t)size);
  int length = size;
  if (getsockopt(win32_socket(socket), level, name, value, &length) != 0) return error_of(socket);
  if (level == SOL_SOCKET && name == SO_ERROR && length == sizeof(int)) {
    int *error = value;
    *error = -win32_negated((DWORD)*error);
  }
  return length;
}

int casyncio_set_option(int socket, int level, int name, const void *value, socklen_t size) {
  name = translated(socket, level, name);
  if (level == SOL_SOCKET && name == SO_LINGER && size == 2 * sizeof(int)) {
    const int *words = value;
    struct linger linger = {.l_onoff = words[0] != 0, .l_linger = (u_short)at_most((size_t)words[1], 0xFFFF)};
    return status_of(socket, setsockopt(win32_socket(socket), level, name, (const char *)&linger, sizeof linger));
  }
  return status_of(socket, setsockopt(win32_socket(socket), level, name, value, size));
}
#endif
