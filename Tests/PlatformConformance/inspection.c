#include "platform.h"

static const char *const NAME = "platform-conformance.private";

// A system without users has none of it, and says so in each call.
static void users(void) {
  int64_t user = casyncio_user();
  CHECK(user >= 0 || user == -ENOSYS, ==, 1);
  if (user == -ENOSYS) {
    CHECK(casyncio_peer_user(0), ==, -ENOSYS);
    CHECK(casyncio_private_directory("."), ==, -ENOSYS);
    CHECK(casyncio_make_private_directory(NAME), ==, -ENOSYS);
    CHECK(casyncio_user_of_process(casyncio_process_number()), ==, -ENOSYS);
    return;
  }
  CHECK(casyncio_user_of_process(casyncio_process_number()), ==, user);
  CHECK(casyncio_user_of_process(2000000000), ==, -ESRCH);
  CHECK(casyncio_peer_user(-1), ==, -EBADF);
  int ends[2];
  connected(ends);
  // TCP does not know the user; a system that says one all the same must say it of this process.
  int64_t peer = casyncio_peer_user(ends[0]);
  CHECK(peer < 0 || peer == user || peer == (uint32_t)-1, ==, 1);
  casyncio_close(ends[0]);
  casyncio_close(ends[1]);
}

static void private_directories(void) {
  if (casyncio_user() < 0) return;
  remove(NAME);
  CHECK(casyncio_private_directory(NAME), ==, -ENOENT);
  CHECK(casyncio_make_private_directory(NAME), ==, 0);
  CHECK(casyncio_private_directory(NAME), ==, casyncio_user());
  // What is there stays as it is.
  CHECK(casyncio_set_permissions(NAME, 0755), ==, 0);
  CHECK(casyncio_make_private_directory(NAME), ==, 0);
  CHECK(casyncio_private_directory(NAME), ==, -EPERM);
  CHECK(remove(NAME), ==, 0);
  CHECK(casyncio_make_private_directory("nowhere/private"), ==, -ENOENT);
  CHECK(casyncio_private_directory(own_path), ==, -ENOTDIR);
}

static void round_trips(void) {
  int ends[2];
  char memory[1000] = "";
  connected(ends);
  CHECK(sending(ends[0], memory, sizeof memory), ==, sizeof memory);
  receive_all(ends[1], memory, sizeof memory);
  int64_t time = casyncio_round_trip(ends[0]);
  CHECK((time >= 0 && time < 1000000) || time == -ENOSYS, ==, 1);
  CHECK(casyncio_round_trip(-1), <, 0);
  casyncio_close(ends[0]);
  casyncio_close(ends[1]);
}

static void words(void) {
  CHECK(casyncio_signal_number("KILL"), ==, 0);
  CHECK(casyncio_signal_number("1"), ==, 0);
  CHECK(casyncio_signal_number(""), ==, 0);
  CHECK(casyncio_signal_number("USR1"), ==, casyncio_signal_number("SIGUSR1"));
  CHECK(casyncio_call_name(-1) == NULL, ==, 1);
  CHECK(casyncio_terminal_rows(-1), ==, 0);
  CHECK(casyncio_remove_at_end(NULL) == 0 || casyncio_remove_at_end(NULL) == -ENOSYS, ==, 1);
}

const struct test_case inspection[] = {
    {"inspection:users", users}, {"inspection:directories", private_directories},
    {"inspection:round-trips", round_trips}, {"inspection:words", words}, {NULL, NULL}};
