#include "conformance.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

// Connecting: what it says, once, and what a socket is good for afterwards.

static void succeeds(int is_non_blocking) {
  struct sockaddr_storage address;
  socklen_t length;
  int listener = tcp_listener(&address, &length, 8);
  loop *loop = loop_open();
  operation *connect = make_operation(NULL, NULL);
  for (int i = 0; i < 20; i++) {
    int handle = tcp_socket();
    set_non_blocking(handle, is_non_blocking);
    casyncio_port_connect(loop->port, go(loop, connect), handle, &address, length);
    CHECK(finish(loop, connect), ==, 0);
    CHECK(connect->ends, ==, i + 1);
    set_non_blocking(listener, 0);
    int peer = accept(listener, NULL, NULL);
    CHECK(peer, >=, 0);
    CHECK(put(peer, 1, 0, 100), ==, 100);
    close(peer);
    set_non_blocking(handle, 0);
    CHECK(take(handle, 1, 0), ==, 100);
    close(handle);
  }
  close(listener);
  loop_close(loop);
}

static void non_blocking(void) { succeeds(1); }
static void blocking(void) { succeeds(0); }

static void refused(void) {
  struct sockaddr_storage address;
  socklen_t length;
  close(tcp_listener(&address, &length, 1));
  loop *loop = loop_open();
  operation *connect = make_operation(NULL, NULL);
  for (int i = 0; i < 20; i++) {
    int handle = tcp_socket();
    set_non_blocking(handle, i % 2);
    casyncio_port_connect(loop->port, go(loop, connect), handle, &address, length);
    CHECK(finish(loop, connect), ==, -ECONNREFUSED);
    close(handle);
  }
  // All at the same time.
  operation *many[20];
  int handles[20];
  for (int i = 0; i < 20; i++) {
    many[i] = make_operation(NULL, NULL);
    handles[i] = tcp_socket();
    casyncio_port_connect(loop->port, go(loop, many[i]), handles[i], &address, length);
  }
  drain(loop);
  for (int i = 0; i < 20; i++) {
    CHECK(many[i]->result, ==, -ECONNREFUSED);
    CHECK(many[i]->ends, ==, 1);
    close(handles[i]);
  }
  loop_close(loop);
}

static void to_nowhere(void) {
  loop *loop = loop_open();
  int handle = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un *address = make(sizeof *address);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
  operation *connect = make_operation(NULL, NULL);
  casyncio_port_connect(loop->port, go(loop, connect), handle, address, sizeof *address);
  CHECK(finish(loop, connect), ==, -ENOENT);
  close(handle);
  loop_close(loop);
}

// A listener with no place for another connection: attempts at it go on for a long time.
struct full_listener {
  struct sockaddr_storage address;
  socklen_t length;
  int handle, count, clients[64];
};

static struct full_listener *fill_listener(void) {
  struct full_listener *full = make(sizeof *full);
  full->handle = tcp_listener(&full->address, &full->length, 0);
  // Those that have a place are connected soon.
  for (int connected = 1; connected && full->count < 64;) {
    int client = tcp_socket();
    full->clients[full->count++] = client;
    connect(client, (struct sockaddr *)&full->address, full->length);
    connected = 0;
    for (int i = 0; i < 20 && !connected; i++) {
      struct sockaddr_storage peer;
      socklen_t length = sizeof peer;
      connected = getpeername(client, (struct sockaddr *)&peer, &length) == 0;
      if (!connected) pause_for(MILLISECOND);
    }
  }
  return full;
}

static void close_listener(struct full_listener *full) {
  for (int i = 0; i < full->count; i++) close(full->clients[i]);
  close(full->handle);
}

static void cancelled(void) {
  struct full_listener *full = fill_listener();
  loop *loop = loop_open();
  for (int i = 0; i < 20; i++) {
    int handle = tcp_socket();
    set_non_blocking(handle, i % 2);
    operation *connect = make_operation(NULL, NULL);
    casyncio_port_connect(loop->port, go(loop, connect), handle, &full->address, full->length);
    for (int n = i % 4; n > 0; n--) pump(loop, 0);
    CHECK(connect->is_going, ==, 1);
    int64_t start = now();
    casyncio_port_cancel(loop->port, &connect->record);
    CHECK(finish(loop, connect), ==, -ECANCELED);
    CHECK(now() - start, <, SECOND);
    CHECK(connect->ends, ==, 1);
    close(handle);
  }
  expect_nothing(loop);
  close_listener(full);
  loop_close(loop);
}

// What is cancelled too late has happened.
static void cancelled_after_its_end(void) {
  struct sockaddr_storage address;
  socklen_t length;
  int listener = tcp_listener(&address, &length, 8);
  loop *loop = loop_open();
  for (int i = 0; i < 50; i++) {
    int handle = tcp_socket();
    operation *connect = make_operation(NULL, NULL);
    casyncio_port_connect(loop->port, go(loop, connect), handle, &address, length);
    for (int n = i % 3; n > 0; n--) pump(loop, 0);
    casyncio_port_cancel(loop->port, &connect->record);
    int64_t result = finish(loop, connect);
    CHECK_TRUE(result == 0 || result == -ECANCELED);
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (result == 0) CHECK(getpeername(handle, (struct sockaddr *)&peer, &size), ==, 0);
    close(handle);
    int client = accept(listener, NULL, NULL);
    if (client >= 0) close(client);
  }
  close(listener);
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
