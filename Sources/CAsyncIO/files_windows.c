#if defined(_WIN32)
#include "win32.h"

#include <io.h>

// Files, and which file a number or a path is. The traps:
//
// - A file's number among those of its volume is known only of a file on a disk. Pipes and sockets are known by their
//   handle, which is theirs as long as it is open, and by what descriptors_windows.c has counted.
// - A Unix socket is a file with a mark of its own (a reparse point), which opening the file would follow.
// - A file that is read from an offset on keeps no position of its own if it was opened for overlapped calls; what was
//   not has its position moved, and moved back.

// The mark of a Unix socket's file.
#ifndef IO_REPARSE_TAG_AF_UNIX
#define IO_REPARSE_TAG_AF_UNIX 0x80000023L
#endif

// MARK: Which file

static int describe(HANDLE handle, casyncio_file *file) {
  BY_HANDLE_FILE_INFORMATION found;
  if (!GetFileInformationByHandle(handle, &found)) return win32_last();
  file->device = found.dwVolumeSerialNumber;
  file->inode = (uint64_t)found.nFileIndexHigh << 32 | found.nFileIndexLow;
  file->size = (int64_t)((uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow);
  file->kind = found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? CASYNCIO_FILE_DIRECTORY : CASYNCIO_FILE_REGULAR;
  FILE_ATTRIBUTE_TAG_INFO tag;
  if ((found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
      GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &tag, sizeof tag)) {
    file->kind = tag.ReparseTag == IO_REPARSE_TAG_AF_UNIX ? CASYNCIO_FILE_SOCKET : CASYNCIO_FILE_OTHER;
  }
  return 0;
}

int casyncio_file_of(int fd, casyncio_file *file) {
  // No volume has this number, which has more bits than theirs.
  *file = (casyncio_file){.device = UINT64_MAX, .inode = win32_making_of(fd), .kind = CASYNCIO_FILE_SOCKET};
  if (fd < 0) return -EBADF;
  if (win32_is_socket(fd)) return 0;
  HANDLE handle = win32_handle(fd);
  switch (GetFileType(handle)) {
    case FILE_TYPE_DISK: return describe(handle, file);
    case FILE_TYPE_PIPE: file->kind = CASYNCIO_FILE_FIFO; return 0;
    case FILE_TYPE_CHAR: file->kind = CASYNCIO_FILE_CHARACTER_DEVICE; return 0;
    default: file->kind = CASYNCIO_FILE_OTHER;
  }
  DWORD flags;
  return GetHandleInformation(handle, &flags) ? 0 : -EBADF;
}

int casyncio_file_at(const char *path, casyncio_file *file) {
  WCHAR *wide = win32_wide(path);
  if (!wide) return -EINVAL;
  DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
  HANDLE handle = CreateFileW(wide, 0, share, NULL, OPEN_EXISTING, flags, NULL);
  int status = handle == INVALID_HANDLE_VALUE ? win32_last() : describe(handle, file);
  free(wide);
  if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
  return status;
}

// MARK: Bytes

#if defined(_MSC_VER)
static void ignore(const wchar_t *what, const wchar_t *function, const wchar_t *file, unsigned line, uintptr_t more) {
  (void)what, (void)function, (void)file, (void)line, (void)more;
}
#endif

int casyncio_handle_of_file(int descriptor) {
#if defined(_MSC_VER)
  // The C library ends a program that asks for a number which is not open.
  _invalid_parameter_handler before = _set_thread_local_invalid_parameter_handler(ignore);
#endif
  intptr_t handle = descriptor < 0 ? -1 : _get_osfhandle(descriptor);
#if defined(_MSC_VER)
  _set_thread_local_invalid_parameter_handler(before);
#endif
  return handle == -1 || handle == -2 ? -EBADF : win32_number((HANDLE)handle);
}

ptrdiff_t casyncio_read_at(int fd, void *memory, size_t count, int64_t offset) {
  HANDLE handle = win32_handle(fd);
  if (GetFileType(handle) != FILE_TYPE_DISK) return -ESPIPE;
  LARGE_INTEGER here = {.QuadPart = 0}, before;
  BOOL has_position = SetFilePointerEx(handle, here, &before, FILE_CURRENT);
  OVERLAPPED call = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
  call.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!call.hEvent) return -ENOMEM;
  HANDLE event = call.hEvent;
  call.hEvent = (HANDLE)((uintptr_t)event | 1);
  DWORD n = 0;
  BOOL done = ReadFile(handle, memory, count > INT32_MAX ? INT32_MAX : (DWORD)count, &n, &call);
  if (!done && GetLastError() == ERROR_IO_PENDING) done = GetOverlappedResult(handle, &call, &n, TRUE);
  DWORD error = done ? 0 : GetLastError();
  CloseHandle(event);
  if (has_position) SetFilePointerEx(handle, before, NULL, FILE_BEGIN);
  if (error == ERROR_HANDLE_EOF) return 0;
  return error ? win32_negated(error) : (ptrdiff_t)n;
}

int casyncio_set_position(int fd, int64_t offset) {
  LARGE_INTEGER place = {.QuadPart = offset};
  return SetFilePointerEx(win32_handle(fd), place, NULL, FILE_BEGIN) ? 0 : win32_last();
}

// The system's way from a file to a socket is one that completes later, on a port. What this answers makes the caller
// copy.
int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count) {
  (void)socket, (void)file, (void)offset, (void)count;
  return -ENOSYS;
}

// MARK: Names

int casyncio_set_permissions(const char *path, uint32_t permissions) {
  (void)path, (void)permissions;
  return -ENOSYS;
}

int casyncio_remove(const char *path) {
  WCHAR *wide = win32_wide(path);
  if (!wide) return -EINVAL;
  int status = DeleteFileW(wide) ? 0 : win32_last();
  free(wide);
  return status;
}

char *casyncio_current_directory(void) {
  DWORD count = GetCurrentDirectoryW(0, NULL);
  WCHAR *wide = count > 0 ? calloc(count, sizeof *wide) : NULL;
  char *path = wide && GetCurrentDirectoryW(count, wide) > 0 ? win32_narrow(wide) : NULL;
  free(wide);
  return path;
}
#endif
