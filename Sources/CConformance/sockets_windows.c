#if defined(_WIN32)
#include "CConformance.h"

#include "CAsyncIO.h"

// As much as a pair of Unix sockets has room for: over the loopback a system may take megabytes.
static int set_room(int socket) {
  int room = 128 * 1024;
  int status = casyncio_set_option(socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  return status < 0 ? status : casyncio_set_option(socket, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

// Windows has no pairs of sockets: these are the two ends of a connection over the loopback.
int cconformance_socket_pair(int ends[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  struct sockaddr_storage name;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ends[0] = ends[1] = -1;
  int listener = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  if (listener < 0) return listener;
  int status = set_room(listener);
  if (status >= 0) status = casyncio_bind(listener, (const struct sockaddr *)&address, sizeof address);
  if (status >= 0) status = casyncio_listen(listener, 1);
  if (status >= 0) status = casyncio_local_name(listener, &name);
  if (status >= 0) status = ends[0] = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  if (status >= 0) status = set_room(ends[0]);
  if (status >= 0) status = cconformance_connect_loopback(ends[0], ntohs(((struct sockaddr_in *)&name)->sin_port));
  if (status == -EINPROGRESS) status = 0;
  casyncio_poll_entry entry = {.fd = listener, .events = POLLIN};
  if (status >= 0) status = casyncio_poll(&entry, 1, -1);
  if (status >= 0) status = ends[1] = casyncio_accept(listener);
  // Not every system hands a listener's settings on.
  if (status >= 0) status = set_room(ends[1]);
  casyncio_close(listener);
  if (status < 0 && ends[0] >= 0) casyncio_close(ends[0]);
  return status < 0 ? status : 0;
}

int cconformance_duplicate_socket(int socket) {
  WSAPROTOCOL_INFOW description;
  if (WSADuplicateSocketW((SOCKET)socket, GetCurrentProcessId(), &description) != 0) return -EIO;
  SOCKET other = WSASocketW(
      FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &description, 0,
      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  return other == INVALID_SOCKET ? -EIO : (int)other;
}

int cconformance_is_at_end(int socket) {
  char byte;
  return recv((SOCKET)socket, &byte, 1, MSG_PEEK) == 0;
}
#endif
