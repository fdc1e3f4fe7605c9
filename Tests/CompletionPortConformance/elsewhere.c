#include "conformance.h"

#include <errno.h>
#include <string.h>

// A handle that another port has used goes on with this one: it may be tied to the other for life, and nobody notices.
// And handles that are not what the operation is for.

struct two {
  loop *old, *new;
};

static struct two open_two(void) { return (struct two){.old = loop_open(), .new = loop_open()}; }

static void close_two(struct two two) {
  expect_nothing(two.old);
  expect_nothing(two.new);
  loop_close(two.old);
  loop_close(two.new);
}

// One message, received through a port.
static void receive_one(loop *loop, int handle, int peer, int is_there) {
  operation *receive = make_operation(NULL, NULL);
  char *bytes = make(8);
  if (is_there) CHECK(write_to(peer, "ping", 4), ==, 4);
  casyncio_port_receive(loop->port, go(loop, receive), handle, bytes, 8);
  if (!is_there) {
    CHECK(pump(loop, 0), ==, 0);
    CHECK(pump(loop, MILLISECOND), ==, 0);
    CHECK(write_to(peer, "ping", 4), ==, 4);
  }
  CHECK(finish(loop, receive), ==, 4);
  CHECK(memcmp(bytes, "ping", 4), ==, 0);
}

static int64_t receive_result(loop *loop, int handle) {
  operation *receive = make_operation(NULL, NULL);
  casyncio_port_receive(loop->port, go(loop, receive), handle, make(8), 8);
  return finish(loop, receive);
}

static void receiving(void) {
  struct two two = open_two();
  for (int i = 0; i < 8; i++) {
    int ends[2];
    tcp_pair(ends);
    receive_one(two.old, ends[0], ends[1], i & 1);
    for (int n = 0; n < 5; n++) receive_one(two.new, ends[0], ends[1], n & 1);
    // And back.
    receive_one(two.old, ends[0], ends[1], i & 2);
    if (i & 4) {
      close_handle(ends[1]);
      CHECK(receive_result(two.new, ends[0]), ==, 0);
    } else {
      close_with_reset(ends[1]);
      CHECK(receive_result(two.new, ends[0]), ==, -ECONNRESET);
    }
    close_handle(ends[0]);
  }
  close_two(two);
}

// The same record goes on with the handle, as that of a stream does.
static void receiving_often(void) {
  struct two two = open_two();
  int ends[2];
  tcp_pair(ends);
  receive_one(two.old, ends[0], ends[1], 0);
  operation *receive = make_operation(NULL, NULL);
  char *bytes = make(8);
  for (int i = 0; i < 200; i++) {
    casyncio_port_receive(two.new->port, go(two.new, receive), ends[0], bytes, 8);
    if (i % 5 == 0) {
      for (int n = i % 3; n > 0; n--) CHECK(pump(two.new, 0), ==, 0);
      casyncio_port_cancel(two.new->port, &receive->record);
      CHECK(finish(two.new, receive), ==, -ECANCELED);
      continue;
    }
    CHECK(put(ends[1], 0, 0, 3), ==, 3);
    CHECK(finish(two.new, receive), ==, 3);
  }
  close_both(ends);
  close_two(two);
}

static void sending(void) {
  enum { SIZE = 4 * 1024 * 1024 };
  struct two two = open_two();
  int ends[2];
  tcp_pair(ends);
  receive_one(two.old, ends[0], ends[1], 0);
  uint8_t *bytes = make(SIZE);
  fill_pattern(bytes, SIZE, 3, 0);
  operation *send = make_operation(NULL, NULL);
  casyncio_port_send(two.new->port, go(two.new, send), ends[0], bytes, SIZE);
  for (uint64_t taken = 0; taken < SIZE;) {
    taken += take(ends[1], 3, taken);
    pump(two.new, 100000);
  }
  CHECK(finish(two.new, send), ==, SIZE);
  close_both(ends);
  close_two(two);
}

static void count_connection(loop *loop, operation *operation, const casyncio_event *event) {
  (void)loop;
  if (event->result < 0) return;
  ++*(int *)operation->context;
  close_handle((int)event->result);
}

static void accept_some(loop *loop, int listener, const address *address) {
  int accepted = 0;
  operation *accept = make_operation(count_connection, &accepted);
  for (int i = 1; i <= 10; i++) {
    if (!accept->is_going) casyncio_port_accept(loop->port, go_many(loop, accept), listener);
    if (i % 2) CHECK(pump(loop, 0), ==, 0);
    int client = tcp_client(address);
    CHECK(client, >=, 0);
    int64_t limit = now() + 5LL * SECOND;
    while (accepted < i) {
      if (!accept->is_going) casyncio_port_accept(loop->port, go_many(loop, accept), listener);
      pump(loop, 20 * MILLISECOND);
      CHECK(now(), <, limit);
    }
    close_handle(client);
  }
  if (!accept->is_going) return;
  casyncio_port_cancel(loop->port, &accept->record);
  CHECK(finish(loop, accept), ==, -ECANCELED);
}

