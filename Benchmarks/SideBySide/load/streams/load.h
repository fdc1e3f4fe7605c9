// What the load generators over connections share: tcp, and tls, which has plain.c's part for itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
  long port, pid;     // of the server; without a pid its CPU time and memory are 0
  long connections;   // at a time
  long size;          // bytes of a message
  long depth;         // messages on their way on a connection, closed loop
  long rate;          // messages a second over all connections, open loop
  long messages;      // closed loop: so many on each connection instead of a time
  long active;        // idle connections: how many of them work afterwards
  long resume;        // handshakes: whether they go on from an earlier session
  long anyanswer;     // handshakes: whether the server may answer with a text of its own
  double seconds;     // of a slice; the first fifth is not counted
};

// Ends the program with {"error": text}, for the reader of the JSON.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// --- support.c

uint64_t now_ns(void);

// Looks up the server's process and those that it has started by now.
void find_server(long pid);
// CPU time of the server so far, of all its threads and of the processes that find_server saw.
uint64_t server_cpu_ns(void);
// Resident bytes of the server.
uint64_t server_memory(void);

// A histogram of times; its percentiles are off by less than 1 %.
void histogram_clear(void);
void histogram_add(uint64_t ns);

// The result, as one line of JSON. Percentiles are there if the histogram has anything.
struct result {
  double operations;
  uint64_t wall_ns, cpu_ns;
  double memory;  // bytes of a connection, or negative where it was not asked for
};
void print_result(const struct result *result);

// The part of a slice that counts: from a fifth of it, when all is warm, to its end.
struct window {
  uint64_t opens, closes;          // the plan
  uint64_t opened, cpu_at_opening; // what happened
  bool open;
};
struct window plan_window(double seconds);
// True as soon as the window opens; what was counted until then is to be forgotten.
bool window_opens(struct window *window, uint64_t now);

// --- messages.c

enum {
  HELLO = 64,                // bytes that are exchanged when a connection is made
  BATCH = 128,               // connections that are made at a time
  PATIENCE = 20,             // seconds
  RECEIVE_SIZE = 256 * 1024, // bytes that are received at a time, at most
};

void prepare_message(const struct options *options);
// A message's bytes as connection number `index` sends them, and its repetitions.
const char *message_of(long index);
// The bytes of it that are contiguous behind an offset within the first message.
uint64_t message_room_behind(uint64_t offset);
// A socket that is about to connect to the server.
int new_socket(int flags);
int start_connecting(int socket, long port);
// A socket that is connected, blocking, with the patience as its limit, without delay for small messages.
int connect_blocking(long port);
// Closes by a reset, so that no port stays behind in TIME_WAIT.
void reset(int socket);
// Adds a socket to an epoll set, edge-triggered, under a number.
void watch(int epoll, int socket, uint32_t number);

// --- connections: tcp/plain.c, tls/protected.c

// One connection: three positions in an endless stream that repeats the message. received <= sent <= allowed.
struct connection {
  int socket;
  uint64_t allowed, sent, received;
  uint64_t *times;    // when message number n left: times[n % depth]
  struct secret *tls; // what tls/ has for it
};

// Connects them and exchanges 64 bytes on each, so that the server has accepted and knows all of them. Nonblocking
// from then on, without delay for small messages.
struct connection *establish(const struct options *options, long count);
// Sends what is allowed until the system takes no more.
void send_allowed(struct connection *connection, long index, long size);
// Receives all there is, and compares it with what was sent. Gives the bytes.
uint64_t receive_all(struct connection *connection, long index, long size);

// --- program.c

struct mode {
  const char *name;
  void (*run)(const struct options *);
};

// A whole program: reads the arguments, and runs the one of the modes that the first one names. The last mode has no
// name.
int run_program(int count, char **arguments, const struct mode *modes);

// --- closed.c, idle.c: modes, and a part of one

void run_echo(const struct options *options);
void run_idle(const struct options *options);
void run_closed(const struct options *options, struct connection *connections, long count, double memory);
