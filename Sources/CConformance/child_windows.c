#if defined(_WIN32)
#include "CConformance.h"

#include "CAsyncIO.h"

#include <errno.h>
#include <io.h>
#include <windows.h>

// A handle has 32 significant bits, and its highest one is its sign.
static HANDLE handle_of(int number) { return (HANDLE)(intptr_t)number; }
static int number_of(HANDLE handle) { return (int)(intptr_t)handle; }

int cconformance_start(const char *path, char *const *arguments, int64_t *process, int *output) {
  HANDLE read_end, write_end;
  *output = -1;
  if (!CreatePipe(&read_end, &write_end, 0, 0)) return -EMFILE;
  int null = casyncio_open_null(), step;
  const char *candidates[] = {path, 0};
  casyncio_spawn_request request = {
      .candidates = candidates,
      .arguments = arguments,
      .input = null,
      .output = number_of(write_end),
      .error = number_of(GetStdHandle(STD_ERROR_HANDLE)),
  };
  int status = null < 0 ? null : casyncio_spawn(&request, process, &step);
  if (null >= 0) casyncio_close(null);
  CloseHandle(write_end);
  if (status < 0) {
    CloseHandle(read_end);
    return status;
  }
  *output = number_of(read_end);
  return 0;
}

// An anonymous pipe cannot be waited for: it is asked again and again.
ptrdiff_t cconformance_read_output(int output, void *memory, size_t count, int milliseconds) {
  ULONGLONG end = GetTickCount64() + (ULONGLONG)milliseconds;
  DWORD available = 0, n = 0;
  for (;;) {
    if (!PeekNamedPipe(handle_of(output), 0, 0, 0, &available, 0)) {
      return GetLastError() == ERROR_BROKEN_PIPE ? 0 : -EIO;
    }
    if (available > 0) break;
    if (GetTickCount64() >= end) return -EAGAIN;
    Sleep(2);
  }
  if (count > available) count = available;
  return ReadFile(handle_of(output), memory, (DWORD)count, &n, 0) ? (ptrdiff_t)n : -EIO;
}

int cconformance_finish(int64_t process, int output, int kills, int *signal) {
  casyncio_child_end end;
  CloseHandle(handle_of(output));
  if (kills) casyncio_process_signal(process, -1, SIGKILL);
  int status = casyncio_process_wait(process, -1, CASYNCIO_WAIT_BLOCKING, &end);
  if (status < 0) return status;
  *signal = end.signal;
  return end.status;
}

int cconformance_take_output(void) {
  HANDLE copy, self = GetCurrentProcess();
  if (!DuplicateHandle(self, GetStdHandle(STD_OUTPUT_HANDLE), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return -EMFILE;
  }
  // This closes the handle that number 1 of the C library had, and gives the process the new one.
  return _dup2(2, 1) < 0 ? -errno : number_of(copy);
}

void cconformance_tell(int output, const void *bytes, size_t count) {
  const char *next = bytes;
  DWORD n;
  while (count > 0 && WriteFile(handle_of(output), next, (DWORD)count, &n, 0) && n > 0) {
    next += n;
    count -= n;
  }
  CloseHandle(handle_of(output));
}
#endif
