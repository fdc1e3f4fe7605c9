#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t casyncio_user(void) { return geteuid(); }

int64_t casyncio_private_directory(const char *path) {
  struct stat found;
  if (lstat(path, &found) < 0) return -errno;
  if (!S_ISDIR(found.st_mode)) return -ENOTDIR;
  return (found.st_mode & 077) != 0 ? -EPERM : (int64_t)found.st_uid;
}

int casyncio_make_private_directory(const char *path) {
  if (mkdir(path, 0700) == 0) {
    // A strange umask may have taken the owner's own rights.
    return chmod(path, 0700) < 0 ? -errno : 0;
  }
  return errno == EEXIST ? 0 : -errno;
}

int64_t casyncio_ticks_per_second(void) {
  long ticks = sysconf(_SC_CLK_TCK);
  return ticks > 0 ? ticks : -ENOSYS;
}

int casyncio_terminal_rows(int fd) {
  struct winsize size;
  return ioctl(fd, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_row;
}

// MARK: A name that goes with the process

static pthread_mutex_t name_lock = PTHREAD_MUTEX_INITIALIZER;
static char *name;
static pid_t owner;
static int is_registered;

static void remove_name(void) {
  pthread_mutex_lock(&name_lock);
  if (name && owner == getpid()) unlink(name);
  pthread_mutex_unlock(&name_lock);
}

int casyncio_remove_at_end(const char *path) {
  char *copy = path ? strdup(path) : NULL;
  if (path && !copy) return -ENOMEM;
  pthread_mutex_lock(&name_lock);
  char *old = name;
  int status = 0;
  if (!is_registered) {
    is_registered = atexit(remove_name) == 0;
    if (!is_registered) status = -ENOMEM;
  }
  name = copy;
  owner = getpid();
  pthread_mutex_unlock(&name_lock);
  free(old);
  return status;
}
#endif
