#include "platform.h"

enum { HERE = CASYNCIO_PIPE_READ_HERE | CASYNCIO_PIPE_WRITE_HERE };

static void bytes_and_end(void) {
  static const uint32_t uses[] = {CASYNCIO_PIPE_READ_HERE, CASYNCIO_PIPE_WRITE_HERE, HERE};
  for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
    int read_end, write_end;
    char memory[16];
    CHECK(casyncio_pipe(uses[i], &read_end, &write_end), ==, 0);
    CHECK(read_end > 2 && write_end > 2 && read_end != write_end, ==, 1);
    CHECK(casyncio_access_mode(read_end) & 1, ==, 1);
    CHECK(casyncio_access_mode(write_end) & 2, ==, 2);
    casyncio_file file;
    CHECK(casyncio_file_of(read_end, &file), ==, 0);
    CHECK(file.kind, ==, CASYNCIO_FILE_FIFO);
    CHECK(casyncio_write(write_end, "bytes", 5), ==, 5);
    CHECK(casyncio_read(read_end, memory, sizeof memory), ==, 5);
    CHECK(memcmp(memory, "bytes", 5), ==, 0);
    CHECK(casyncio_close(write_end), ==, 0);
    CHECK(casyncio_read(read_end, memory, sizeof memory), ==, 0);
    CHECK(casyncio_close(read_end), ==, 0);
    CHECK(casyncio_read(read_end, memory, sizeof memory), ==, -EBADF);
  }
}

static void nothing_there(void) {
  int read_end, write_end;
  char byte;
  CHECK(casyncio_pipe(CASYNCIO_PIPE_READ_HERE, &read_end, &write_end), ==, 0);
  CHECK(casyncio_set_nonblocking(read_end), ==, 0);
  CHECK(casyncio_read(read_end, &byte, 1), ==, -EAGAIN);
  CHECK(casyncio_write(write_end, "b", 1), ==, 1);
  CHECK(casyncio_read(read_end, &byte, 1), ==, 1);
  CHECK(casyncio_read(read_end, &byte, 1), ==, -EAGAIN);
  casyncio_close(read_end);
  casyncio_close(write_end);
}

static void full(void) {
  int read_end, write_end;
  static char block[4096];
  CHECK(casyncio_pipe(CASYNCIO_PIPE_WRITE_HERE, &read_end, &write_end), ==, 0);
  CHECK(casyncio_set_nonblocking(write_end), ==, 0);
  ptrdiff_t n, count = 0;
  while ((n = casyncio_write(write_end, block, sizeof block)) > 0) count += n;
  CHECK(n, ==, -EAGAIN);
  // Nothing of what was taken is lost, and nothing comes that was not taken.
  CHECK(casyncio_close(write_end), ==, 0);
  while ((n = casyncio_read(read_end, block, sizeof block)) > 0) count -= n;
  CHECK(n, ==, 0);
  CHECK(count, ==, 0);
  casyncio_close(read_end);
}

static void reader_gone(void) {
  int read_end, write_end;
  casyncio_ignore_sigpipe();
  CHECK(casyncio_pipe(CASYNCIO_PIPE_WRITE_HERE, &read_end, &write_end), ==, 0);
  CHECK(casyncio_close(read_end), ==, 0);
  CHECK(casyncio_write(write_end, "b", 1), ==, -EPIPE);
  casyncio_close(write_end);
}

const struct test_case pipes[] = {
    {"pipes:bytes-and-end", bytes_and_end}, {"pipes:nothing-there", nothing_there}, {"pipes:full", full},
    {"pipes:reader-gone", reader_gone}, {NULL, NULL}};
