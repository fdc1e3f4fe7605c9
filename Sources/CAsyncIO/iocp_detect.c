#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>
#include <string.h>

// Whether completion ports can be trusted here. They are part of every Windows; what may be in the way is a provider of
// sockets above the system's, and systems that only imitate it. So the port is used: a connection to itself, with an
// operation of each kind, and a wait that is cancelled.

// Wait for the event of one record. Nothing takes longer than the limit unless something is broken.
static int64_t event_of(casyncio_port *port, const casyncio_record *record) {
  casyncio_event event;
  for (int i = 0; i < 100; i++) {
    int n = casyncio_port_reap(port, &event, 1, 20000000);
    if (n < 0) return n;
    if (n == 1 && event.record == record) return event.result;
  }
  return -ETIMEDOUT;
}

struct test {
  casyncio_record accept, connect, receive, send, watch;
  SOCKET listener, client, server;
  struct sockaddr_in address;
  char room[8];
};

static int64_t listen_and_connect(casyncio_port *port, struct test *test) {
  int length = sizeof test->address;
  test->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr *address = (struct sockaddr *)&test->address;
  if (bind(test->listener, address, length) || listen(test->listener, 1) ||
      getsockname(test->listener, address, &length)) {
    return win32_negated((DWORD)WSAGetLastError());
  }
  casyncio_port_accept(port, &test->accept, win32_number((HANDLE)test->listener));
  casyncio_port_connect(port, &test->connect, win32_number((HANDLE)test->client), address, (uint32_t)length);
  // Either may be the first; both are waited for by the accept, which is looked at later.
  int64_t accepted = -ETIMEDOUT, connected = -ETIMEDOUT;
  for (int i = 0; i < 100 && (accepted == -ETIMEDOUT || connected == -ETIMEDOUT); i++) {
    casyncio_event event;
    int n = casyncio_port_reap(port, &event, 1, 20000000);
    if (n < 0) return n;
    if (n == 1 && event.record == &test->accept && accepted == -ETIMEDOUT) accepted = event.result;
    if (n == 1 && event.record == &test->connect) connected = event.result;
  }
  if (accepted >= 0) test->server = (SOCKET)accepted;
  return accepted < 0 ? accepted : connected;
}

static int64_t round_trip(casyncio_port *port, struct test *test) {
  int64_t result = listen_and_connect(port, test);
  if (result < 0) return result;
  casyncio_port_receive(port, &test->receive, win32_number((HANDLE)test->server), test->room, sizeof test->room);
  casyncio_port_send(port, &test->send, win32_number((HANDLE)test->client), "ping", 4);
  result = event_of(port, &test->send);
  if (result != 4) return result < 0 ? result : -EIO;
  result = event_of(port, &test->receive);
  if (result != 4) return result < 0 ? result : -EIO;
  if (memcmp(test->room, "ping", 4) != 0) return -EIO;
  casyncio_port_watch(port, &test->watch, win32_number((HANDLE)test->server), CASYNCIO_READABLE);
  casyncio_port_cancel(port, &test->watch);
  result = event_of(port, &test->watch);
  return result == -ECANCELED ? 0 : -EIO;
}

static int64_t self_test(casyncio_port *port) {
  struct test test;
  memset(&test, 0, sizeof test);
  test.listener = win32_make_socket(AF_INET, SOCK_STREAM, 0);
  test.client = win32_make_socket(AF_INET, SOCK_STREAM, 0);
  test.server = INVALID_SOCKET;
  int64_t result = -EMFILE;
  if (test.listener != INVALID_SOCKET && test.client != INVALID_SOCKET) result = round_trip(port, &test);
  // The records are on this stack: nothing may be left in flight.
  casyncio_port_cancel_all(port);
  casyncio_event event;
  for (int i = 0; i < 100 && casyncio_port_in_flight(port) > 0; i++) {
    int n = casyncio_port_reap(port, &event, 1, 20000000);
    // Anybody may have connected.
    if (n == 1 && event.record == &test.accept && event.result >= 0) closesocket((SOCKET)event.result);
  }
  if (test.listener != INVALID_SOCKET) closesocket(test.listener);
  if (test.client != INVALID_SOCKET) closesocket(test.client);
  if (test.server != INVALID_SOCKET) closesocket(test.server);
  return result;
}

int casyncio_port_detect(int *step, uint32_t *features) {
  *features = 0;
  return port_try(NULL, self_test, step, features);
}
#endif
