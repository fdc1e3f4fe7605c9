#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CConformance.h"

#include "CAsyncIO.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
enum { OF_THIS_SYSTEM = CCONFORMANCE_ABSTRACT_NAMES };
#else
enum { OF_THIS_SYSTEM = 0 };
#endif

uint32_t cconformance_features(void) { 
  return CCONFORMANCE_SIGNALS | CCONFORMANCE_FORKS | CCONFORMANCE_PROGRAMS | CCONFORMANCE_LOWEST_NUMBERS |
         CCONFORMANCE_SOCKET_PAIRS | CCONFORMANCE_UNREACHABLE | CCONFORMANCE_SHARED_PORTS | OF_THIS_SYSTEM;
}

int cconformance_killed_code(void) { return -SIGKILL; }

// MARK: Sockets and pipes

// Not casyncio_pipe: that is there where child processes are, and a loop has pipes without them.
int cconformance_pipe(uint32_t here, int *read_end, int *write_end) {
  (void)here;
  int ends[2];
  if (pipe(ends) < 0) return -errno;
  for (int i = 0; i < 2; i++) casyncio_set_close_on_exec(ends[i]);
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}

int cconformance_socket_pair(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return -errno;
  for (int i = 0; i < 2; i++) {
    casyncio_set_nonblocking(ends[i]);
    casyncio_set_close_on_exec(ends[i]);
  }
  return 0;
}

int cconformance_duplicate_socket(int socket) {
  int other = dup(socket);
  if (other < 0) return -errno;
  casyncio_set_close_on_exec(other);
  return other;
}

int cconformance_is_at_end(int socket) {
  char byte;
  return recv(socket, &byte, 1, MSG_PEEK) == 0;
}

// MARK: Signals

int cconformance_send_signal(int number) { return kill(getpid(), number) < 0 ? -errno : 0; }

int cconformance_unblock_signal(int number) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, number);
  return -pthread_sigmask(SIG_UNBLOCK, &signals, 0);
}

static int action_of(const struct sigaction *action) {
  if (action->sa_flags & SA_SIGINFO) return CCONFORMANCE_ACTION_HANDLER;
  if (action->sa_handler == SIG_DFL) return CCONFORMANCE_ACTION_DEFAULT;
  return action->sa_handler == SIG_IGN ? CCONFORMANCE_ACTION_IGNORED : CCONFORMANCE_ACTION_HANDLER;
}

int cconformance_signal_action(int number) {
  struct sigaction current;
  return sigaction(number, 0, &current) < 0 ? -errno : action_of(&current);
}

int cconformance_set_signal_action(int number, int action) {
  struct sigaction former, next = {.sa_handler = action == CCONFORMANCE_ACTION_IGNORED ? SIG_IGN : SIG_DFL};
  return sigaction(number, &next, &former) < 0 ? -errno : action_of(&former);
}

// MARK: The process

void cconformance_sleep(int milliseconds) { usleep((useconds_t)milliseconds * 1000); }

int cconformance_unset_variable(const char *name) { return unsetenv(name) < 0 ? -errno : 0; }

int cconformance_thread_count(void) {
  DIR *folder = opendir("/proc/self/task");
  if (!folder) return -ENOSYS;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

int cconformance_reap(void) {
  int status;
  return waitpid(-1, &status, WNOHANG) > 0;
}

ptrdiff_t cconformance_in_fork(
    size_t (*body)(void *context, char *text, size_t capacity), void *context, char *text, size_t capacity) {
  int ends[2];
  if (pipe(ends) < 0) return -errno;
  pid_t child = fork();
  if (child == 0) {
    ssize_t written = write(ends[1], text, body(context, text, capacity));
    _exit(written < 0);
  }
  ptrdiff_t count = child < 0 ? -errno : 0;
  close(ends[1]);
  if (child > 0) {
    do count = read(ends[0], text, capacity);
    while (count < 0 && errno == EINTR);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (count < 0 || status != 0) count = -ECHILD;
  }
  close(ends[0]);
  return count;
}

int64_t cconformance_fork(void) {
  pid_t child = fork();
  return child < 0 ? -errno : child;
}

void cconformance_end_child(int status) { _exit(status); }

int cconformance_wait_for_child(int64_t child) {
  int status = 0;
  while (waitpid((pid_t)child, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// MARK: Files

// Not that of TMPDIR, which may be too long for the path of a Unix socket.
const char *cconformance_temporary_folder(void) { return "/tmp"; }

int cconformance_make_folder(const char *path) { return mkdir(path, 0700) < 0 ? -errno : 0; }

int cconformance_remove_folder(const char *path) { return rmdir(path) < 0 ? -errno : 0; }
#endif
