#include "conformance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// CompletionPortConformance [--options NAME] [CASE...]: runs all cases or those that are named, with ports made by one
// set of options. Ends with 0, with 1 after a failure, and with 77 when no port can be had here.

extern const struct test_case life_cases[], wait_cases[], wake_cases[], connect_cases[], accept_cases[],
    receive_cases[], lent_cases[], lease_cases[], send_cases[], pipe_cases[], watch_cases[], cancel_cases[],
    cancel_all_cases[], race_cases[], queue_cases[], elsewhere_cases[], windows_cases[];

static const struct test_case *const topics[] = {
    life_cases,  wait_cases, wake_cases,  connect_cases, accept_cases,     receive_cases, lent_cases,  lease_cases,
    send_cases,  pipe_cases, watch_cases, cancel_cases,  cancel_all_cases, race_cases,    queue_cases, elsewhere_cases,
    windows_cases,
};

static const struct {
  const char *name;
  casyncio_port_options options;
} sets[] = {
    {"default", {0}},
    {"without-lent", {.without = CASYNCIO_PORT_LENT}},
    {"without-shared-buffers", {.without = CASYNCIO_PORT_SHARED_BUFFERS}},
    {"without-multishot-accept", {.without = CASYNCIO_PORT_MULTISHOT_ACCEPT}},
    {"without-deferred-work", {.without = CASYNCIO_PORT_DEFERRED_WORK}},
    {"tiny-queues", {.entries = 4, .event_entries = 8}},
    {"tiny-lent-memory", {.lent_count = 4, .lent_size = 512}},
};

casyncio_port_options options;
const char *options_name = "default";

// MARK: One case

static jmp_buf out_of_case;

struct memory {
  struct memory *next;
};
static struct memory *memory_of_case;

void *make(size_t size) {
  // Behind a header that keeps the alignment.
  struct memory *memory = calloc(1, 32 + size);
  if (!memory) abort();
  memory->next = memory_of_case;
  memory_of_case = memory;
  return (char *)memory + 32;
}

static void free_memory(void) {
  while (memory_of_case) {
    struct memory *next = memory_of_case->next;
    free(memory_of_case);
    memory_of_case = next;
  }
}

void case_failed(const char *file, int line, const char *text, int64_t left, int64_t right) {
  printf("  %s:%d: %s (%lld, %lld)\n", file, line, text, (long long)left, (long long)right);
  fflush(stdout);
  longjmp(out_of_case, 1);
}

void case_skipped(const char *reason) {
  printf("  %s\n", reason);
  longjmp(out_of_case, 2);
}

enum outcome { PASSED, FAILED, SKIPPED };

static enum outcome run(const struct test_case *test) {
  int64_t start = now();
  int descriptors = open_handles();
  memory_of_case = NULL;
  volatile enum outcome outcome = PASSED;
  int jump = setjmp(out_of_case);
  if (jump == 0) {
    test->run();
    CHECK(open_handles(), ==, descriptors);
  } else {
    outcome = jump == 1 ? FAILED : SKIPPED;
  }
  // After a failure the system may still know the memory.
  if (outcome != FAILED) free_memory();
  static const char *const words[] = {"ok", "FAILED", "skipped"};
  printf("%-8s%s (%lld ms)\n", words[outcome], test->name, (long long)((now() - start) / MILLISECOND));
  fflush(stdout);
  return outcome;
}

// MARK: All of them

static int is_named(const char *name, char **names, int count) {
  for (int i = 0; i < count; i++) {
    // A case, or a topic: what is before the colon.
    size_t length = strlen(names[i]);
    if (strcmp(name, names[i]) == 0 || (strncmp(name, names[i], length) == 0 && name[length] == ':')) return 1;
  }
  return count == 0;
}

static int use_options(const char *name) {
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    if (strcmp(sets[i].name, name) != 0) continue;
    options = sets[i].options;
    options_name = sets[i].name;
    return 1;
  }
  return 0;
}

int main(int count, char **arguments) {
  be_child(count, arguments);
  static const char *const steps[] = {"none", "platform", "setup", "map", "operations", "buffers", "self-test"};
  int first = 1;
  if (count > 2 && strcmp(arguments[1], "--options") == 0) {
    if (!use_options(arguments[2])) {
      printf("no such options: %s\n", arguments[2]);
      return 2;
    }
    first = 3;
  }
  int step;
  uint32_t features;
  int error = casyncio_port_detect(&step, &features);
  if (error < 0) {
    printf("no completion port: step %s, %s\n", steps[step], strerror(-error));
    return 77;
  }
  unsigned numbers[3] = {0, 0, 0};
  for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
    for (const struct test_case *test = topics[i]; test->name; test++) {
      if (!is_named(test->name, arguments + first, count - first)) continue;
      // A signal that should not be sent ends the program, and so does a case that does not come to an end.
      limit_case(test->name, 60);
      numbers[run(test)]++;
      limit_case(test->name, 0);
    }
  }
  printf("%s: %u passed, %u failed, %u skipped\n", options_name, numbers[PASSED], numbers[FAILED], numbers[SKIPPED]);
  return numbers[FAILED] > 0 || numbers[PASSED] == 0;
}
