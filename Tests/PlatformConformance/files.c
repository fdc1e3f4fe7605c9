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

static void processes(void) {
  CHECK(casyncio_process_number(), >, 0);
  CHECK(casyncio_environment_variable("ASYNCIO_NO_SUCH_VARIABLE") == NULL, ==, 1);
  const char *path = casyncio_environment_variable("PATH");
  CHECK(path != NULL && path[0] != '\0', ==, 1);
  struct rlimit limit;
  CHECK(casyncio_open_file_limit(&limit), ==, 0);
  CHECK(limit.rlim_cur > 2, ==, 1);
}

const struct test_case files[] = {
    {"files:paths", paths}, {"files:kinds", kinds}, {"files:processes", processes}, {NULL, NULL}};
