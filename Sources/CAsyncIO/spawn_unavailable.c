#if !defined(__linux__) && !defined(_WIN32)
#include "CAsyncIO.h"

#include <errno.h>

// Child processes on systems for which they have not been written: every call refuses.

char *const *casyncio_environment(void) { return 0; }
char *casyncio_program(void) { return 0; }
int casyncio_pipe(uint32_t here, int *read_end, int *write_end) {
  (void)here;
  *read_end = *write_end = -1;
  return -ENOSYS;
}
int casyncio_open_null(void) { return -ENOSYS; }

int casyncio_spawn(const casyncio_spawn_request *request, int64_t *process, int *step) {
  (void)request;
  *process = 0;
  *step = CASYNCIO_SPAWN_STEP_PROGRAM;
  return -ENOSYS;
}

int casyncio_process_wait(int64_t process, int descriptor, uint32_t flags, casyncio_child_end *end) {
  (void)process;
  (void)descriptor;
  (void)flags;
  (void)end;
  return -ENOSYS;
}

int casyncio_process_open(int64_t process) {
  (void)process;
  return -ENOSYS;
}

int casyncio_process_signal(int64_t process, int descriptor, int signal) {
  (void)process;
  (void)descriptor;
  (void)signal;
  return -ENOSYS;
}

int casyncio_group_signal(int64_t process, int signal) {
  (void)process;
  (void)signal;
  return -ENOSYS;
}
#endif
