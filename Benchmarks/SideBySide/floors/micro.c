// The floor of the micro works: `floor_micro WORK N [PORT]`.
//
// It promises nothing that a loop promises: no cancelling, no errors, no other descriptors, nothing but the work. What
// a loop costs above it is what its promises cost. Works with a suffix are second floors, for loops that promise more:
// chain_poll asks the kernel before every callback, timer_*_heap keeps deadlines to the nanosecond.

#define _GNU_SOURCE
#include "micro/works.h"

#include "../common/micro.h"

struct work {
  const char *name;
  void (*run)(long count);
};

static const struct work works[] = {
    {"chain", chain},
    {"chain_poll", chain_poll},
    {"batch", batch},
    {"spawn", spawn},
    // To go on later is a trip through the queue, whatever asks for it.
    {"yield", chain},
    {"continuation", chain_poll},
    {"sleep", chain_poll},
    {"pingpong", pingpong},
    {"pingpong_same", pingpong_same},
    {"burst1", burst1},
    {"burst4", burst4},
    {"timer_cancel", timer_cancel},
    {"timer_cancel_heap", timer_cancel_heap},
    {"timer_fire", timer_fire},
    {"timer_fire_heap", timer_fire_heap},
    {"timer_rearm", timer_rearm},
    {"timer_rearm_heap", timer_rearm_heap},
    {"process", process},
    {"literal", literal},
};

int main(int count, char **arguments) {
  long n = count >= 3 ? atol(arguments[2]) : 0;
  if (n <= 0) {
    fprintf(stderr, "usage: floor_micro WORK N [PORT]\n");
    return STATUS_USAGE;
  }
  const char *name = arguments[1];
  if (strncmp(name, "udp", 3) == 0 && count == 4) {
    udp(n, atoi(arguments[3]));
    return 0;
  }
  for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
    if (strcmp(works[i].name, name) != 0) continue;
    works[i].run(n);
    return 0;
  }
  return STATUS_NOT_OFFERED;
}
