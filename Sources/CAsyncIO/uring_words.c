#if defined(__linux__)
#include "CompletionPort.h"

#include <errno.h>

// io_uring in words, for reports and errors.

const char *casyncio_port_name(void) { return "io_uring"; }
const char *casyncio_port_title(void) { return "io_uring"; }

const char *casyncio_port_step_name(int step) {
  switch (step) {
    case CASYNCIO_STEP_PLATFORM: return "the platform";
    case CASYNCIO_STEP_SETUP: return "set-up (io_uring_setup)";
    case CASYNCIO_STEP_MAP: return "mapping its queues (mmap)";
    case CASYNCIO_STEP_OPERATIONS: return "the list of operations (io_uring_register)";
    default: return "the self-test (io_uring_enter)";
  }
}

const char *casyncio_port_advice(int step, int error) {
  if (step == CASYNCIO_STEP_PLATFORM) return "It needs a 64-bit Linux; use the selector loop.";
  switch (error) {
    case EPERM:
      return "An administrator or a sandbox forbids it: see kernel.io_uring_disabled, and allow io_uring_setup, "
             "io_uring_enter and io_uring_register in the container's seccomp profile; or use the selector loop.";
    case ENOSYS:
      return "The kernel or a sandbox does not know it; use Linux 5.19 or newer, or the selector loop.";
    case ENOMEM: return "Raise the limit of locked memory (ulimit -l), or use the selector loop.";
    case EMFILE: return "Raise the limit of open files: ulimit -n 4096.";
    default: return "The kernel is too old or restricted; use Linux 5.19 or newer, or the selector loop.";
  }
}
#endif
