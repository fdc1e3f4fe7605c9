#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CConformance.h"

#include "CAsyncIO.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int cconformance_start(const char *path, char *const *arguments, int64_t *process, int *output) {
  int ends[2];
  if (pipe(ends) < 0) return -errno;
  for (int i = 0; i < 2; i++) casyncio_set_close_on_exec(ends[i]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  // A child inherits the signals that its maker's thread blocks, and the threads of a pool block signals.
  sigset_t nothing;
  sigemptyset(&nothing);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &nothing);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  int error = posix_spawn(&child, path, &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) close(ends[0]);
  *process = child;
  *output = error == 0 ? ends[0] : -1;
  return -error;
}

ptrdiff_t cconformance_read_output(int output, void *memory, size_t count, int milliseconds) {
  struct pollfd entry = {.fd = output, .events = POLLIN};
  if (poll(&entry, 1, milliseconds) <= 0) return -EAGAIN;
  ssize_t n = read(output, memory, count);
  if (n >= 0) return n;
  return errno == EINTR ? -EAGAIN : -errno;
}

int cconformance_finish(int64_t process, int output, int kills, int *signal) {
  close(output);
  if (kills) kill((pid_t)process, SIGKILL);
  int status = 0;
  while (waitpid((pid_t)process, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  *signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

int cconformance_take_output(void) {
  int output = dup(STDOUT_FILENO);
  if (output < 0) return -errno;
  casyncio_set_close_on_exec(output);
  return dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ? -errno : output;
}

void cconformance_tell(int output, const void *bytes, size_t count) {
  const char *next = bytes;
  while (count > 0) {
    ssize_t n = write(output, next, count);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    next += n;
    count -= (size_t)n;
  }
  close(output);
}
#endif
