#include "platform.h"

static void clocks(void) {
  int64_t before = casyncio_monotonic_nanoseconds(), worked = casyncio_processor_nanoseconds();
  CHECK(casyncio_poll(NULL, 0, 30000000), ==, 0);
  int64_t took = casyncio_monotonic_nanoseconds() - before;
  CHECK(took, >=, 29000000);
  CHECK(took, <, 5000000000);
  CHECK(casyncio_processor_nanoseconds() - worked, >=, 0);
  struct tm time;
  memset(&time, 0, sizeof time);
  time.tm_year = 100;
  time.tm_mday = 1;
  CHECK(casyncio_seconds_of(&time), ==, 946684800);
}

static int wake_end;

static void wake(void *argument) {
  (void)argument;
  for (int i = 0; i < 1000; i++) casyncio_wake_signal(wake_end);
}

static void wakes(void) {
  int read_end, write_end;
  void *thread;
  CHECK(casyncio_wake_create(&read_end, &write_end), ==, 0);
  casyncio_poll_entry entry = {.fd = read_end, .events = POLLIN};
  CHECK(casyncio_poll(&entry, 1, 0), ==, 0);
  wake_end = write_end;
  CHECK(casyncio_thread_start(wake, &wake_end, &thread), ==, 0);
  CHECK(casyncio_poll(&entry, 1, 10000000000), ==, 1);
  casyncio_thread_join(thread);
  casyncio_wake_drain(read_end);
  CHECK(casyncio_poll(&entry, 1, 0), ==, 0);
  casyncio_wake_signal(write_end);
  CHECK(casyncio_poll(&entry, 1, -1), ==, 1);
  casyncio_close(read_end);
  if (write_end != read_end) casyncio_close(write_end);
}

// Which of many is ready.
static void many(void) {
  enum { COUNT = 40 };
  casyncio_poll_entry entries[COUNT];
  int ends[COUNT][2];
  for (int i = 0; i < COUNT; i++) {
    connected(ends[i]);
    entries[i] = (casyncio_poll_entry){.fd = ends[i][0], .events = POLLIN};
  }
  CHECK(sending(ends[17][1], "x", 1), ==, 1);
  CHECK(casyncio_shutdown(ends[31][1], SHUT_WR), ==, 0);
  await(ends[17][0], POLLIN);
  await(ends[31][0], POLLIN);
  CHECK(casyncio_poll(entries, COUNT, 0), ==, 2);
  for (int i = 0; i < COUNT; i++) {
    CHECK((entries[i].returned != 0), ==, (i == 17 || i == 31));
    casyncio_close(ends[i][0]);
    casyncio_close(ends[i][1]);
  }
}

// What cannot be caught and what is not a signal is refused; what a system is told of is installed and taken away.
static void signals(void) {
  CHECK(casyncio_signal_install(SIGKILL), ==, -EINVAL);
  CHECK(casyncio_signal_install(0), <, 0);
  CHECK(casyncio_signal_install(1000), ==, -EINVAL);
  CHECK(casyncio_signal_install(SIGTERM), ==, 0);
  CHECK(casyncio_signal_take(SIGTERM), ==, 0);
  CHECK(casyncio_signal_restore(SIGTERM), ==, 0);
  int status = casyncio_signal_install(SIGINT);
  CHECK(status == 0 || status == -ENXIO, ==, 1);
  if (status == 0) CHECK(casyncio_signal_restore(SIGINT), ==, 0);
  const char *known = casyncio_known_signals();
  if (known) CHECK(strstr(known, "SIGTERM") != NULL, ==, 1);
}

const struct test_case waiting[] = {
    {"waiting:signals", signals},
    {"waiting:clocks", clocks}, {"waiting:wakes", wakes}, {"waiting:many", many}, {NULL, NULL}};
