#if defined(_WIN32)
#include "win32.h"

#include <ntsecapi.h>

// What a child's standard streams are connected to. The traps:
//
// - A pipe without a name has no overlapped calls. So each has a name, which nobody needs to know.
// - Whether calls are overlapped is a property of each end. A program that is given such an end as a standard stream,
//   and does not expect it, reads and writes at random places or fails.
// - A writer learns of the end of the reader by reading: so an end that this process writes to can be read from.

int casyncio_open_null(void) {
  DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE;
  HANDLE null = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, share, NULL, OPEN_EXISTING, 0, NULL);
  return null == INVALID_HANDLE_VALUE ? win32_last() : win32_number(null);
}

// MARK: Pipes

// A name that nobody can guess: who opened it first would be the other end. To be freed.
static WCHAR *unguessable_name(void) {
  static const WCHAR start[] = L"\\\\.\\pipe\\asyncio-", digits[] = L"0123456789abcdef";
  enum { LENGTH = sizeof start / sizeof *start - 1, BYTES = 16 };
  unsigned char random[BYTES];
  WCHAR *name = calloc(LENGTH + 2 * BYTES + 1, sizeof *name);
  if (!name || !RtlGenRandom(random, sizeof random)) {
    free(name);
    return NULL;
  }
  memcpy(name, start, sizeof start);
  for (int i = 0; i < BYTES; i++) {
    name[LENGTH + 2 * i] = digits[random[i] >> 4];
    name[LENGTH + 2 * i + 1] = digits[random[i] & 15];
  }
  return name;
}

static int open_ends(uint32_t here, const WCHAR *name, HANDLE *read_end, HANDLE *write_end) {
  enum { ROOM = 64 * 1024 };
  int is_duplex = (here & CASYNCIO_PIPE_WRITE_HERE) != 0;
  DWORD mode = (is_duplex ? PIPE_ACCESS_DUPLEX : PIPE_ACCESS_INBOUND) | FILE_FLAG_FIRST_PIPE_INSTANCE;
  if (here & CASYNCIO_PIPE_READ_HERE) mode |= FILE_FLAG_OVERLAPPED;
  DWORD form = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
  *read_end = CreateNamedPipeW(name, mode, form, 1, ROOM, ROOM, 0, NULL);
  if (*read_end == INVALID_HANDLE_VALUE) return win32_last();
  DWORD access = GENERIC_WRITE | (is_duplex ? GENERIC_READ : FILE_READ_ATTRIBUTES);
  *write_end = CreateFileW(name, access, 0, NULL, OPEN_EXISTING, is_duplex ? FILE_FLAG_OVERLAPPED : 0, NULL);
  if (*write_end != INVALID_HANDLE_VALUE) return 0;
  int status = win32_last();
  CloseHandle(*read_end);
  return status;
}

int casyncio_pipe(uint32_t here, int *read_end, int *write_end) {
  HANDLE ends[2];
  *read_end = *write_end = -1;
  WCHAR *name = unguessable_name();
  int status = name ? open_ends(here, name, &ends[0], &ends[1]) : -ENOMEM;
  free(name);
  if (status < 0) return status;
  *read_end = win32_number(ends[0]);
  *write_end = win32_number(ends[1]);
  return 0;
}
#endif
