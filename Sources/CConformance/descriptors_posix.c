#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CConformance.h"

#include "CAsyncIO.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

int cconformance_list_descriptors(void (*visit)(void *context, int number, const char *target), void *context) {
  DIR *folder = opendir("/proc/self/fd");
  if (!folder) return -ENOSYS;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    int number = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || number == dirfd(folder)) continue;
    count++;
    if (!visit) continue;
    char target[1024];
    ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    visit(context, number, target);
  }
  closedir(folder);
  return count;
}

// What Linux says of an epoll instance: "tfd:        5 events:       19 data: … ", a line for each entry.
int cconformance_is_in_epoll(int descriptor) {
  for (int number = 0; number < 4096; number++) {
    char line[256];
    snprintf(line, sizeof line, "/proc/self/fdinfo/%d", number);
    FILE *file = fopen(line, "r");
    if (!file) continue;
    int found = 0, entry;
    while (!found && fgets(line, sizeof line, file)) {
      found = sscanf(line, "tfd: %d", &entry) == 1 && entry == descriptor;
    }
    fclose(file);
    if (found) return 1;
  }
  return 0;
}

// MARK: A shortage

int cconformance_limit_descriptors(int spare, uint64_t *former) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  *former = limit.rlim_cur;
  // The system hands out the lowest free number, so this is the next one.
  int next = dup(0);
  if (next < 0) return -errno;
  close(next);
  limit.rlim_cur = (rlim_t)(next + spare);
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

void cconformance_restore_limit(uint64_t former) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = (rlim_t)former;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int cconformance_take_descriptor(void) {
  int number = dup(0);
  return number < 0 ? -errno : number;
}

// MARK: Terminals

int cconformance_open_terminal(int *screen, int *line) {
  struct termios settings;
  int error = 0;
  *line = -1;
  *screen = posix_openpt(O_RDWR | O_NOCTTY);
  if (*screen < 0) return -errno;
  if (grantpt(*screen) == 0 && unlockpt(*screen) == 0) *line = open(ptsname(*screen), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*line < 0 || tcgetattr(*line, &settings) < 0) {
    error = errno;
  } else {
    settings.c_lflag &= ~(tcflag_t)ECHO;
    settings.c_oflag &= ~(tcflag_t)OPOST;
    if (tcsetattr(*line, TCSANOW, &settings) < 0) error = errno;
  }
  casyncio_set_close_on_exec(*screen);
  if (error == 0) return 0;
  close(*screen);
  if (*line >= 0) close(*line);
  return -error;
}
#endif
