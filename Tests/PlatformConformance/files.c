#include "platform.h"

// In the directory of the process.
static const char *const NAME = "platform-conformance.file";

static void write_file(const char *text) {
  FILE *file = fopen(NAME, "wb");
  CHECK(file != NULL, ==, 1);
  fputs(text, file);
  fclose(file);
}

static void paths(void) {
  casyncio_file file;
  write_file("0123456789");
  CHECK(casyncio_file_at(NAME, &file), ==, 0);
  CHECK(file.kind, ==, CASYNCIO_FILE_REGULAR);
  CHECK(file.size, ==, 10);
  casyncio_file same;
  CHECK(casyncio_file_at(NAME, &same), ==, 0);
  CHECK(file.inode == same.inode && file.device == same.device, ==, 1);
  char *here = casyncio_current_directory();
  CHECK(here != NULL, ==, 1);
  CHECK(casyncio_file_at(here, &same), ==, 0);
  CHECK(same.kind, ==, CASYNCIO_FILE_DIRECTORY);
  free(here);
  CHECK(casyncio_remove(NAME), ==, 0);
  CHECK(casyncio_file_at(NAME, &file), ==, -ENOENT);
  CHECK(casyncio_remove(NAME), ==, -ENOENT);
}

static void kinds(void) {
  casyncio_file socket, other;
  int a = casyncio_socket(AF_INET, casyncio_stream_type, 0), b = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  CHECK(casyncio_file_of(a, &socket), ==, 0);
  CHECK(socket.kind, ==, CASYNCIO_FILE_SOCKET);
  CHECK(casyncio_file_of(b, &other), ==, 0);
  CHECK(socket.inode != other.inode || socket.device != other.device, ==, 1);
  CHECK(casyncio_access_mode(a), ==, 3);
  casyncio_close(a);
  casyncio_close(b);
  CHECK(casyncio_file_of(a, &socket), ==, -EBADF);
  CHECK(casyncio_file_of(-1, &socket), ==, -EBADF);
  CHECK(casyncio_access_mode(-1), ==, -EBADF);
}

// A number that came again stands for something else.
static void reused_numbers(void) {
  casyncio_file before, after;
  int first = casyncio_socket(AF_INET, casyncio_stream_type, 0);
  CHECK(casyncio_file_of(first, &before), ==, 0);
  for (int i = 0; i < 100; i++) {
    casyncio_close(first);
    int second = casyncio_socket(AF_INET, casyncio_stream_type, 0);
    if (second != first) {
      casyncio_close(second);
      break;
    }
    CHECK(casyncio_file_of(second, &after), ==, 0);
    CHECK(before.inode != after.inode || before.device != after.device, ==, 1);
    before = after;
  }
  casyncio_close(first);
}

static void processes(void) {
  char *program = casyncio_program();
  casyncio_file file;
  if (program) CHECK(casyncio_file_at(program, &file), ==, 0);
  free(program);
  CHECK(casyncio_has_directory("name"), ==, 0);
  CHECK(casyncio_has_directory("folder/name"), ==, 1);
  CHECK(casyncio_is_path("PATH"), ==, 1);
  CHECK(casyncio_is_path("PATHEXT"), ==, 0);
  CHECK(casyncio_process_number(), >, 0);
  CHECK(casyncio_environment_variable("ASYNCIO_NO_SUCH_VARIABLE") == NULL, ==, 1);
  const char *path = casyncio_environment_variable("PATH");
  CHECK(path != NULL && path[0] != '\0', ==, 1);
  struct rlimit limit;
  CHECK(casyncio_open_file_limit(&limit), ==, 0);
  CHECK(limit.rlim_cur > 2, ==, 1);
}

const struct test_case files[] = {
    {"files:paths", paths}, {"files:kinds", kinds}, {"files:reused-numbers", reused_numbers},
    {"files:processes", processes}, {NULL, NULL}};
