#if defined(_WIN32)
#include "win32.h"

#include <winternl.h>

// Numbers of open things. The traps:
//
// - A socket is a handle, and only Winsock may close it: CloseHandle leaves its own record of the socket behind.
// - Whether calls of a socket wait can be set and not asked. So what was set is noted, by number, until the number is
//   closed; of a socket from elsewhere nothing is known, and it counts as one that waits.
// - A number that was closed comes back for something else, at once, and nothing of a socket or a pipe says which one
//   it is. So what this package makes is counted, and the count is part of what it is known by.
// - A pipe has no such mode: each call says whether it waits. It is never changed for others, so nothing has to be
//   restored.
// - A call on a handle with a completion port sends its packet there, unless the event of the call has its lowest bit
//   set.

// MARK: Notes of numbers

enum { NOTES = 1 << 16 };

// Sockets whose calls do not wait, by number. An entry may be pushed out by another, and then nothing is known.
static volatile LONG notes[NOTES];
// What was made as the how many-th, with the number and the count in one word; the same holds.
static volatile LONG64 makings[NOTES];
static volatile LONG made;

static int place_of(int fd) { return (int)(((uint32_t)fd >> 2) % NOTES); }
static volatile LONG *note_of(int fd) { return &notes[place_of(fd)]; }

static void note_new(int fd) {
  uint64_t count = (uint32_t)InterlockedIncrement(&made);
  InterlockedExchange64(&makings[place_of(fd)], (LONG64)(count << 32 | (uint32_t)fd));
}

uint64_t win32_making_of(int fd) {
  uint64_t making = (uint64_t)InterlockedExchangeAdd64(&makings[place_of(fd)], 0);
  return (uint32_t)making == (uint32_t)fd ? making : (uint32_t)fd;
}

// MARK: What a number is

HANDLE win32_handle(int fd) {
  switch (fd) {
    case 0: return GetStdHandle(STD_INPUT_HANDLE);
    case 1: return GetStdHandle(STD_OUTPUT_HANDLE);
    case 2: return GetStdHandle(STD_ERROR_HANDLE);
    default: return (HANDLE)(intptr_t)fd;
  }
}

int win32_number(HANDLE handle) {
  int number = (int)(intptr_t)handle;
  if ((HANDLE)(intptr_t)number != handle || number < 3) abort();
  note_new(number);
  return number;
}

int win32_is_socket(int fd) {
  int type, length = sizeof type;
  return fd > 2 && getsockopt(win32_socket(fd), SOL_SOCKET, SO_TYPE, (char *)&type, &length) == 0;
}

// MARK: Modes

void win32_note_mode(int fd, int is_nonblocking) {
  volatile LONG *note = note_of(fd);
  if (is_nonblocking) {
    InterlockedExchange(note, fd);
  } else {
    InterlockedCompareExchange(note, 0, fd);
  }
}

int win32_knows_nonblocking(int fd) { return *note_of(fd) == fd; }

static int set_mode(int fd, u_long is_nonblocking) {
  if (!win32_is_socket(fd)) {
    DWORD flags;
    return fd >= 0 && GetHandleInformation(win32_handle(fd), &flags) ? 0 : -EBADF;
  }
  if (ioctlsocket(win32_socket(fd), FIONBIO, &is_nonblocking) != 0) return win32_last_of_socket();
  win32_note_mode(fd, is_nonblocking != 0);
  return 0;
}

int casyncio_set_nonblocking(int fd) { return set_mode(fd, 1); }

int casyncio_set_blocking(int fd) { return set_mode(fd, 0); }

int casyncio_is_nonblocking(int fd) {
  DWORD flags;
  if (fd < 0 || !GetHandleInformation(win32_handle(fd), &flags)) return -EBADF;
  return !win32_is_socket(fd) || win32_knows_nonblocking(fd);
}

typedef NTSTATUS NTAPI query_file(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, FILE_INFORMATION_CLASS);
NTSYSAPI query_file NtQueryInformationFile;

