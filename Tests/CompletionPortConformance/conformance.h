// The program holds an implementation of CompletionPort.h to its rules. It uses that header only, and of the system
// what world.h names, so every implementation can be linked with it.
//
// A case is a function. A check that fails prints where and what, and ends the case; the next one goes on. What the
// case had made stays as it was: the system may still write into it, so all memory of a case comes from `make`.
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CompletionPort.h"
#include "world.h"

// MARK: Checks

_Noreturn void case_failed(const char *file, int line, const char *text, int64_t left, int64_t right);
_Noreturn void case_skipped(const char *reason);

// CHECK(result, ==, 5)
#define CHECK(left, comparison, right)                                                                                \
  do {                                                                                                                \
    int64_t left_ = (int64_t)(left), right_ = (int64_t)(right);                                                       \
    if (!(left_ comparison right_)) case_failed(__FILE__, __LINE__, #left " " #comparison " " #right, left_, right_);  \
  } while (0)
#define CHECK_TRUE(condition) CHECK(!!(condition), ==, 1)

struct test_case {
  const char *name;
  void (*run)(void);
};

// What every port of this run is made with, and what its name is.
extern casyncio_port_options options;
extern const char *options_name;

// MARK: Operations and loops

struct loop;
struct operation;
typedef void (*handler)(struct loop *loop, struct operation *operation, const casyncio_event *event);

typedef struct operation {
  casyncio_record record;
  // Of the last event.
  int64_t result;
  uint32_t events, ends;
  uint8_t is_going, may_repeat;
  // Called for every event, in the order of the events.
  handler handler;
  void *context;
} operation;

// A port and what the case knows about it: after every reap the two must agree.
typedef struct loop {
  casyncio_port *port;
  casyncio_lent *lent;
  uint64_t in_flight, leases;
  // How many events a reap may bring.
  uint32_t capacity;
} loop;

// Zeroed memory until the end of the case.
void *make(size_t size);

loop *loop_create(void);
void loop_begin(loop *loop);
// Created and begun.
loop *loop_open(void);
// Nothing may be in flight or lent.
void loop_close(loop *loop);
int loop_has(const loop *loop, uint32_t feature);
void needs(const loop *loop, uint32_t feature, const char *name);

operation *make_operation(handler handler, void *context);
// To be called in the place of the record: casyncio_port_receive(loop->port, go(loop, o), ...).
casyncio_record *go(loop *loop, operation *operation);
// The same for accepts and lent receives, whose events may be many.
casyncio_record *go_many(loop *loop, operation *operation);

// One reap with all that can be said about its events. Their number.
int pump(loop *loop, int64_t nanoseconds);
// Reaps until the operation has ended. Its last result.
int64_t finish(loop *loop, operation *operation);
// Reaps until nothing is in flight.
void drain(loop *loop);
// Reaps for a while, and expects no event.
void expect_nothing(loop *loop);
void give_back(loop *loop, uint32_t lease);

// MARK: Bytes

// The same numbers in every run.
uint32_t random_number(uint32_t *state);

// The byte at a place in a stream.
uint8_t pattern(uint32_t stream, uint64_t offset);
void fill_pattern(uint8_t *bytes, size_t count, uint32_t stream, uint64_t offset);
// The first place that is not as it should be, or -1.
int64_t pattern_breaks(const uint8_t *bytes, size_t count, uint32_t stream, uint64_t offset);
// Puts the stream's bytes into a non-blocking handle, up to `limit` or until it takes no more. How many.
uint64_t put(int handle, uint32_t stream, uint64_t offset, uint64_t limit);
// Takes what is readable and checks it. How many.
uint64_t take(int handle, uint32_t stream, uint64_t offset);

#endif
