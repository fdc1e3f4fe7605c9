#if defined(_WIN32)
#include "win32.h"

// What a child's standard streams are connected to.

int casyncio_open_null(void) {
  DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE;
  HANDLE null = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, share, NULL, OPEN_EXISTING, 0, NULL);
  return null == INVALID_HANDLE_VALUE ? win32_last() : win32_number(null);
}

// Not written yet: this process needs an end for overlapped calls, and the child one without.
int casyncio_pipe(int *read_end, int *write_end) {
  *read_end = *write_end = -1;
  return -ENOSYS;
}
#endif
