#include "platform.h"

// Children are this program: it writes down what it was given, and ends as it was told.

const char *own_path;

static const char *const REPORT = "platform-conformance.report";

int be_child(int count, char **arguments) {
  FILE *file = fopen(REPORT, "wb");
  if (!file) return 99;
  for (int i = 3; i < count; i++) fprintf(file, "[%s]\n", arguments[i]);
  const char *variable = casyncio_environment_variable("PLATFORM_CONFORMANCE");
  fprintf(file, "variable %s\n", variable ? variable : "-");
  fclose(file);
  // Until it is ended.
  if (strcmp(arguments[2], "wait") == 0) casyncio_poll(NULL, 0, 60000000000);
  return atoi(arguments[2]);
}

// Start this program. Returns its number, or the negated errno.
static int64_t start(const char *path, const char *how, const char *const *more, char *const *environment, int flags) {
  enum { MOST = 32 };
  char *arguments[MOST + 1] = {(char *)(uintptr_t)own_path, "child", (char *)(uintptr_t)how};
  for (int i = 0; more && more[i]; i++) {
    CHECK(3 + i, <, MOST);
    arguments[3 + i] = (char *)(uintptr_t)more[i];
  }
  const char *candidates[] = {path, NULL};
  int null = casyncio_open_null(), step;
  int64_t process = 0;
  CHECK(null, >=, 0);
  casyncio_spawn_request request = {
      .candidates = candidates, .arguments = arguments, .environment = environment, .input = null, .output = null,
      .error = null, .flags = (uint32_t)flags};
  int status = casyncio_spawn(&request, &process, &step);
  casyncio_close(null);
  return status < 0 ? status : process;
}

static casyncio_child_end end_of(int64_t process) {
  casyncio_child_end end = {.signal = -1, .status = -1};
  CHECK(casyncio_process_wait(process, -1, CASYNCIO_WAIT_BLOCKING | CASYNCIO_WAIT_KEEP, &end), ==, 1);
  CHECK(casyncio_process_wait(process, -1, 0, &end), ==, 1);
  CHECK(casyncio_process_wait(process, -1, 0, &end), ==, -ECHILD);
  return end;
}

static void read_report(char *text, size_t capacity) {
  FILE *file = fopen(REPORT, "rb");
  CHECK(file != NULL, ==, 1);
  size_t count = fread(text, 1, capacity - 1, file);
  text[count] = 0;
  fclose(file);
  casyncio_remove(REPORT);
}

static void append_line(char *text, size_t capacity, const char *argument) {
  size_t count = strlen(text);
  snprintf(text + count, capacity - count, "[%s]\n", argument);
}

// Without letters beyond ASCII, which the C library of Windows does not give to main, and without patterns of names,
// which that of mingw expands.
static void arguments(void) {
  static const char *const given[] = {
      "plain", "", "two words", "\"", "a\"b c", "\\", "a\\b", "ends with \\", "\\\" \\\\\" \\\\\\\"", "tab\there",
      "%PATH% ^& | > <", "--a='b'", "$HOME", NULL};
  char expected[512] = "", found[512];
  for (int i = 0; given[i]; i++) append_line(expected, sizeof expected, given[i]);
  int64_t process = start(own_path, "0", given, NULL, 0);
  CHECK(process, >, 0);
  CHECK(end_of(process).status, ==, 0);
  read_report(found, sizeof found);
  found[strlen(expected)] = 0;
  if (strcmp(found, expected) != 0) printf("  given:\n%s  found:\n%s", expected, found);
  CHECK(strcmp(found, expected), ==, 0);
}

static void status_and_environment(void) {
  char *environment[] = {"PLATFORM_CONFORMANCE=a=b \xc3\xa4", "SYSTEMROOT=C:\\windows", NULL};
  char found[512];
  int64_t process = start(own_path, "7", NULL, environment, 0);
  CHECK(process, >, 0);
  CHECK(end_of(process).status, ==, 7);
  read_report(found, sizeof found);
  CHECK(strcmp(found, "variable a=b \xc3\xa4\n"), ==, 0);
}

