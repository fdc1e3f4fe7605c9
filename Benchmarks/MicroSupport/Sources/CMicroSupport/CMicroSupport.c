#define _GNU_SOURCE
#include "CMicroSupport.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

void csupport_pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  (void)sched_setaffinity(0, sizeof set, &set);
}

int csupport_bell(void) { return eventfd(0, EFD_CLOEXEC); }

void csupport_bell_ring(int bell) {
  if (eventfd_write(bell, 1) != 0) {
    perror("the bell cannot be rung");
    abort();
  }
}

void csupport_bell_wait(int bell) {
  eventfd_t count;
  if (eventfd_read(bell, &count) != 0) {
    perror("the bell cannot be heard");
    abort();
  }
}
