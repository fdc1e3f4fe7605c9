#include "kinds.h"

#include <errno.h>
#include <string.h>

int kind_works(const loop *loop, int kind) { return kind != RECEIVES_LENT || loop_has(loop, CASYNCIO_PORT_LENT); }

// More than any buffer of the system has room for.
enum { TOO_MUCH = 8 * 1024 * 1024 };

void start_kind(loop *loop, operation *operation, int kind, int handle, void *memory) {
  casyncio_port *port = loop->port;
  address *address = memory;
  switch (kind) {
    case ACCEPTS: casyncio_port_accept(port, go_many(loop, operation), handle); break;
    case CONNECTS:
      address_of_nobody(address);
      casyncio_port_connect(port, go(loop, operation), handle, address->bytes, address->length);
      break;
    case RECEIVES: casyncio_port_receive(port, go(loop, operation), handle, memory, 64); break;
    case RECEIVES_LENT: casyncio_port_receive_lent(port, go_many(loop, operation), handle); break;
    case SENDS: casyncio_port_send(port, go(loop, operation), handle, memory, 64); break;
    case READS: casyncio_port_read(port, go(loop, operation), handle, memory, 64); break;
    case WRITES: casyncio_port_write(port, go(loop, operation), handle, memory, 64); break;
    case WATCHES: casyncio_port_watch(port, go(loop, operation), handle, CASYNCIO_READABLE); break;
  }
}

// One memory for all of them: nobody looks at what arrives.
static void *too_much(void) {
  static uint8_t bytes[TOO_MUCH];
  return bytes;
}

// A connect that goes on: the listener has no place for one more, and nobody accepts.
static void start_stuck_connect(loop *loop, struct stuck *stuck) {
  address *address = make(sizeof *address);
  stuck->handles[1] = tcp_listener(address, 0);
  for (int i = 2; i < 4; i++) {
    int client = stuck->handles[i] = tcp_socket();
    connect_to(client, address);
    // The first is connected at once; whether there is a place for the second is the system's choice.
    wait_until_ready(client, CASYNCIO_WRITABLE, i == 2 ? 1000 : 10);
  }
  stuck->handles[0] = tcp_socket();
  casyncio_record *record = go(loop, stuck->operation);
  casyncio_port_connect(loop->port, record, stuck->handles[0], address->bytes, address->length);
}

struct stuck *start_stuck(loop *loop, int kind) {
  struct stuck *stuck = make(sizeof *stuck);
  address address;
  stuck->operation = make_operation(NULL, NULL);
  memset(stuck->handles, 0xff, sizeof stuck->handles);
  int *handles = stuck->handles;
  switch (kind) {
    case CONNECTS: start_stuck_connect(loop, stuck); return stuck;
    case ACCEPTS: handles[0] = tcp_listener(&address, 1); break;
    case RECEIVES:
    case RECEIVES_LENT:
    case WATCHES: local_pair(handles); break;
    case READS: pipe_pair(handles, (int)(random_number(&(uint32_t){(uint32_t)now()}) & 1)); break;
    case SENDS:
      local_pair(handles);
      set_buffers(handles[0], 4096);
      casyncio_port_send(loop->port, go(loop, stuck->operation), handles[0], too_much(), TOO_MUCH);
      return stuck;
    case WRITES:
      pipe_pair(handles, 1);
      casyncio_port_write(loop->port, go(loop, stuck->operation), handles[1], too_much(), TOO_MUCH);
      return stuck;
  }
  start_kind(loop, stuck->operation, kind, handles[0], make(KIND_MEMORY));
  return stuck;
}

void end_stuck(struct stuck *stuck) {
  for (int i = 0; i < 4; i++) {
    if (stuck->handles[i] >= 0) close_handle(stuck->handles[i]);
  }
}
