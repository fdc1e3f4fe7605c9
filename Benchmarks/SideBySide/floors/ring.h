// An echo server on io_uring, all but its main: io_uring.c does nothing else, busy_io_uring.c has callbacks beside it.
//
// One multishot accept, one multishot receive a connection, receives into a shared ring of buffers, and sends straight
// out of the buffer that was received into. All that a turn starts goes to the kernel in the call that waits for more.
//
// Traps:
// - A connection has one send at a time. Two would be started in order, but the first may stop for lack of room and the
//   second go on, and bytes change places. What is received meanwhile waits in a list of buffers.
// - When all buffers are in such lists, receives end with ENOBUFS. They start again when a buffer comes back. (Clients
//   that never read can hold all of them: a floor is not a server for the public.)
// - A descriptor is closed when neither its receive nor its send is on its way, for its number is used again at once.
#pragma once

#define _GNU_SOURCE
#include "listening.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

enum { BUFFERS = 1024, BUFFER = 65536, GROUP = 1, ENTRIES = 2048, COMPLETIONS = 16384, NONE = -1 };
enum { MAXIMUM_DESCRIPTORS = 1 << 20 };
enum kind { CLOSED, ACCEPTED, RECEIVED, SENT };

struct connection {
  int first, last;  // received buffers that are to be sent; the first one is on its way if `sending`
  int next_waiting; // in the list of those that found no buffer
  bool receiving, sending, ended, waiting;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char *memory;
static struct { int next, length; } lists[BUFFERS];
static struct connection connections[MAXIMUM_DESCRIPTORS];
static int waiting = NONE;

static struct io_uring_sqe *new_entry(void) {
  struct io_uring_sqe *entry;
  while (!(entry = io_uring_get_sqe(&ring))) io_uring_submit(&ring);
  return entry;
}

// After the entry was prepared: some versions of liburing clear the mark then.
static void mark(struct io_uring_sqe *entry, enum kind kind, int fd) {
  entry->user_data = (uint64_t)kind << 56 | (uint32_t)fd;
}

static void receive(int fd) {
  struct io_uring_sqe *entry = new_entry();
  io_uring_prep_recv_multishot(entry, fd, NULL, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = GROUP;
  mark(entry, RECEIVED, fd);
  connections[fd].receiving = true;
}

// One of those that found no buffer tries again. A connection that gives a buffer back calls it, and so does one that
// was waiting and ended instead of taking one: so there is never both a free buffer and nobody who will call.
static void receive_for_waiting(void) {
  if (waiting == NONE) return;
  int fd = waiting;
  waiting = connections[fd].next_waiting;
  connections[fd].waiting = false;
  receive(fd);
}

static void send_first(int fd) {
  struct connection *connection = &connections[fd];
  int number = connection->first;
  struct io_uring_sqe *entry = new_entry();
  io_uring_prep_send(entry, fd, memory + (size_t)number * BUFFER, (size_t)lists[number].length,
                     MSG_WAITALL | MSG_NOSIGNAL);
  mark(entry, SENT, fd);
  connection->sending = true;
}

static void give_back(int number) {
  io_uring_buf_ring_add(buffers, memory + (size_t)number * BUFFER, BUFFER, (unsigned short)number,
                        io_uring_buf_ring_mask(BUFFERS), 0);
  io_uring_buf_ring_advance(buffers, 1);
  receive_for_waiting();
}

static void drop_list(struct connection *connection) {
  while (connection->first != NONE) {
    int number = connection->first;
    connection->first = lists[number].next;
    give_back(number);
  }
}

static void close_when_done(int fd) {
  struct connection *connection = &connections[fd];
  if (!connection->ended || connection->receiving || connection->sending || connection->waiting) return;
  drop_list(connection);
  struct io_uring_sqe *entry = new_entry();
  io_uring_prep_close(entry, fd);
  mark(entry, CLOSED, fd);
}

static void accepted(int fd) {
  int one = 1;
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  connections[fd] = (struct connection){.first = NONE, .last = NONE, .next_waiting = NONE};
  receive(fd);
}

static void received(int fd, int result, unsigned flags) {
  struct connection *connection = &connections[fd];
  bool more = flags & IORING_CQE_F_MORE;
  if (!more) connection->receiving = false;
  if (result > 0) {
    int number = (int)(flags >> IORING_CQE_BUFFER_SHIFT);
    lists[number].next = NONE;
    lists[number].length = result;
    if (connection->first == NONE) {
      connection->first = number;
    } else {
      lists[connection->last].next = number;
    }
    connection->last = number;
    if (!connection->sending && !connection->ended) send_first(fd);
    if (!more && !connection->ended) receive(fd);
  } else if (result == -ENOBUFS) {
    connection->waiting = true;
    connection->next_waiting = waiting;
    waiting = fd;
  } else {
    connection->ended = true;
    receive_for_waiting();
  }
  close_when_done(fd);
}

static void sent(int fd, int result) {
  struct connection *connection = &connections[fd];
  int number = connection->first;
  connection->sending = false;
  connection->first = lists[number].next;
  // With MSG_WAITALL less than everything is an error of the connection.
  if (result != lists[number].length) connection->ended = true;
  give_back(number);
  if (connection->ended) {
    drop_list(connection);
  } else if (connection->first != NONE) {
    send_first(fd);
  }
  close_when_done(fd);
}

static void prepare_ring(void) {
  struct io_uring_params parameters = {
    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
    .cq_entries = COMPLETIONS};
  int status = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
  if (status < 0) {
    fprintf(stderr, "no io_uring: %s\n", strerror(-status));
    exit(1);
  }
  size_t size = BUFFERS * sizeof(struct io_uring_buf);
  buffers = aligned_alloc(4096, size);
  memory = malloc((size_t)BUFFERS * BUFFER);
  struct io_uring_buf_reg registration = {
    .ring_addr = (uint64_t)(uintptr_t)buffers, .ring_entries = BUFFERS, .bgid = GROUP};
  status = io_uring_register_buf_ring(&ring, &registration, 0);
  if (status < 0) {
    fprintf(stderr, "no ring of buffers: %s\n", strerror(-status));
    exit(1);
  }
  io_uring_buf_ring_init(buffers);
  for (int i = 0; i < BUFFERS; i++) give_back(i);
}

static void start_serving(int count, char **arguments) {
  int listener = listen_on(count, arguments, 0);
  prepare_ring();
  struct io_uring_sqe *entry = new_entry();
  io_uring_prep_multishot_accept(entry, listener, NULL, NULL, 0);
  mark(entry, ACCEPTED, listener);
}

// All that has completed.
static void serve_completed(void) {
  struct io_uring_cqe *completion;
  unsigned head, seen = 0;
  io_uring_for_each_cqe(&ring, head, completion) {
    int fd = (int)(uint32_t)completion->user_data;
    seen++;
    switch ((enum kind)(completion->user_data >> 56)) {
    case ACCEPTED: accepted(completion->res); break;
    case RECEIVED: received(fd, completion->res, completion->flags); break;
    case SENT: sent(fd, completion->res); break;
    case CLOSED: break;
    }
  }
  io_uring_cq_advance(&ring, seen);
}
