#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

// MARK: Naming

int casyncio_bind(int socket, const struct sockaddr *address, socklen_t length) {
  return bind(socket, address, length) < 0 ? -errno : 0;
}

int casyncio_listen(int socket, int backlog) { return listen(socket, backlog) < 0 ? -errno : 0; }

// An interrupted connect goes on in the system, or never began: the caller asks again.
int casyncio_connect(int socket, const struct sockaddr *address, socklen_t length) {
  return connect(socket, address, length) < 0 ? -errno : 0;
}

static int length_of_name(int status, socklen_t length) {
  if (status < 0) return -errno;
  return (int)(length < sizeof(struct sockaddr_storage) ? length : sizeof(struct sockaddr_storage));
}

int casyncio_local_name(int socket, struct sockaddr_storage *name) {
  socklen_t length = sizeof *name;
  int status = getsockname(socket, (struct sockaddr *)name, &length);
  return length_of_name(status, length);
}

int casyncio_peer_name(int socket, struct sockaddr_storage *name) {
  socklen_t length = sizeof *name;
  int status = getpeername(socket, (struct sockaddr *)name, &length);
  return length_of_name(status, length);
}

// MARK: Bytes

ptrdiff_t casyncio_send_once(int socket, const void *bytes, size_t count) {
  return send(socket, bytes, count, CASYNCIO_SEND_FLAGS);
}

ptrdiff_t casyncio_receive_once(int socket, void *memory, size_t count) {
  return recv(socket, memory, count, MSG_DONTWAIT);
}

int casyncio_shutdown(int socket, int how) { return shutdown(socket, how) < 0 ? -errno : 0; }

// MARK: Options

int casyncio_get_option(int socket, int level, int name, void *value, socklen_t size) {
  return getsockopt(socket, level, name, value, &size) < 0 ? -errno : (int)size;
}

int casyncio_set_option(int socket, int level, int name, const void *value, socklen_t size) {
  return setsockopt(socket, level, name, value, size) < 0 ? -errno : 0;
}
#endif
