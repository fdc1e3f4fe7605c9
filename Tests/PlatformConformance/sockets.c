#include "platform.h"

static void close_both(const int ends[2]) {
  CHECK(casyncio_close(ends[0]), ==, 0);
  CHECK(casyncio_close(ends[1]), ==, 0);
}

static void bytes_and_end(void) {
  int ends[2];
  char memory[8] = "";
  connected(ends);
  CHECK(receiving(ends[1], memory, sizeof memory), ==, -EAGAIN);
  CHECK(sending(ends[0], "hello", 5), ==, 5);
  receive_all(ends[1], memory, 5);
  CHECK(memcmp(memory, "hello", 5), ==, 0);
  CHECK(casyncio_shutdown(ends[0], SHUT_WR), ==, 0);
  await(ends[1], POLLIN);
  CHECK(receiving(ends[1], memory, sizeof memory), ==, 0);
  CHECK(sending(ends[0], "more", 4), ==, -EPIPE);
  CHECK(sending(ends[1], "back", 4), ==, 4);
  receive_all(ends[0], memory, 4);
  close_both(ends);
}

// A system counts the bytes of TCP, or says that it cannot; of other things there is nothing to count.
static void counted_bytes(void) {
  int ends[2];
  char memory[8];
  uint64_t received = 77, sent = 77;
  connected(ends);
  CHECK(sending(ends[0], "hello", 5), ==, 5);
  receive_all(ends[1], memory, 5);
  CHECK(sending(ends[1], "you", 3), ==, 3);
  receive_all(ends[0], memory, 3);
  int status = casyncio_transferred_bytes(ends[0], &received, &sent);
  if (status == -ENOSYS) {
    CHECK(received, ==, 77);
  } else {
    CHECK(status, ==, 0);
    CHECK(received, ==, 3);
    CHECK(sent, ==, 5);
  }
  int null = casyncio_open_null();
  CHECK(casyncio_transferred_bytes(null, &received, &sent), <, 0);
  CHECK(casyncio_close(null), ==, 0);
  close_both(ends);
}

// A peer that does not read holds the sender up, before very much is gone.
static void back_pressure(void) {
  int ends[2];
  enum { PIECE = 1 << 20 };
  char *piece = calloc(1, PIECE);
  connected(ends);
  int64_t sent = 0;
  ptrdiff_t n;
  while ((n = sending(ends[0], piece, PIECE)) > 0 && sent < 256LL * PIECE) sent += n;
  CHECK(n, ==, -EAGAIN);
  CHECK(casyncio_is_ready(ends[0], POLLOUT), ==, 0);
  int64_t received = 0;
  while (received < sent) {
    await(ends[1], POLLIN);
    n = receiving(ends[1], piece, PIECE);
    CHECK(n, >, 0);
    received += n;
  }
  CHECK(received, ==, sent);
  await(ends[0], POLLOUT);
  free(piece);
  close_both(ends);
}

static void reset(void) {
  int ends[2], linger[2] = {1, 0};
  char memory[8];
  connected(ends);
  CHECK(casyncio_set_option(ends[0], SOL_SOCKET, SO_LINGER, linger, sizeof linger), ==, 0);
  CHECK(casyncio_close(ends[0]), ==, 0);
  await(ends[1], POLLIN);
  CHECK(receiving(ends[1], memory, sizeof memory), ==, -ECONNRESET);
  CHECK(casyncio_close(ends[1]), ==, 0);
}

static void refused(void) {
  int listener = listening();
  struct sockaddr_in address = loopback(port_of(listener));
  CHECK(casyncio_close(listener), ==, 0);
  int socket = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  int status = casyncio_connect(socket, (struct sockaddr *)&address, sizeof address);
  if (status == -EINPROGRESS) {
    // The system may try for two seconds, and not every one reports the end of it.
    for (int i = 0; i < 100 && status == -EINPROGRESS; i++) {
      casyncio_poll_entry entry = {.fd = socket, .events = POLLOUT};
      casyncio_poll(&entry, 1, 50000000);
      status = casyncio_connect_result(socket);
    }
  }
  CHECK(status, ==, -ECONNREFUSED);
  CHECK(casyncio_close(socket), ==, 0);
}

static void nobody_to_accept(void) {
  int listener = listening();
  CHECK(casyncio_accept(listener), ==, -EAGAIN);
  CHECK(casyncio_is_ready(listener, POLLIN), ==, 0);
  CHECK(casyncio_close(listener), ==, 0);
}