static void accepting(void) {
  struct two two = open_two();
  address address;
  int listener = tcp_listener(&address, 16);
  accept_some(two.old, listener, &address);
  accept_some(two.new, listener, &address);
  accept_some(two.old, listener, &address);
  close_handle(listener);
  close_two(two);
}

// A socket that some port has tried to receive from before it was connected.
static int used_socket(loop *loop) {
  int handle = tcp_socket();
  CHECK(receive_result(loop, handle), <, 0);
  return handle;
}

static void connecting(void) {
  struct two two = open_two();
  address address;
  int listener = tcp_listener(&address, 16);
  for (int i = 0; i < 10; i++) {
    int handle = used_socket(two.old);
    operation *connect = make_operation(NULL, NULL);
    casyncio_port_connect(two.new->port, go(two.new, connect), handle, address.bytes, address.length);
    CHECK(finish(two.new, connect), ==, 0);
    CHECK_TRUE(is_connected(handle));
    close_handle(handle);
  }
  close_handle(listener);
  close_two(two);
}

static void connecting_to_nobody(void) {
  struct two two = open_two();
  address address;
  close_handle(tcp_listener(&address, 1));
  int handle = used_socket(two.old);
  operation *connect = make_operation(NULL, NULL);
  casyncio_port_connect(two.new->port, go(two.new, connect), handle, address.bytes, address.length);
  CHECK(finish(two.new, connect), ==, -ECONNREFUSED);
  close_handle(handle);
  close_two(two);
}

static int64_t read_result(loop *loop, int handle, void *bytes) {
  operation *read = make_operation(NULL, NULL);
  casyncio_port_read(loop->port, go(loop, read), handle, bytes, 8);
  return finish(loop, read);
}

static void pipes(void) {
  enum { SIZE = 300000 };
  struct two two = open_two();
  int ends[2];
  pipe_pair(ends, 1);
  uint8_t *bytes = make(SIZE);
  fill_pattern(bytes, SIZE, 4, 0);
  CHECK(put(ends[1], 4, 0, 8), ==, 8);
  CHECK(read_result(two.old, ends[0], make(8)), ==, 8);
  operation *write = make_operation(NULL, NULL), *read = make_operation(NULL, NULL);
  casyncio_port_write(two.old->port, go(two.old, write), ends[1], "x", 1);
  CHECK(finish(two.old, write), ==, 1);
  CHECK(read_result(two.new, ends[0], make(8)), ==, 1);
  // Nothing is there: it waits, is cancelled, and waits for what comes.
  char *room = make(4096);
  casyncio_port_read(two.new->port, go(two.new, read), ends[0], room, 4096);
  CHECK(pump(two.new, MILLISECOND), ==, 0);
  casyncio_port_cancel(two.new->port, &read->record);
  CHECK(finish(two.new, read), ==, -ECANCELED);
  operation *other = make_operation(NULL, NULL);
  casyncio_port_write(two.new->port, go(two.new, other), ends[1], bytes, SIZE);
  for (uint64_t taken = 0; taken < SIZE;) {
    casyncio_port_read(two.new->port, go(two.new, read), ends[0], room, 4096);
    int64_t n = finish(two.new, read);
    CHECK(n, >, 0);
    CHECK(pattern_breaks((uint8_t *)room, (size_t)n, 4, taken), ==, -1);
    taken += (uint64_t)n;
  }
  CHECK(finish(two.new, other), ==, SIZE);
  close_both(ends);
  close_two(two);
}

static void no_socket(void) {
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, 1);
  address *address = make(sizeof *address);
  address_of_nobody(address);
  CHECK(receive_result(loop, ends[0]), ==, -ENOTSOCK);
  operation *send = make_operation(NULL, NULL), *connect = make_operation(NULL, NULL);
  casyncio_port_send(loop->port, go(loop, send), ends[1], "x", 1);
  CHECK(finish(loop, send), ==, -ENOTSOCK);
  operation *accept = make_operation(NULL, NULL);
  casyncio_port_accept(loop->port, go_many(loop, accept), ends[0]);
  CHECK(finish(loop, accept), ==, -ENOTSOCK);
  casyncio_port_connect(loop->port, go(loop, connect), ends[1], address->bytes, address->length);
  CHECK(finish(loop, connect), ==, -ENOTSOCK);
  close_both(ends);
  loop_close(loop);
}

const struct test_case elsewhere_cases[] = {
    {"elsewhere:receiving", receiving},
    {"elsewhere:receiving-often", receiving_often},
    {"elsewhere:sending", sending},
    {"elsewhere:accepting", accepting},
    {"elsewhere:connecting", connecting},
    {"elsewhere:connecting-to-nobody", connecting_to_nobody},
    {"elsewhere:pipes", pipes},
    {"elsewhere:no-socket", no_socket},
    {NULL, NULL},
};
