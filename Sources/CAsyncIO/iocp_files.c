#if defined(_WIN32)
#include "iocp.h"

#include <errno.h>

// Pipes, and processes. The traps:
//
// - Only a handle that was opened for overlapped calls can be used: another one would wait in the call itself. It says
//   so when it is asked for its mode, and is refused.
// - A pipe is not polled. A read of nothing waits until there is something; a write has no such thing, so a pipe is
//   always said to be writable.
// - A pipe that is tied to another port cannot send its packets here. Such a call has an event of its own, whose lowest
//   bit keeps the packet away from the other port; a thread of the system waits for the event.
// - A write is cut into steps, so that little is on its way if it is cancelled; how much of that step is gone is what
//   the system says.
// - A process is waited for by a thread of the system as well. Its end and the request to cancel race; the first one
//   tells the port, and there is no other packet.

enum { WRITE_STEP = 4096, SYNCHRONOUS_MODES = 0x10 | 0x20, MODE_OF_FILE = 16 };

NTSYSAPI NTSTATUS NTAPI NtQueryInformationFile(
    HANDLE handle, PIO_STATUS_BLOCK status, PVOID information, ULONG length, FILE_INFORMATION_CLASS class);

static int is_overlapped(HANDLE handle) {
  IO_STATUS_BLOCK status;
  ULONG mode = 0;
  NTSTATUS error =
      NtQueryInformationFile(handle, &status, &mode, sizeof mode, (FILE_INFORMATION_CLASS)MODE_OF_FILE);
  return error < 0 || (mode & SYNCHRONOUS_MODES) == 0;
}

// MARK: Threads of the system that wait

// Tell the port; runs in such a thread. The operation stays until the packet is taken.
static void CALLBACK tell_port(void *context, BOOLEAN timed_out) {
  struct iocp_operation *operation = context;
  (void)timed_out;
  if (InterlockedExchange(&operation->is_told, 1)) return;
  PostQueuedCompletionStatus(operation->port->iocp, 0, KEY_WAITED, &operation->overlapped);
}

static int wait_for(struct iocp_operation *operation, HANDLE handle) {
  operation->is_told = 0;
  operation->port->calls.others++;
  ULONG flags = WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD;
  if (RegisterWaitForSingleObject(&operation->wait, handle, tell_port, operation, INFINITE, flags)) return 0;
  operation->wait = NULL;
  return win32_negated(GetLastError());
}

int iocp_use_event(struct iocp_operation *operation) {
  if (!operation->event) operation->event = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!operation->event) return win32_negated(GetLastError());
  ResetEvent(operation->event);
  operation->overlapped.hEvent = (HANDLE)((uintptr_t)operation->event | 1);
  return 0;
}

int64_t iocp_wait_for_event(struct iocp_operation *operation) {
  int error = wait_for(operation, operation->event);
  if (error == 0) return IOCP_PENDING;
  // Nobody would say when it ends.
  DWORD n;
  CancelIoEx(operation->target, &operation->overlapped);
  GetOverlappedResult(operation->target, &operation->overlapped, &n, TRUE);
  return error;
}

// MARK: Reading and writing

static BOOL call(struct iocp_operation *operation, DWORD *n) {
  casyncio_record *record = operation->record;
  uint64_t left = record->count - record->transferred;
  char *bytes = (char *)record->buffer + record->transferred;
  operation->port->calls.others++;
  if (record->kind == CASYNCIO_KIND_WRITE) {
    DWORD length = left > WRITE_STEP ? WRITE_STEP : (DWORD)left;
    return WriteFile(iocp_handle(record), bytes, length, n, &operation->overlapped);
  }
  // A watch reads nothing.
  DWORD length = record->kind == CASYNCIO_KIND_WATCH ? 0 : left > INT32_MAX ? INT32_MAX : (DWORD)left;
  return ReadFile(iocp_handle(record), bytes, length, n, &operation->overlapped);
}

// What has ended at once: the result, or IOCP_PENDING after a step that is followed by another.
static int64_t at_once(struct iocp_operation *operation, BOOL has_succeeded, DWORD error, DWORD n) {
  casyncio_record *record = operation->record;
  if (!has_succeeded && error != ERROR_MORE_DATA) {
    int is_end = error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF;
    if (record->kind == CASYNCIO_KIND_READ && is_end) return 0;
    if (record->kind == CASYNCIO_KIND_WATCH && is_end) return CASYNCIO_HANGUP;
    return win32_negated(error);
  }
  if (record->kind == CASYNCIO_KIND_WATCH) return CASYNCIO_READABLE;
  if (record->kind == CASYNCIO_KIND_READ) return n;
  record->transferred += n;
  return record->transferred < record->count ? IOCP_PENDING : (int64_t)record->count;
}

int64_t iocp_transfer(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  int owner = iocp_claim(operation, 0);
  if (owner < 0) return owner;
  if (owner == IOCP_ELSEWHERE && !is_overlapped(iocp_handle(record))) return -EINVAL;
  if (record->count == 0 && record->kind != CASYNCIO_KIND_WATCH) return 0;
  for (;;) {
    iocp_clear(operation, iocp_handle(record));
    int status = owner == IOCP_ELSEWHERE ? iocp_use_event(operation) : 0;
    if (status < 0) return status;
    DWORD n = 0;
    BOOL has_succeeded = call(operation, &n);
    DWORD error = has_succeeded ? 0 : GetLastError();
    if (error == ERROR_IO_PENDING) return owner == IOCP_ELSEWHERE ? iocp_wait_for_event(operation) : IOCP_PENDING;
    int has_packet = owner == IOCP_OURS && !(record->flags & FLAG_SKIPS);
    if (has_packet && (has_succeeded || error == ERROR_MORE_DATA)) return IOCP_PENDING;
    int64_t result = at_once(operation, has_succeeded, error, n);
    if (result != IOCP_PENDING) return result;
  }
}

// MARK: Watching

int64_t iocp_watch_other(struct iocp_operation *operation) {
  casyncio_record *record = operation->record;
  DWORD code;
  if (GetExitCodeProcess(iocp_handle(record), &code)) {
    iocp_clear(operation, NULL);
    int error = wait_for(operation, iocp_handle(record));
    return error < 0 ? error : IOCP_PENDING;
  }
  DWORD type = GetFileType(iocp_handle(record));
  // As epoll says it of a file that is always ready.
  if (type == FILE_TYPE_DISK) return -EPERM;
  if (type != FILE_TYPE_PIPE) return -EBADF;
  uint32_t events = (uint32_t)record->count;
  if (events & CASYNCIO_WRITABLE) return CASYNCIO_WRITABLE;
  return iocp_transfer(operation);
}
#endif
