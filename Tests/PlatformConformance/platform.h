// The program holds the C files of CAsyncIO to what its headers promise. It uses these headers only, and standard C, so
// that the same cases run on every system.
//
// A case is a function. A check that fails prints where and what, and ends the case; the next one goes on.
#ifndef PLATFORM_H
#define PLATFORM_H

#include "CAsyncIO.h"

_Noreturn void case_failed(const char *file, int line, const char *text, int64_t left, int64_t right);

// CHECK(result, ==, 5)
#define CHECK(left, comparison, right)                                                                               \
  do {                                                                                                               \
    int64_t left_ = (int64_t)(left), right_ = (int64_t)(right);                                                      \
    if (!(left_ comparison right_)) case_failed(__FILE__, __LINE__, #left " " #comparison " " #right, left_, right_); \
  } while (0)

struct test_case {
  const char *name;
  void (*run)(void);
};

extern const struct test_case sockets[], messages[], files[], threads[], waiting[], names[], pipes[], children[];
extern const struct test_case inspection[];

// The path of this program, and what it does as a child of itself.
extern const char *own_path;
int be_child(int count, char **arguments);

// The address of this machine for itself, and a port.
struct sockaddr_in loopback(int port);
// The port that a socket is bound to.
int port_of(int socket);
// A socket that listens on the loopback address.
int listening(void);
// Connect two sockets to each other.
void connected(int ends[2]);
// Wait until a descriptor is ready; a second is too long.
void await(int fd, int events);
// Receive so many bytes.
void receive_all(int socket, char *memory, size_t count);
// Call, and return the bytes or the negated errno.
ptrdiff_t sending(int socket, const void *bytes, size_t count);
ptrdiff_t receiving(int socket, void *memory, size_t count);

#endif