// A port in use is not given to another, whatever the option is that lets a server start again.
static void port_in_use(void) {
  int first = listening(), one = 1;
  struct sockaddr_in address = loopback(port_of(first));
  int second = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  CHECK(casyncio_set_option(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), ==, 0);
  int status = casyncio_bind(second, (struct sockaddr *)&address, sizeof address);
  if (status == 0) status = casyncio_listen(second, 1);
  CHECK(status == -EADDRINUSE || status == -EACCES, ==, 1);
  CHECK(casyncio_close(first), ==, 0);
  CHECK(casyncio_close(second), ==, 0);
}

static void options(void) {
  int socket = casyncio_socket(AF_INET, casyncio_stream_type, 0), value = 1, words[2] = {1, 7};
  CHECK(casyncio_set_option(socket, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), ==, 0);
  value = 0;
  CHECK(casyncio_get_option(socket, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), >, 0);
  CHECK(value, !=, 0);
  CHECK(casyncio_set_option(socket, SOL_SOCKET, SO_LINGER, words, sizeof words), ==, 0);
  words[0] = words[1] = 0;
  CHECK(casyncio_get_option(socket, SOL_SOCKET, SO_LINGER, words, sizeof words), ==, (int)sizeof words);
  CHECK(words[0] != 0 && words[1] == 7, ==, 1);
  CHECK(casyncio_get_option(socket, SOL_SOCKET, SO_TYPE, &value, sizeof value), ==, (int)sizeof value);
  CHECK(value, ==, casyncio_stream_type);
  CHECK(casyncio_get_option(socket, SOL_SOCKET, 12345, &value, sizeof value), <, 0);
  CHECK(casyncio_close(socket), ==, 0);
}

static void peers(void) {
  int ends[2];
  struct sockaddr_storage name;
  connected(ends);
  CHECK(casyncio_peer_name(ends[0], &name), ==, (int)sizeof(struct sockaddr_in));
  CHECK(ntohs(((struct sockaddr_in *)&name)->sin_port), ==, port_of(ends[1]));
  int alone = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  CHECK(casyncio_peer_name(alone, &name), ==, -ENOTCONN);
  // What is not bound has a family.
  CHECK(casyncio_local_name(alone, &name), >, 0);
  CHECK(name.ss_family, ==, AF_INET);
  CHECK(casyncio_close(alone), ==, 0);
  CHECK(casyncio_peer_name(alone, &name), <, 0);
  close_both(ends);
}

static void dead_numbers(void) {
  char byte;
  int socket = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  CHECK(casyncio_is_nonblocking(socket), ==, 1);
  CHECK(casyncio_set_blocking(socket), ==, 0);
  CHECK(casyncio_is_nonblocking(socket), ==, 0);
  CHECK(casyncio_set_nonblocking(socket), ==, 0);
  CHECK(casyncio_is_nonblocking(socket), ==, 1);
  CHECK(casyncio_close(socket), ==, 0);
  CHECK(casyncio_close(socket), ==, -EBADF);
  CHECK(casyncio_is_nonblocking(socket), ==, -EBADF);
  ptrdiff_t n = receiving(socket, &byte, 1);
  CHECK(n == -EBADF || n == -ENOTSOCK, ==, 1);
  CHECK(casyncio_close(-1), ==, -EBADF);
}

// Every call of a socket refuses a number that stands for a file of another kind.
static void no_sockets(void) {
  struct sockaddr_storage name;
  struct sockaddr_in address = loopback(9);
  int null = casyncio_open_null(), value = 1;
  CHECK(null, >, 2);
  CHECK(casyncio_bind(null, (struct sockaddr *)&address, sizeof address), ==, -ENOTSOCK);
  CHECK(casyncio_listen(null, 1), ==, -ENOTSOCK);
  CHECK(casyncio_accept(null), ==, -ENOTSOCK);
  CHECK(casyncio_connect(null, (struct sockaddr *)&address, sizeof address), ==, -ENOTSOCK);
  CHECK(casyncio_local_name(null, &name), ==, -ENOTSOCK);
  CHECK(casyncio_set_option(null, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value), ==, -ENOTSOCK);
  CHECK(casyncio_shutdown(null, SHUT_WR), ==, -ENOTSOCK);
  CHECK(sending(null, "b", 1), ==, -ENOTSOCK);
  CHECK(casyncio_close(null), ==, 0);
}

const struct test_case sockets[] = {
    {"sockets:bytes-and-end", bytes_and_end}, {"sockets:counted-bytes", counted_bytes},
    {"sockets:back-pressure", back_pressure}, {"sockets:reset", reset}, {"sockets:refused", refused},
    {"sockets:nobody-to-accept", nobody_to_accept}, {"sockets:port-in-use", port_in_use},
    {"sockets:options", options}, {"sockets:peers", peers}, {"sockets:dead-numbers", dead_numbers},
    {"sockets:no-sockets", no_sockets}, {NULL, NULL}};