int casyncio_access_mode(int fd) {
  enum { ACCESS_OF_FILE = 8 };
  if (win32_is_socket(fd)) return 3;
  IO_STATUS_BLOCK status;
  ACCESS_MASK access = 0;
  NTSTATUS error = NtQueryInformationFile(
      win32_handle(fd), &status, &access, sizeof access, (FILE_INFORMATION_CLASS)ACCESS_OF_FILE);
  if (error < 0) return -EBADF;
  return (access & FILE_READ_DATA ? 1 : 0) | (access & FILE_WRITE_DATA ? 2 : 0);
}

int casyncio_set_close_on_exec(int fd) {
  return SetHandleInformation(win32_handle(fd), HANDLE_FLAG_INHERIT, 0) ? 0 : win32_last();
}

int casyncio_open_file_limit(struct rlimit *limit) {
  // As many handles as a process can have.
  limit->rlim_cur = limit->rlim_max = 1 << 24;
  return 0;
}

// MARK: Numbers

int casyncio_close(int fd) {
  if (fd < 0) return -EBADF;
  win32_note_mode(fd, 0);
  win32_forget(fd);
  if (fd > 2) {
    if (closesocket(win32_socket(fd)) == 0) return 0;
    if (WSAGetLastError() != WSAENOTSOCK && WSAGetLastError() != WSANOTINITIALISED) return win32_last_of_socket();
  }
  return CloseHandle(win32_handle(fd)) ? 0 : win32_last();
}

// No new handle has a number below 4.
int casyncio_move_above_standard(int fd) { return fd < 0 ? -errno : fd; }

int casyncio_both_above_standard(int status, int ends[2]) {
  (void)ends;
  return status < 0 ? -errno : 0;
}

// The numbers of sockets and of pipes are the C library's or the system's, and nothing needs two of one file.
int casyncio_duplicate(int fd) {
  (void)fd;
  return -ENOSYS;
}

// A pipe is not made non-blocking, so there is nothing to open anew for.
int casyncio_reopen_blocking(int fd) {
  (void)fd;
  return -EOPNOTSUPP;
}

// MARK: Bytes

static HANDLE event_of_thread(void) {
  static _Thread_local HANDLE event;
  if (!event) event = CreateEventW(NULL, TRUE, FALSE, NULL);
  return event;
}

static ptrdiff_t ended(BOOL has_succeeded, DWORD n, int is_read) {
  if (has_succeeded) return (ptrdiff_t)n;
  DWORD error = GetLastError();
  if (is_read && (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF)) return 0;
  // What was under way and was taken back: the pipe has nothing, or no room.
  if (error == ERROR_OPERATION_ABORTED || (is_read && error == ERROR_NO_DATA)) return -EAGAIN;
  return win32_negated(error);
}

// Call, and take back what would wait.
static ptrdiff_t transfer(int fd, void *memory, size_t count, int is_read) {
  HANDLE handle = win32_handle(fd);
  DWORD n = 0, length = count > INT32_MAX ? INT32_MAX : (DWORD)count;
  // A file has a position, which an overlapped call would leave alone; it never waits.
  if (GetFileType(handle) == FILE_TYPE_DISK) {
    BOOL done = is_read ? ReadFile(handle, memory, length, &n, NULL) : WriteFile(handle, memory, length, &n, NULL);
    return ended(done, n, is_read);
  }
  HANDLE event = event_of_thread();
  if (!event) return -ENOMEM;
  OVERLAPPED call = {.hEvent = (HANDLE)((uintptr_t)event | 1)};
  BOOL done = is_read ? ReadFile(handle, memory, length, &n, &call) : WriteFile(handle, memory, length, &n, &call);
  if (!done && GetLastError() == ERROR_IO_PENDING) {
    CancelIoEx(handle, &call);
    done = GetOverlappedResult(handle, &call, &n, TRUE);
    if (!done && call.InternalHigh > 0) return (ptrdiff_t)call.InternalHigh;
  }
  return ended(done, n, is_read);
}

ptrdiff_t casyncio_read(int fd, void *memory, size_t count) { return transfer(fd, memory, count, 1); }

ptrdiff_t casyncio_write(int fd, const void *bytes, size_t count) {
  return transfer(fd, (void *)(uintptr_t)bytes, count, 0);
}
#endif
