#include "conformance.h"

#include <errno.h>
#include <stdatomic.h>

// Accepting: every connection once, from one operation or from several, also around its end.

struct server {
  address address;
  int listener;
  operation *accept;
  int count, handles[512];
  int64_t end;
};

static void on_connection(loop *loop, operation *operation, const casyncio_event *event) {
  struct server *server = operation->context;
  (void)loop;
  if (event->result < 0) {
    server->end = event->result;
    return;
  }
  int handle = (int)event->result;
  CHECK(server->count, <, 512);
  for (int i = 0; i < server->count; i++) CHECK(server->handles[i], !=, handle);
  server->handles[server->count++] = handle;
}

static struct server *make_server(int backlog) {
  struct server *server = make(sizeof *server);
  server->listener = tcp_listener(&server->address, backlog);
  server->accept = make_operation(on_connection, server);
  return server;
}

static void start_accepting(loop *loop, struct server *server) {
  casyncio_port_accept(loop->port, go_many(loop, server->accept), server->listener);
}

static int client_of(const struct server *server) {
  int handle = tcp_client(&server->address);
  CHECK(handle, >=, 0);
  return handle;
}

static void accept_until(loop *loop, struct server *server, int count) {
  int64_t limit = now() + 10LL * SECOND;
  while (server->count < count) {
    if (!server->accept->is_going) start_accepting(loop, server);
    pump(loop, 20 * MILLISECOND);
    CHECK(server->end, ==, 0);
    CHECK(now(), <, limit);
  }
}

static void stop(loop *loop, struct server *server) {
  if (!server->accept->is_going) return;
  casyncio_port_cancel(loop->port, &server->accept->record);
  finish(loop, server->accept);
  CHECK(server->end, ==, -ECANCELED);
}

static void close_server(struct server *server) {
  for (int i = 0; i < server->count; i++) close_handle(server->handles[i]);
  close_handle(server->listener);
}

static void one(void) {
  loop *loop = loop_open();
  struct server *server = make_server(8);
  start_accepting(loop, server);
  expect_nothing(loop);
  int client = client_of(server);
  accept_until(loop, server, 1);
  int handle = server->handles[0];
  CHECK_TRUE(is_non_blocking(handle));
  CHECK_TRUE(!is_inherited(handle));
  // A handle like any other.
  operation *receive = make_operation(NULL, NULL), *send = make_operation(NULL, NULL);
  char *bytes = make(4);
  CHECK(write_to(client, "ping", 4), ==, 4);
  casyncio_port_receive(loop->port, go(loop, receive), handle, bytes, 4);
  CHECK(finish(loop, receive), ==, 4);
  casyncio_port_send(loop->port, go(loop, send), handle, bytes, 4);
  CHECK(finish(loop, send), ==, 4);
  char answer[4];
  CHECK(read_from(client, answer, 4), ==, 4);
  CHECK(answer[0], ==, 'p');
  stop(loop, server);
  close_handle(client);
  close_server(server);
  loop_close(loop);
}

// With the multishot feature one operation is enough for all of them.
static void many(void) {
  loop *loop = loop_open();
  struct server *server = make_server(256);
  int clients[200];
  for (int i = 0; i < 100; i++) clients[i] = client_of(server);
  accept_until(loop, server, 100);
  for (int i = 100; i < 200; i++) {
    clients[i] = client_of(server);
    if (i % 7 == 0) accept_until(loop, server, i);
  }
  accept_until(loop, server, 200);
  expect_nothing(loop);
  CHECK(server->count, ==, 200);
  stop(loop, server);
  for (int i = 0; i < 200; i++) close_handle(clients[i]);
  close_server(server);
  loop_close(loop);
}

static void one_operation_for_many(void) {
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_MULTISHOT_ACCEPT, "one accept serves one connection here");
  struct server *server = make_server(8);
  start_accepting(loop, server);
  for (int i = 0; i < 50; i++) {
    int client = client_of(server);
    while (server->count <= i) pump(loop, 20 * MILLISECOND);
    CHECK(server->accept->is_going, ==, 1);
    close_handle(client);
  }
  CHECK(server->accept->ends, ==, 0);
  stop(loop, server);
  close_server(server);
  loop_close(loop);
}

// Connections that wait come together. One in a round, the last of many would wait for as many rounds of everything
// else.
static void waiting_come_together(void) {
  enum { COUNT = 60 };
  loop *loop = loop_open();
  needs(loop, CASYNCIO_PORT_MULTISHOT_ACCEPT, "one accept serves one connection here");
  struct server *server = make_server(COUNT);
  int clients[COUNT], rounds = 0;
  for (int i = 0; i < COUNT; i++) clients[i] = client_of(server);
  while (server->count < COUNT) {
    // An accept ends early when the port has no room for another event.
    if (!server->accept->is_going) start_accepting(loop, server);
    rounds++;
    CHECK(pump(loop, SECOND), >, 0);
  }
  int together = options.event_entries ? (int)options.event_entries : (int)loop->capacity;
  CHECK(rounds, <=, COUNT / together + 3);
  stop(loop, server);
  for (int i = 0; i < COUNT; i++) close_handle(clients[i]);
  close_server(server);
  loop_close(loop);
}

