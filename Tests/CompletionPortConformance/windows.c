#include "conformance.h"

// What can be said of the port on Windows only: how its errors are translated, and how often it calls the system.

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>

#include <errno.h>
#include <windows.h>

// Of the port's own; see iocp.h.
int win32_negated(DWORD error);
int iocp_negated_status(LONG status);

static void errors(void) {
  static const struct {
    DWORD error;
    int number;
  } all[] = {
      {ERROR_SUCCESS, 0},
      {WSAECONNREFUSED, ECONNREFUSED},
      {ERROR_CONNECTION_REFUSED, ECONNREFUSED},
      {WSAECONNRESET, ECONNRESET},
      {ERROR_NETNAME_DELETED, ECONNRESET},
      {WSAECONNABORTED, ECONNABORTED},
      {ERROR_CONNECTION_ABORTED, ECONNABORTED},
      {WSAESHUTDOWN, EPIPE},
      {ERROR_NO_DATA, EPIPE},
      {ERROR_BROKEN_PIPE, EPIPE},
      {WSAEWOULDBLOCK, EAGAIN},
      {WSAENOTSOCK, ENOTSOCK},
      {ERROR_INVALID_HANDLE, EBADF},
      {WSAEMFILE, EMFILE},
      {WSAENOBUFS, ENOBUFS},
      {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
      {WSAEADDRINUSE, EADDRINUSE},
      {WSAEADDRNOTAVAIL, EADDRNOTAVAIL},
      {WSAEAFNOSUPPORT, EAFNOSUPPORT},
      {WSAEACCES, EACCES},
      {ERROR_ACCESS_DENIED, EACCES},
      {WSAEHOSTDOWN, EHOSTUNREACH},
      {WSAEHOSTUNREACH, EHOSTUNREACH},
      {ERROR_HOST_UNREACHABLE, EHOSTUNREACH},
      {WSAENETUNREACH, ENETUNREACH},
      {ERROR_NETWORK_UNREACHABLE, ENETUNREACH},
      {WSAETIMEDOUT, ETIMEDOUT},
      {ERROR_SEM_TIMEOUT, ETIMEDOUT},
      {ERROR_OPERATION_ABORTED, ECANCELED},
      {WSAEINVAL, EINVAL},
      {WSAENOTCONN, ENOTCONN},
      {WSAEISCONN, EISCONN},
      {0x12345678, EIO},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) CHECK(win32_negated(all[i].error), ==, -all[i].number);
  // Cancelled, reset, aborted, refused, timed out, in use, and what only the system's own translation knows.
  CHECK(iocp_negated_status(0), ==, 0);
  CHECK(iocp_negated_status((LONG)0xc0000120), ==, -ECANCELED);
  CHECK(iocp_negated_status((LONG)0xc000020d), ==, -ECONNRESET);
  CHECK(iocp_negated_status((LONG)0xc0000241), ==, -ECONNABORTED);
  CHECK(iocp_negated_status((LONG)0xc0000236), ==, -ECONNREFUSED);
  CHECK(iocp_negated_status((LONG)0xc00000b5), ==, -ETIMEDOUT);
  CHECK(iocp_negated_status((LONG)0xc000020a), ==, -EADDRINUSE);
  CHECK(iocp_negated_status((LONG)0xc0000022), ==, -EACCES);
}

// MARK: Calls

enum { MESSAGES = 200 };

// What an echo of many messages has called. `is_there`: a message has come before it is received.
static casyncio_port_calls calls_of_echo(int is_there) {
  loop *loop = loop_open();
  int ends[2];
  tcp_pair(ends);
  operation *receive = make_operation(NULL, NULL), *send = make_operation(NULL, NULL);
  char *bytes = make(64);
  casyncio_port_calls before = {0}, after;
  // What is done once for a handle is over after the first.
  for (int i = 0; i <= MESSAGES; i++) {
    if (i == 1) before = casyncio_port_count_calls(loop->port);
    if (is_there) CHECK(put(ends[1], 0, 0, 50), ==, 50);
    casyncio_port_receive(loop->port, go(loop, receive), ends[0], bytes, 64);
    if (!is_there) CHECK(put(ends[1], 0, 0, 50), ==, 50);
    CHECK(finish(loop, receive), ==, 50);
    casyncio_port_send(loop->port, go(loop, send), ends[0], bytes, 50);
    CHECK(finish(loop, send), ==, 50);
    CHECK(read_from(ends[1], bytes, 64), ==, 50);
  }
  after = casyncio_port_count_calls(loop->port);
  close_both(ends);
  loop_close(loop);
  return (casyncio_port_calls){
      .waits = after.waits - before.waits, .wakes = after.wakes - before.wakes,
      .receives = after.receives - before.receives, .sends = after.sends - before.sends,
      .polls = after.polls - before.polls, .others = after.others - before.others};
}

// One receive and one send for each message, and one wait if it has to be waited for.
static void calls_of_a_message(void) {
  for (int is_there = 0; is_there < 2; is_there++) {
    casyncio_port_calls calls = calls_of_echo(is_there);
    CHECK(calls.receives, ==, MESSAGES);
    CHECK(calls.sends, ==, MESSAGES);
    CHECK(calls.polls, ==, 0);
    CHECK(calls.others, ==, 0);
    CHECK(calls.wakes, ==, 0);
    CHECK(calls.waits, <=, is_there ? 0 : MESSAGES + MESSAGES / 10);
  }
}

// A wake by the thread that drives the port makes no call, and ends the next wait without one.
static void wakes_inside_a_turn(void) {
  loop *loop = loop_open();
  casyncio_port_calls before = casyncio_port_count_calls(loop->port);
  for (int i = 0; i < 100; i++) {
    for (int n = 0; n < 3; n++) casyncio_port_wake(loop->port);
    CHECK(pump(loop, -1), ==, 0);
  }
  casyncio_port_calls after = casyncio_port_count_calls(loop->port);
  CHECK(after.wakes - before.wakes, ==, 0);
  CHECK(after.waits - before.waits, ==, 0);
  loop_close(loop);
}

const struct test_case windows_cases[] = {
    {"windows:errors", errors},
    {"windows:calls-of-a-message", calls_of_a_message},
    {"windows:wakes-inside-a-turn", wakes_inside_a_turn},
    {NULL, NULL},
};
#else
const struct test_case windows_cases[] = {{NULL, NULL}};
#endif