static void what_is_not_there(void) {
  CHECK(start("./no-such-program", "0", NULL, NULL, 0), ==, -ENOENT);
  casyncio_child_end end;
  CHECK(casyncio_process_wait(0x7ffffff0, -1, 0, &end), ==, -ECHILD);
  CHECK(casyncio_process_signal(0x7ffffff0, -1, 0), ==, -ESRCH);
}

// A system without a limit starts the program; one with a limit says that the list is too long.
static void too_long(void) {
  enum { LENGTH = 40000 };
  char *text = calloc(LENGTH + 1, 1);
  CHECK(text != NULL, ==, 1);
  memset(text, 'a', LENGTH);
  const char *more[] = {text, NULL};
  text[1] = '=';
  char *environment[] = {text, "SYSTEMROOT=C:\\windows", NULL};
  for (int i = 0; i < 2; i++) {
    int64_t process = start(own_path, "0", i ? NULL : more, i ? environment : NULL, 0);
    if (process > 0) end_of(process);
    else CHECK(process, ==, -E2BIG);
  }
  free(text);
  casyncio_remove(REPORT);
}

static int64_t start_command(const char *command) {
  char *arguments[] = {
      (char *)(uintptr_t)casyncio_shell(), (char *)(uintptr_t)casyncio_shell_option(), (char *)(uintptr_t)command,
      NULL};
  const char *candidates[] = {casyncio_shell(), NULL};
  int null = casyncio_open_null(), step;
  int64_t process = 0;
  casyncio_spawn_request request = {
      .candidates = candidates, .arguments = arguments, .input = null, .output = null, .error = null,
      .flags = CASYNCIO_SPAWN_COMMAND};
  int status = casyncio_spawn(&request, &process, &step);
  casyncio_close(null);
  return status < 0 ? status : process;
}

// A command comes to the shell as it is, with its quotes.
static void commands(void) {
  int64_t process = start_command("exit 42");
  CHECK(process, >, 0);
  CHECK(end_of(process).status, ==, 42);
  process = start_command("echo \"a b\" && exit 7");
  CHECK(process, >, 0);
  CHECK(end_of(process).status, ==, 7);
}

// A batch file is not run: its interpreter would take an argument for a command. Elsewhere it is a name like others.
static void batch_files(void) {
  static const char *const names[] = {"./no-such.bat", "./no-such.CMD", "./no-such.bat. ."};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    int64_t status = start(names[i], "0", NULL, NULL, 0);
    CHECK(status == -ENOEXEC || status == -ENOENT, ==, 1);
  }
}

static void ending(void) {
  casyncio_child_end end;
  int64_t process = start(own_path, "wait", NULL, NULL, CASYNCIO_SPAWN_NEW_GROUP);
  CHECK(process, >, 0);
  CHECK(casyncio_process_wait(process, -1, 0, &end), ==, 0);
  CHECK(casyncio_process_signal(process, -1, 0), ==, 0);
  CHECK(casyncio_group_signal(process, SIGKILL), ==, 0);
  end = end_of(process);
  CHECK(end.signal == SIGKILL || end.status == 1, ==, 1);
  process = start(own_path, "wait", NULL, NULL, 0);
  int descriptor = casyncio_process_open(process);
  CHECK(casyncio_process_signal(process, descriptor, SIGTERM), ==, 0);
  end = end_of(process);
  CHECK(end.signal == SIGTERM || end.status == 1, ==, 1);
  if (descriptor >= 0) casyncio_close(descriptor);
  casyncio_remove(REPORT);
}

const struct test_case children[] = {
    {"children:arguments", arguments}, {"children:status-and-environment", status_and_environment},
    {"children:what-is-not-there", what_is_not_there}, {"children:too-long", too_long},
    {"children:commands", commands}, {"children:batch-files", batch_files}, {"children:ending", ending}, {NULL, NULL}};