// A connection that is cut off before it is accepted does not end the accepting.
static void reset_before(void) {
  loop *loop = loop_open();
  struct server *server = make_server(8);
  for (int i = 0; i < 5; i++) close_with_reset(client_of(server));
  start_accepting(loop, server);
  for (int i = 0; i < 5; i++) pump(loop, MILLISECOND);
  int before = server->count, client = client_of(server);
  accept_until(loop, server, before + 1);
  stop(loop, server);
  close_handle(client);
  close_server(server);
  loop_close(loop);
}

static void cancelled(void) {
  loop *loop = loop_open();
  struct server *server = make_server(8);
  for (int i = 0; i < 30; i++) {
    start_accepting(loop, server);
    for (int n = i % 3; n > 0; n--) CHECK(pump(loop, 0), ==, 0);
    stop(loop, server);
    CHECK(server->accept->ends, ==, i + 1);
    server->end = 0;
  }
  // It has taken nothing, and takes nothing: the connection is for the next one.
  int client = client_of(server);
  expect_nothing(loop);
  CHECK(server->count, ==, 0);
  accept_until(loop, server, 1);
  stop(loop, server);
  close_handle(client);
  close_server(server);
  loop_close(loop);
}

static void no_listener(void) {
  loop *loop = loop_open();
  int handle = tcp_socket();
  operation *accept = make_operation(NULL, NULL);
  casyncio_port_accept(loop->port, go_many(loop, accept), handle);
  CHECK(finish(loop, accept), ==, -EINVAL);
  CHECK(accept->events, ==, 1);
  close_handle(handle);
  loop_close(loop);
}

// The listener is closed while the accept is with the system: it ends, and nobody listens any more.
static void closed_listener(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 4; i++) {
    struct server *server = make_server(8);
    start_accepting(loop, server);
    CHECK(pump(loop, 0), ==, 0);
    if (i % 2) {
      casyncio_port_cancel(loop->port, &server->accept->record);
      CHECK(casyncio_port_settle(loop->port), ==, 1);
    }
    close_handle(server->listener);
    if (i % 2 == 0) casyncio_port_cancel(loop->port, &server->accept->record);
    CHECK(finish(loop, server->accept), <, 0);
    CHECK(server->accept->events, ==, 1);
    CHECK(server->count, ==, 0);
    CHECK(tcp_client(&server->address), ==, -ECONNREFUSED);
  }
  loop_close(loop);
}

struct clients {
  const struct server *server;
  int count;
  _Atomic int has_finished;
};

static void *connect_them(void *argument) {
  struct clients *clients = argument;
  uint32_t state = 11;
  for (int i = 0; i < clients->count; i++) {
    int handle = tcp_client(&clients->server->address);
    if (handle < 0) {
      i--;
      continue;
    }
    // Gone only after it was accepted.
    char byte;
    read_from(handle, &byte, 1);
    close_with_reset(handle);
    pause_for(random_number(&state) % 50000);
  }
  atomic_store(&clients->has_finished, 1);
  return NULL;
}

// Cancelled at any moment while connections come: each one comes out of some accept.
static void cancelled_while_they_come(void) {
  loop *loop = loop_open();
  struct server *server = make_server(64);
  struct clients *clients = make(sizeof *clients);
  *clients = (struct clients){.server = server, .count = 1000};
  struct thread *thread = start_thread(connect_them, clients);
  uint32_t state = 3;
  int accepted = 0;
  int64_t limit = now() + 15LL * SECOND;
  while (accepted < clients->count) {
    start_accepting(loop, server);
    if (random_number(&state) % 2) pump(loop, random_number(&state) % 100000);
    casyncio_port_cancel(loop->port, &server->accept->record);
    finish(loop, server->accept);
    server->end = 0;
    accepted += server->count;
    for (int i = 0; i < server->count; i++) {
      CHECK(write_to(server->handles[i], "x", 1), ==, 1);
      close_handle(server->handles[i]);
    }
    server->count = 0;
    CHECK(now(), <, limit);
  }
  join_thread(thread);
  expect_nothing(loop);
  CHECK(accepted, ==, clients->count);
  close_server(server);
  loop_close(loop);
}

const struct test_case accept_cases[] = {
    {"accept:one", one},
    {"accept:many", many},
    {"accept:one-operation-for-many", one_operation_for_many},
    {"accept:waiting-come-together", waiting_come_together},
    {"accept:reset-before", reset_before},
    {"accept:cancelled", cancelled},
    {"accept:no-listener", no_listener},
    {"accept:closed-listener", closed_listener},
    {"accept:cancelled-while-they-come", cancelled_while_they_come},
    {NULL, NULL},
};
