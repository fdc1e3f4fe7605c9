#if defined(_WIN32)
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "conformance.h"
#include "windows_world.h"

#include <errno.h>
#include <stdio.h>

// Pipes as Windows has them: named ones, opened for overlapped calls, as the port needs them. Such a handle never
// blocks; whether a call waits here is for the caller, so it is noted by number.

static HANDLE handle_of(int handle) { return (HANDLE)(intptr_t)handle; }

// True for a pipe that does not block, by its number divided by four.
static uint8_t is_pipe_non_blocking[1 << 16];
static uint8_t *mode_of(int handle) { return &is_pipe_non_blocking[((uint32_t)handle >> 2) & 0xffff]; }

void windows_set_pipe_mode(int handle, int is_non_blocking) { *mode_of(handle) = is_non_blocking != 0; }

// For a call of a pipe outside of the port: its lowest bit keeps the packet away from the port of the pipe.
static OVERLAPPED private_call(void) {
  static _Thread_local HANDLE event;
  if (!event) event = CreateEventW(NULL, TRUE, FALSE, NULL);
  ResetEvent(event);
  return (OVERLAPPED){.hEvent = (HANDLE)((uintptr_t)event | 1)};
}

int64_t windows_read_pipe(int handle, void *bytes, size_t count) {
  DWORD there = 0, n = 0;
  if (*mode_of(handle)) {
    if (!PeekNamedPipe(handle_of(handle), NULL, 0, NULL, &there, NULL)) {
      return GetLastError() == ERROR_BROKEN_PIPE ? 0 : windows_failure();
    }
    if (there == 0) return -EAGAIN;
  }
  OVERLAPPED call = private_call();
  BOOL is_done = ReadFile(handle_of(handle), bytes, (DWORD)count, &n, &call);
  if (!is_done && GetLastError() == ERROR_IO_PENDING) is_done = GetOverlappedResult(handle_of(handle), &call, &n, TRUE);
  if (is_done) return n;
  return GetLastError() == ERROR_BROKEN_PIPE ? 0 : windows_failure();
}

int64_t windows_write_pipe(int handle, const void *bytes, size_t count) {
  DWORD n = 0;
  OVERLAPPED call = private_call();
  BOOL is_done = WriteFile(handle_of(handle), bytes, (DWORD)count, &n, &call);
  if (is_done) return n;
  if (GetLastError() != ERROR_IO_PENDING) return windows_failure();
  if (*mode_of(handle)) CancelIoEx(handle_of(handle), &call);
  if (GetOverlappedResult(handle_of(handle), &call, &n, TRUE)) return n;
  if (GetLastError() != ERROR_OPERATION_ABORTED) return windows_failure();
  return call.InternalHigh > 0 ? (int64_t)call.InternalHigh : -EAGAIN;
}

void pipe_pair(int ends[2], int is_non_blocking) {
  static volatile LONG count;
  wchar_t name[80];
  swprintf(
      name, sizeof name / sizeof *name, L"\\\\.\\pipe\\conformance-%lu-%ld", GetCurrentProcessId(),
      InterlockedIncrement(&count));
  DWORD mode = PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE;
  HANDLE read = CreateNamedPipeW(name, mode, PIPE_TYPE_BYTE, 1, 65536, 65536, 0, NULL);
  CHECK_TRUE(read != INVALID_HANDLE_VALUE);
  DWORD access = GENERIC_WRITE | FILE_READ_ATTRIBUTES;
  HANDLE write = CreateFileW(name, access, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
  CHECK_TRUE(write != INVALID_HANDLE_VALUE);
  ends[0] = (int)(intptr_t)read;
  ends[1] = (int)(intptr_t)write;
  for (int i = 0; i < 2; i++) set_non_blocking(ends[i], is_non_blocking);
}
#endif
