#include "platform.h"

#include <setjmp.h>

// The program ends with a line of what has passed and failed, and with status 0 if nothing has failed.
//
//     PlatformConformance [CASE...]

static jmp_buf end_of_case;

_Noreturn void case_failed(const char *file, int line, const char *text, int64_t left, int64_t right) {
  printf("  %s:%d: %s: %lld, %lld\n", file, line, text, (long long)left, (long long)right);
  longjmp(end_of_case, 1);
}

// Returns 1 if the case has passed.
static int run(const struct test_case *test) {
  int64_t start = casyncio_monotonic_nanoseconds();
  if (setjmp(end_of_case) != 0) {
    printf("FAILED  %s\n", test->name);
    return 0;
  }
  test->run();
  printf("ok      %s (%lld ms)\n", test->name, (long long)(casyncio_monotonic_nanoseconds() - start) / 1000000);
  return 1;
}

static int is_wanted(const char *name, int count, char **names) {
  for (int i = 1; i < count; i++) {
    if (strcmp(names[i], name) == 0) return 1;
  }
  return count < 2;
}

int main(int count, char **arguments) {
  own_path = arguments[0];
  if (count > 2 && strcmp(arguments[1], "child") == 0) return be_child(count, arguments);
  const struct test_case *topics[] = {sockets, messages, files, threads, waiting, names, pipes, children, inspection};
  int passed = 0, failed = 0;
  setvbuf(stdout, NULL, _IONBF, 0);
  for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
    for (const struct test_case *test = topics[i]; test->name; test++) {
      if (!is_wanted(test->name, count, arguments)) continue;
      if (run(test)) passed++; else failed++;
    }
  }
  printf("%d passed, %d failed, 0 skipped\n", passed, failed);
  return failed || !passed;
}
