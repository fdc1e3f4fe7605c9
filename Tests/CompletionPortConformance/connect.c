#include "conformance.h"

#include <errno.h>

// Connecting: what it says, once, and what a socket is good for afterwards.

static void succeeds(int is_non_blocking) {
  address address;
  int listener = tcp_listener(&address, 8);
  loop *loop = loop_open();
  operation *connect = make_operation(NULL, NULL);
  for (int i = 0; i < 20; i++) {
    int handle = tcp_socket();
    set_non_blocking(handle, is_non_blocking);
    casyncio_port_connect(loop->port, go(loop, connect), handle, address.bytes, address.length);
    CHECK(finish(loop, connect), ==, 0);
    CHECK(connect->ends, ==, i + 1);
    set_non_blocking(listener, 0);
    int peer = accept_from(listener);
    CHECK(peer, >=, 0);
    CHECK(put(peer, 1, 0, 100), ==, 100);
    close_handle(peer);
    set_non_blocking(handle, 0);
    CHECK(take(handle, 1, 0), ==, 100);
    close_handle(handle);
  }
  close_handle(listener);
  loop_close(loop);
}

static void non_blocking(void) { succeeds(1); }
static void blocking(void) { succeeds(0); }

static void refused(void) {
  address address;
  close_handle(tcp_listener(&address, 1));
  loop *loop = loop_open();
  operation *connect = make_operation(NULL, NULL);
  for (int i = 0; i < 20; i++) {
    int handle = tcp_socket();
    set_non_blocking(handle, i % 2);
    casyncio_port_connect(loop->port, go(loop, connect), handle, address.bytes, address.length);
    CHECK(finish(loop, connect), ==, -ECONNREFUSED);
    close_handle(handle);
  }
  // All at the same time.
  operation *many[20];
  int handles[20];
  for (int i = 0; i < 20; i++) {
    many[i] = make_operation(NULL, NULL);
    handles[i] = tcp_socket();
    casyncio_port_connect(loop->port, go(loop, many[i]), handles[i], address.bytes, address.length);
  }
  drain(loop);
  for (int i = 0; i < 20; i++) {
    CHECK(many[i]->result, ==, -ECONNREFUSED);
    CHECK(many[i]->ends, ==, 1);
    close_handle(handles[i]);
  }
  loop_close(loop);
}

static void to_nowhere(void) {
  needs_of_system(LOCAL_SOCKETS);
  loop *loop = loop_open();
  address *address = make(sizeof *address);
  int handle = local_socket(address);
  operation *connect = make_operation(NULL, NULL);
  casyncio_port_connect(loop->port, go(loop, connect), handle, address->bytes, address->length);
  CHECK(finish(loop, connect), ==, -ENOENT);
  close_handle(handle);
  loop_close(loop);
}

// A listener with no place for another connection: attempts at it go on for a long time.
struct full_listener {
  address address;
  int handle, count, clients[64];
};

static struct full_listener *fill_listener(void) {
  struct full_listener *full = make(sizeof *full);
  full->handle = tcp_listener(&full->address, 0);
  // Those that have a place are connected soon.
  for (int connected = 1; connected && full->count < 64;) {
    int client = tcp_socket();
    full->clients[full->count++] = client;
    connect_to(client, &full->address);
    connected = 0;
    for (int i = 0; i < 20 && !connected; i++) {
      connected = is_connected(client);
      if (!connected) pause_for(MILLISECOND);
    }
  }
  return full;
}

static void close_listener(struct full_listener *full) {
  for (int i = 0; i < full->count; i++) close_handle(full->clients[i]);
  close_handle(full->handle);
}

static void cancelled(void) {
  struct full_listener *full = fill_listener();
  loop *loop = loop_open();
  for (int i = 0; i < 20; i++) {
    int handle = tcp_socket();
    set_non_blocking(handle, i % 2);
    operation *connect = make_operation(NULL, NULL);
    casyncio_port_connect(loop->port, go(loop, connect), handle, full->address.bytes, full->address.length);
    for (int n = i % 4; n > 0; n--) pump(loop, 0);
    CHECK(connect->is_going, ==, 1);
    int64_t start = now();
    casyncio_port_cancel(loop->port, &connect->record);
    CHECK(finish(loop, connect), ==, -ECANCELED);
    CHECK(now() - start, <, SECOND);
    CHECK(connect->ends, ==, 1);
    close_handle(handle);
  }
  expect_nothing(loop);
  close_listener(full);
  loop_close(loop);
}

// What is cancelled too late has happened.
static void cancelled_after_its_end(void) {
  address address;
  int listener = tcp_listener(&address, 8);
  loop *loop = loop_open();
  for (int i = 0; i < 50; i++) {
    int handle = tcp_socket();
    operation *connect = make_operation(NULL, NULL);
    casyncio_port_connect(loop->port, go(loop, connect), handle, address.bytes, address.length);
    for (int n = i % 3; n > 0; n--) pump(loop, 0);
    casyncio_port_cancel(loop->port, &connect->record);
    int64_t result = finish(loop, connect);
    CHECK_TRUE(result == 0 || result == -ECANCELED);
    if (result == 0) CHECK_TRUE(is_connected(handle));
    close_handle(handle);
    int client = accept_from(listener);
    if (client >= 0) close_handle(client);
  }
  close_handle(listener);
  loop_close(loop);
}

const struct test_case connect_cases[] = {
    {"connect:non-blocking", non_blocking},
    {"connect:blocking", blocking},
    {"connect:refused", refused},
    {"connect:to-nowhere", to_nowhere},
    {"connect:cancelled", cancelled},
    {"connect:cancelled-after-its-end", cancelled_after_its_end},
    {NULL, NULL},
};
