#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

// How a program is started. The traps:
//
// - Between fork and exec a program with threads may call next to nothing, and copying the page tables of a large
//   parent takes long. posix_spawn(3) shares the memory until the exec instead; the calling thread waits for that, so
//   the caller is not the thread of a loop.
// - The child inherits the signals that its thread blocks (threads of pools block every signal) and that the process
//   ignores (this package ignores SIGPIPE; `yes | head` would never end). So it starts with an empty mask, and with the
//   default actions for the signals that run times often ignore. SIGHUP stays as it is: that is the point of nohup.
// - A child must have its three standard descriptors and no other. Those of this package are closed on exec, those of
//   the program may not be, so everything from 3 on is closed. Descriptors below 3 that take each other's places (1 as
//   the child's 2, 2 as its 1) are copied above 2 first.
// - The search in PATH is execvp's: a file that is missing or may not be executed is passed over, but the latter is
//   what is reported if no other is found.

#if defined(__GLIBC__)
#define HAS_CLOSE_FROM __GLIBC_PREREQ(2, 34)
#define HAS_FCHDIR __GLIBC_PREREQ(2, 29)
#else
#define HAS_CLOSE_FROM 0
#define HAS_FCHDIR 1
#endif

extern char **environ;

char *const *casyncio_environment(void) { return environ; }

char *casyncio_program(void) { return strdup("/proc/self/exe"); }

int casyncio_pipe(uint32_t here, int *read_end, int *write_end) {
  (void)here;
  int ends[2];
  int status = casyncio_both_above_standard(pipe2(ends, O_CLOEXEC), ends);
  if (status < 0) return status;
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}

int casyncio_open_null(void) {
  return casyncio_above_standard(open("/dev/null", O_RDWR | O_CLOEXEC));
}

// Opening a terminal's controlling side makes a new one. Devices with no other side than this are known by their
// numbers.
static int can_be_reopened(int fd, const struct stat *status) {
  if (S_ISFIFO(status->st_mode)) return 1;
  if (!S_ISCHR(status->st_mode)) return 0;
  unsigned kind = major(status->st_rdev), which = minor(status->st_rdev);
  // 1 is memory and its kin: null, zero, full, random.
  if (kind == 1) return 1;
  return isatty(fd) && !(kind == 5 && which == 2);
}

int casyncio_reopen_blocking(int fd) {
  struct stat before, after;
  char path[64];
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fstat(fd, &before) < 0) return -errno;
  if (!can_be_reopened(fd, &before)) return -EOPNOTSUPP;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  // Without waiting: if the other side of a FIFO is gone, the open must not wait for it.
  int mode = (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int own = casyncio_above_standard(open(path, mode));
  if (own < 0) return own;
  int is_same = fstat(own, &after) == 0 && before.st_dev == after.st_dev && before.st_ino == after.st_ino;
  int status = is_same ? casyncio_set_blocking(own) : -EOPNOTSUPP;
  if (status == 0) return own;
  close(own);
  return status;
}

// MARK: What happens in the child

#if HAS_CLOSE_FROM
static int close_others(posix_spawn_file_actions_t *actions) {
  return posix_spawn_file_actions_addclosefrom_np(actions, 3);
}
#else
// Close one by one. A number that is closed meanwhile does no harm: the child passes it over.
static int close_others(posix_spawn_file_actions_t *actions) {
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return errno;
  int status = 0;
  struct dirent *entry;
  while (status == 0 && (entry = readdir(directory))) {
    int fd = atoi(entry->d_name);
    if (fd < 3) continue;
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && !(flags & FD_CLOEXEC)) status = posix_spawn_file_actions_addclose(actions, fd);
  }
  closedir(directory);
  return status;
}
#endif

static int change_directory(posix_spawn_file_actions_t *actions, int directory) {
#if HAS_FCHDIR
  return posix_spawn_file_actions_addfchdir_np(actions, directory);
#else
  (void)actions;
  (void)directory;
  return ENOTSUP;
#endif
}

struct preparation {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int directory;
  // Copies of standard descriptors of this process.
  int copies[3];
};

static int take_descriptors(struct preparation *p, const casyncio_spawn_request *request) {
  int sources[3] = {request->input, request->output, request->error};
  for (int target = 0; target < 3; target++) {
    int source = sources[target];
    if (source < 3) {
      p->copies[target] = fcntl(source, F_DUPFD_CLOEXEC, 3);
      // Closed here and so in the child.
      if (p->copies[target] < 0 && errno == EBADF && source == target) continue;
      if (p->copies[target] < 0) return errno;
      source = p->copies[target];
    }
    int status = posix_spawn_file_actions_adddup2(&p->actions, source, target);
    if (status != 0) return status;
  }
  return close_others(&p->actions);
}

