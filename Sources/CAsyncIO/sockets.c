#include "CAsyncIO.h"

// What is the same everywhere, over the calls of each system.

int casyncio_connect_result(int socket) {
  int error = 0;
  int status = casyncio_get_option(socket, SOL_SOCKET, SO_ERROR, &error, sizeof error);
  if (status < 0) return status;
  if (error != 0) return -error;
  // A report that came too early: no error, but no peer either.
  struct sockaddr_storage peer;
  return casyncio_peer_name(socket, &peer) == -ENOTCONN ? -EINPROGRESS : 0;
}
