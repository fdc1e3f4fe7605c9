#include "platform.h"

static int bound(void) {
  int socket = casyncio_socket(AF_INET, casyncio_datagram_type, 0);
  struct sockaddr_in address = loopback(0);
  CHECK(casyncio_bind(socket, (struct sockaddr *)&address, sizeof address), ==, 0);
  return socket;
}

static casyncio_message message_to(int socket) {
  casyncio_message message;
  memset(&message, 0, sizeof message);
  struct sockaddr_in address = loopback(port_of(socket));
  memcpy(&message.address, &address, sizeof address);
  message.address_length = sizeof address;
  return message;
}

static void senders(void) {
  int a = bound(), b = bound();
  char memory[16];
  casyncio_message to = message_to(b), from = {0};
  CHECK(casyncio_receive_message(b, memory, sizeof memory, &from), ==, -EAGAIN);
  CHECK(casyncio_next_message_length(b), ==, -EAGAIN);
  CHECK(casyncio_send_message(a, "hello", 5, &to), ==, 5);
  await(b, POLLIN);
  ptrdiff_t length = casyncio_next_message_length(b);
  CHECK(length == 5 || length == 0, ==, 1);
  CHECK(casyncio_receive_message(b, memory, sizeof memory, &from), ==, 5);
  CHECK(memcmp(memory, "hello", 5), ==, 0);
  CHECK(from.is_truncated, ==, 0);
  CHECK(from.address_length, ==, (int)sizeof(struct sockaddr_in));
  CHECK(ntohs(((struct sockaddr_in *)&from.address)->sin_port), ==, port_of(a));
  casyncio_close(a);
  casyncio_close(b);
}

static void empty_and_too_long(void) {
  int a = bound(), b = bound();
  char memory[4];
  casyncio_message to = message_to(b), from = {0};
  CHECK(casyncio_send_message(a, NULL, 0, &to), ==, 0);
  CHECK(casyncio_send_message(a, "too long", 8, &to), ==, 8);
  await(b, POLLIN);
  CHECK(casyncio_receive_message(b, memory, sizeof memory, &from), ==, 0);
  await(b, POLLIN);
  CHECK(casyncio_receive_message(b, memory, sizeof memory, &from), ==, 4);
  CHECK(memcmp(memory, "too ", 4), ==, 0);
  CHECK(from.is_truncated, ==, 1);
  CHECK(casyncio_receive_message(b, memory, sizeof memory, &from), ==, -EAGAIN);
  casyncio_close(a);
  casyncio_close(b);
}

// A message to nobody says so to nobody who is not connected.
static void nobody(void) {
  int a = bound(), gone = bound();
  char memory[4];
  casyncio_message to = message_to(gone), own = message_to(a), from = {0};
  casyncio_close(gone);
  CHECK(casyncio_send_message(a, "?", 1, &to), ==, 1);
  CHECK(casyncio_send_message(a, "!", 1, &own), ==, 1);
  await(a, POLLIN);
  CHECK(casyncio_receive_message(a, memory, sizeof memory, &from), ==, 1);
  CHECK(memory[0], ==, '!');
  casyncio_close(a);
}

static void too_large(void) {
  int a = bound(), b = bound();
  casyncio_message to = message_to(b);
  char *large = calloc(1, 70000);
  CHECK(casyncio_send_message(a, large, 70000, &to), ==, -EMSGSIZE);
  free(large);
  casyncio_close(a);
  casyncio_close(b);
}

const struct test_case messages[] = {
    {"messages:senders", senders}, {"messages:empty-and-too-long", empty_and_too_long}, {"messages:nobody", nobody},
    {"messages:too-large", too_large}, {NULL, NULL}};