static int set_attributes(struct preparation *p, uint32_t wanted) {
  sigset_t mask, defaults;
  sigemptyset(&mask);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  int status = posix_spawnattr_setsigmask(&p->attributes, &mask);
  if (status == 0) status = posix_spawnattr_setsigdefault(&p->attributes, &defaults);
  if (wanted & CASYNCIO_SPAWN_NEW_SESSION) {
    flags |= POSIX_SPAWN_SETSID;
  } else if (wanted & CASYNCIO_SPAWN_NEW_GROUP) {
    flags |= POSIX_SPAWN_SETPGROUP;
    if (status == 0) status = posix_spawnattr_setpgroup(&p->attributes, 0);
  }
  if (status == 0) status = posix_spawnattr_setflags(&p->attributes, flags);
  return status;
}

static int prepare(struct preparation *p, const casyncio_spawn_request *request, int *step) {
  *step = CASYNCIO_SPAWN_STEP_DIRECTORY;
  if (request->directory) {
    p->directory = casyncio_above_standard(open(request->directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (p->directory < 0) return -p->directory;
    int status = change_directory(&p->actions, p->directory);
    if (status != 0) return status;
  }
  *step = CASYNCIO_SPAWN_STEP_DESCRIPTORS;
  int status = take_descriptors(p, request);
  *step = CASYNCIO_SPAWN_STEP_PROGRAM;
  return status == 0 ? set_attributes(p, request->flags) : status;
}

// MARK: Starting

// 0 when it was started, else an errno.
static int start_first(const struct preparation *p, const casyncio_spawn_request *request, pid_t *process) {
  int failure = ENOENT;
  int is_searching = request->candidates[0] && request->candidates[1];
  for (const char *const *next = request->candidates; *next; next++) {
    // A look is cheaper than a child that finds nothing. A relative path is for the child to look up.
    int status = 0;
    if (is_searching && **next == '/' && faccessat(AT_FDCWD, *next, X_OK, AT_EACCESS) < 0) status = errno;
    if (status == 0) {
      status = posix_spawn(
          process, *next, &p->actions, &p->attributes, request->arguments,
          request->environment ? request->environment : environ);
    }
    switch (status) {
      case 0: return 0;
      case EACCES: failure = EACCES; break;
      case ENOENT:
      case ENOTDIR:
      case ESTALE:
      case ENODEV:
      case ETIMEDOUT:
        if (!is_searching) return status;
        break;
      default: return status;
    }
  }
  return failure;
}

int casyncio_spawn(const casyncio_spawn_request *request, int64_t *process, int *step) {
  struct preparation p = {.directory = -1, .copies = {-1, -1, -1}};
  *step = CASYNCIO_SPAWN_STEP_PROGRAM;
  int status = posix_spawn_file_actions_init(&p.actions);
  if (status != 0) return -status;
  status = posix_spawnattr_init(&p.attributes);
  if (status != 0) {
    posix_spawn_file_actions_destroy(&p.actions);
    return -status;
  }
  pid_t started = 0;
  status = prepare(&p, request, step);
  if (status == 0) status = start_first(&p, request, &started);
  if (p.directory >= 0) close(p.directory);
  for (int i = 0; i < 3; i++) {
    if (p.copies[i] >= 0) close(p.copies[i]);
  }
  posix_spawnattr_destroy(&p.attributes);
  posix_spawn_file_actions_destroy(&p.actions);
  *process = started;
  return -status;
}

// MARK: Waiting and signals. System calls by their numbers, which are the same on every architecture.

#define PIDFD_SEND_SIGNAL 424
#define PIDFD_OPEN 434
#define PROCESS_BY_DESCRIPTOR 3

int casyncio_process_open(int64_t process) {
  // Closed on exec.
  return casyncio_above_standard((int)syscall(PIDFD_OPEN, (pid_t)process, 0));
}

int casyncio_process_wait(int64_t process, int descriptor, uint32_t flags, casyncio_child_end *end) {
  int options = WEXITED;
  if (!(flags & CASYNCIO_WAIT_BLOCKING)) options |= WNOHANG;
  if (flags & CASYNCIO_WAIT_KEEP) options |= WNOWAIT;
  siginfo_t info;
  int status;
  do {
    memset(&info, 0, sizeof info);
    status = descriptor >= 0 ? waitid((idtype_t)PROCESS_BY_DESCRIPTOR, (id_t)descriptor, &info, options) : -1;
    // Descriptors cannot be waited for before Linux 5.4.
    if (descriptor < 0 || (status < 0 && errno == EINVAL)) status = waitid(P_PID, (id_t)process, &info, options);
  } while (status < 0 && errno == EINTR);
  if (status < 0) return -errno;
  if (info.si_pid == 0) return 0;
  end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
  end->status = info.si_code == CLD_EXITED ? info.si_status : 0;
  return 1;
}

int casyncio_process_signal(int64_t process, int descriptor, int signal) {
  if (descriptor >= 0) {
    if (syscall(PIDFD_SEND_SIGNAL, descriptor, signal, NULL, 0) == 0) return 0;
    if (errno != ENOSYS && errno != EPERM) return -errno;
  }
  return kill((pid_t)process, signal) < 0 ? -errno : 0;
}

int casyncio_group_signal(int64_t process, int signal) { return killpg((pid_t)process, signal) < 0 ? -errno : 0; }

#endif
