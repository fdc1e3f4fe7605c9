#include "conformance.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

// Watching: one event, with the flags of what it is ready for, when the handle is ready or was from the start.

static int64_t watched(loop *loop, int handle, uint32_t events) {
  operation *watch = make_operation(NULL, NULL);
  casyncio_port_watch(loop->port, go(loop, watch), handle, events);
  int64_t result = finish(loop, watch);
  CHECK(watch->events, ==, 1);
  return result;
}

// What a watch says that has been waiting when `act` is called.
static int64_t watched_while(loop *loop, int handle, uint32_t events, void (*act)(int), int argument) {
  operation *watch = make_operation(NULL, NULL);
  casyncio_port_watch(loop->port, go(loop, watch), handle, events);
  CHECK(pump(loop, 0), ==, 0);
  CHECK(pump(loop, MILLISECOND), ==, 0);
  act(argument);
  int64_t result = finish(loop, watch);
  CHECK(watch->events, ==, 1);
  return result;
}

static void write_byte(int handle) { CHECK(write(handle, "x", 1), ==, 1); }
static void read_all(int handle) {
  char bytes[65536];
  while (read(handle, bytes, sizeof bytes) > 0) {}
}
static void close_it(int handle) { close(handle); }

static void sockets(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 2; i++) {
    int ends[2];
    if (i == 0) {
      local_pair(ends);
    } else {
      tcp_pair(ends);
    }
    CHECK(watched(loop, ends[0], CASYNCIO_WRITABLE), ==, CASYNCIO_WRITABLE);
    CHECK(watched(loop, ends[0], CASYNCIO_READABLE | CASYNCIO_WRITABLE), ==, CASYNCIO_WRITABLE);
    CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, write_byte, ends[1]), ==, CASYNCIO_READABLE);
    // Takes no bytes: it is still readable.
    for (int n = 0; n < 3; n++) CHECK(watched(loop, ends[0], CASYNCIO_READABLE), ==, CASYNCIO_READABLE);
    CHECK(watched(loop, ends[0], CASYNCIO_READABLE | CASYNCIO_WRITABLE), ==, CASYNCIO_READABLE | CASYNCIO_WRITABLE);
    read_all(ends[0]);
    CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, write_byte, ends[1]), ==, CASYNCIO_READABLE);
    read_all(ends[0]);
    put(ends[0], 0, 0, UINT64_MAX);
    if (i == 0) CHECK_TRUE(watched_while(loop, ends[0], CASYNCIO_WRITABLE, read_all, ends[1]) & CASYNCIO_WRITABLE);
    CHECK_TRUE(watched_while(loop, ends[0], CASYNCIO_READABLE, close_it, ends[1]) & CASYNCIO_READABLE);
    close(ends[0]);
  }
  loop_close(loop);
}

// HUP and ERR come unasked.
static void pipes(void) {
  loop *loop = loop_open();
  int ends[2];
  pipe_pair(ends, 1);
  CHECK(watched(loop, ends[1], CASYNCIO_WRITABLE), ==, CASYNCIO_WRITABLE);
  CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, write_byte, ends[1]), ==, CASYNCIO_READABLE);
  read_all(ends[0]);
  CHECK(watched_while(loop, ends[0], CASYNCIO_READABLE, close_it, ends[1]) & CASYNCIO_HANGUP, ==, CASYNCIO_HANGUP);
  CHECK(watched(loop, ends[0], CASYNCIO_READABLE) & CASYNCIO_HANGUP, ==, CASYNCIO_HANGUP);
  close(ends[0]);
  pipe_pair(ends, 1);
  put(ends[1], 0, 0, UINT64_MAX);
  CHECK(watched_while(loop, ends[1], CASYNCIO_WRITABLE, close_it, ends[0]) & CASYNCIO_ERROR, ==, CASYNCIO_ERROR);
  close(ends[1]);
  loop_close(loop);
}

static void listener(void) {
  loop *loop = loop_open();
  struct sockaddr_storage address;
  socklen_t length;
  int listener = tcp_listener(&address, &length, 4), client = tcp_socket();
  operation *watch = make_operation(NULL, NULL);
  casyncio_port_watch(loop->port, go(loop, watch), listener, CASYNCIO_READABLE);
  CHECK(pump(loop, MILLISECOND), ==, 0);
  connect(client, (struct sockaddr *)&address, length);
  CHECK(finish(loop, watch), ==, CASYNCIO_READABLE);
  close(accept(listener, NULL, NULL));
  close(client);
  close(listener);
  loop_close(loop);
}

static void cancelled(void) {
  loop *loop = loop_open();
  int ends[2];
  local_pair(ends);
  for (int i = 0; i < 100; i++) {
    operation *watch = make_operation(NULL, NULL);
    casyncio_port_watch(loop->port, go(loop, watch), ends[0], CASYNCIO_READABLE);
    for (int n = i % 3; n > 0; n--) CHECK(pump(loop, 0), ==, 0);
    if (i % 5 == 4) write_byte(ends[1]);
    casyncio_port_cancel(loop->port, &watch->record);
    int64_t result = finish(loop, watch);
    CHECK_TRUE(result == -ECANCELED || (i % 5 == 4 && result == CASYNCIO_READABLE));
    CHECK(watch->events, ==, 1);
    read_all(ends[0]);
  }
  expect_nothing(loop);
  close_both(ends);
  loop_close(loop);
}

#if defined(__linux__) && defined(SYS_pidfd_open)
static void process(void) {
  loop *loop = loop_open();
  for (int i = 0; i < 4; i++) {
    int gate[2];
    CHECK(pipe(gate), ==, 0);
    pid_t child = fork();
    if (child == 0) {
      char byte;
      close(gate[1]);
      ssize_t n = read(gate[0], &byte, 1);
      _exit(n == 0 ? 7 : 8);
    }
    CHECK(child, >, 0);
    close(gate[0]);
    int handle = (int)syscall(SYS_pidfd_open, child, 0);
    CHECK(handle, >=, 0);
    operation *watch = make_operation(NULL, NULL);
    casyncio_port_watch(loop->port, go(loop, watch), handle, CASYNCIO_READABLE);
    if (i == 1) {
      casyncio_port_cancel(loop->port, &watch->record);
      CHECK(finish(loop, watch), ==, -ECANCELED);
      casyncio_port_watch(loop->port, go(loop, watch), handle, CASYNCIO_READABLE);
    }
    CHECK(pump(loop, MILLISECOND), ==, 0);
    close(gate[1]);
    CHECK(finish(loop, watch) & CASYNCIO_READABLE, ==, CASYNCIO_READABLE);
    int status = 0;
    CHECK(waitpid(child, &status, WNOHANG), ==, child);
    CHECK(WEXITSTATUS(status), ==, 7);
    close(handle);
  }
  loop_close(loop);
}
#endif

const struct test_case watch_cases[] = {
    {"watch:sockets", sockets},
    {"watch:pipes", pipes},
    {"watch:listener", listener},
    {"watch:cancelled", cancelled},
#if defined(__linux__) && defined(SYS_pidfd_open)
    {"watch:process", process},
#endif
    {NULL, NULL},
};
