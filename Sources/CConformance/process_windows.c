#if defined(_WIN32)
#include "CConformance.h"

#include "CAsyncIO.h"

#include <direct.h>
#include <errno.h>
#include <stdlib.h>
#include <windows.h>

// What Windows does not have: signals between processes, forks, a limit on handles, lists of them by number, terminals
// with two sides.
uint32_t cconformance_features(void) { return 0; }

// The status that the end of a process is given by who ends it.
int cconformance_killed_code(void) { return 1; }

int cconformance_send_signal(int number) {
  (void)number;
  return -ENOSYS;
}

int cconformance_unblock_signal(int number) {
  (void)number;
  return -ENOSYS;
}

int cconformance_signal_action(int number) {
  (void)number;
  return -ENOSYS;
}

int cconformance_set_signal_action(int number, int action) {
  (void)number;
  (void)action;
  return -ENOSYS;
}

int cconformance_thread_count(void) { return -ENOSYS; }

int cconformance_reap(void) { return 0; }

ptrdiff_t cconformance_in_fork(
    size_t (*body)(void *context, char *text, size_t capacity), void *context, char *text, size_t capacity) {
  (void)body;
  (void)context;
  (void)text;
  (void)capacity;
  return -ENOSYS;
}

int64_t cconformance_fork(void) { return -ENOSYS; }

void cconformance_end_child(int status) { ExitProcess((UINT)status); }

int cconformance_wait_for_child(int64_t child) {
  (void)child;
  return -ENOSYS;
}

int cconformance_list_descriptors(void (*visit)(void *context, int number, const char *target), void *context) {
  (void)visit;
  (void)context;
  return -ENOSYS;
}

int cconformance_is_in_epoll(int descriptor) {
  (void)descriptor;
  return 0;
}

int cconformance_limit_descriptors(int spare, uint64_t *former) {
  (void)spare;
  *former = 0;
  return -ENOSYS;
}

void cconformance_restore_limit(uint64_t former) { (void)former; }

int cconformance_take_descriptor(void) { return -ENOSYS; }

int cconformance_open_terminal(int *screen, int *line) {
  *screen = *line = -1;
  return -ENOSYS;
}

// What it does have.

int cconformance_pipe(uint32_t here, int *read_end, int *write_end) {
  return casyncio_pipe(here, read_end, write_end);
}

void cconformance_sleep(int milliseconds) { Sleep((DWORD)milliseconds); }

int cconformance_unset_variable(const char *name) { return -_putenv_s(name, ""); }

// Asked for once; the path has no separator at its end.
const char *cconformance_temporary_folder(void) {
  static char folder[MAX_PATH + 1];
  if (!folder[0]) {
    DWORD length = GetTempPathA(sizeof folder, folder);
    if (length == 0 || length >= sizeof folder) return ".";
    if (folder[length - 1] == '\\') folder[length - 1] = 0;
  }
  return folder;
}

int cconformance_make_folder(const char *path) { return _mkdir(path) < 0 ? -errno : 0; }

int cconformance_remove_folder(const char *path) { return _rmdir(path) < 0 ? -errno : 0; }
#endif
