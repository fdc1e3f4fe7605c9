#include "CConformance.h"

#include "CAsyncIO.h"

int cconformance_connect_loopback(int socket, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return casyncio_connect(socket, (const struct sockaddr *)&address, sizeof address);
}

int cconformance_peer_port(int socket) {
  struct sockaddr_storage name;
  int length = casyncio_peer_name(socket, &name);
  if (length < 0) return length;
  return name.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&name)->sin_port) : -EAFNOSUPPORT;
}

int cconformance_listen_on_loopback(int *listener) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  struct sockaddr_storage name;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int status = *listener = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  if (status < 0) return status;
  status = casyncio_set_nonblocking(*listener);
  if (status >= 0) status = casyncio_bind(*listener, (const struct sockaddr *)&address, sizeof address);
  if (status >= 0) status = casyncio_listen(*listener, 8);
  if (status >= 0) status = casyncio_local_name(*listener, &name);
  if (status >= 0) return ntohs(((struct sockaddr_in *)&name)->sin_port);
  casyncio_close(*listener);
  return status;
}
