#include "platform.h"

// Sockets on the loopback address, made by what is being tested.

struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int port_of(int socket) {
  struct sockaddr_storage name;
  CHECK(casyncio_local_name(socket, &name), ==, (int)sizeof(struct sockaddr_in));
  return ntohs(((struct sockaddr_in *)&name)->sin_port);
}

int listening(void) {
  int socket = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  struct sockaddr_in address = loopback(0);
  CHECK(socket, >, 2);
  CHECK(casyncio_bind(socket, (struct sockaddr *)&address, sizeof address), ==, 0);
  CHECK(casyncio_listen(socket, 16), ==, 0);
  return socket;
}

void await(int fd, int events) {
  casyncio_poll_entry entry = {.fd = fd, .events = (short)events};
  CHECK(casyncio_poll(&entry, 1, 1000000000), ==, 1);
}

void connected(int ends[2]) {
  int listener = listening();
  struct sockaddr_in address = loopback(port_of(listener));
  ends[0] = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  int status = casyncio_connect(ends[0], (struct sockaddr *)&address, sizeof address);
  CHECK(status == 0 || status == -EINPROGRESS, ==, 1);
  await(listener, POLLIN);
  ends[1] = casyncio_accept(listener);
  CHECK(ends[1], >, 2);
  await(ends[0], POLLOUT);
  CHECK(casyncio_connect_result(ends[0]), ==, 0);
  CHECK(casyncio_close(listener), ==, 0);
}

ptrdiff_t sending(int socket, const void *bytes, size_t count) {
  ptrdiff_t n = casyncio_send_once(socket, bytes, count);
  return n < 0 ? -casyncio_errno() : n;
}

ptrdiff_t receiving(int socket, void *memory, size_t count) {
  ptrdiff_t n = casyncio_receive_once(socket, memory, count);
  return n < 0 ? -casyncio_errno() : n;
}

void receive_all(int socket, char *memory, size_t count) {
  size_t received = 0;
  while (received < count) {
    await(socket, POLLIN);
    ptrdiff_t n = receiving(socket, memory + received, count - received);
    CHECK(n, >, 0);
    received += (size_t)n;
  }
}
