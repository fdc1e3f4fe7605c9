// What the files for Windows take from Microsoft's C library, over the host's: wine has that library only for programs
// that use it for everything.
#include "win32.h"

#undef GetFileInformationByHandle
#undef GetModuleFileNameA
#undef GetModuleFileNameW

#include <direct.h>
#include <io.h>
#include <process.h>

// MARK: Text in UTF-16

size_t crt_wcslen(const WCHAR *text) { return (size_t)lstrlenW(text); }

WCHAR *crt_wcscpy(WCHAR *place, const WCHAR *text) {
  return memcpy(place, text, (crt_wcslen(text) + 1) * sizeof *text);
}

WCHAR *crt_wcschr(const WCHAR *text, WCHAR letter) {
  for (;; text++) {
    if (*text == letter) return (WCHAR *)(uintptr_t)text;
    if (!*text) return NULL;
  }
}

WCHAR *crt_wcspbrk(const WCHAR *text, const WCHAR *letters) {
  for (; *text; text++) {
    if (crt_wcschr(letters, *text)) return (WCHAR *)(uintptr_t)text;
  }
  return NULL;
}

WCHAR *_wcsdup(const WCHAR *text) {
  WCHAR *copy = calloc(crt_wcslen(text) + 1, sizeof *copy);
  return copy ? crt_wcscpy(copy, text) : NULL;
}

int _wcsicmp(const WCHAR *first, const WCHAR *second) {
  return CompareStringOrdinal(first, -1, second, -1, TRUE) - CSTR_EQUAL;
}

// MARK: Files

static int status_of(BOOL has_succeeded) {
  if (has_succeeded) return 0;
  errno = -win32_last();
  return -1;
}

int _mkdir(const char *path) { return status_of(CreateDirectoryA(path, NULL)); }
int _rmdir(const char *path) { return status_of(RemoveDirectoryA(path)); }
// The host's header of it cannot be included beside Winsock's.
int dup2(int from, int to);
int _dup2(int from, int to) { return dup2(from, to); }

DWORD crt_temporary_path(DWORD size, char *path) {
  static const char folder[] = "/tmp/";
  if (size < sizeof folder) return sizeof folder;
  strcpy(path, folder);
  return sizeof folder - 1;
}

// Wine's server makes a handle of the host's number. A handle is made once for each file.
NTSTATUS CDECL wine_server_fd_to_handle(int fd, unsigned access, unsigned attributes, HANDLE *handle);

intptr_t _get_osfhandle(int number) {
  enum { NUMBERS = 1024 };
  static struct {
    uint64_t device, inode;
    HANDLE handle;
  } known[NUMBERS];
  struct stat now;
  HANDLE handle;
  if (number >= NUMBERS || fstat(number, &now) != 0) return -1;
  if (known[number].handle && known[number].device == now.st_dev && known[number].inode == now.st_ino) {
    return (intptr_t)known[number].handle;
  }
  if (wine_server_fd_to_handle(number, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, 0, &handle)) return -1;
  known[number].device = now.st_dev;
  known[number].inode = now.st_ino;
  known[number].handle = handle;
  return (intptr_t)handle;
}

NTSTATUS CDECL wine_server_handle_to_fd(HANDLE handle, unsigned access, int *number, unsigned *options);
int close(int number);

BOOL crt_file_information(HANDLE handle, BY_HANDLE_FILE_INFORMATION *information) {
  struct stat host;
  int number;
  if (GetFileInformationByHandle(handle, information)) return TRUE;
  if (wine_server_handle_to_fd(handle, 0, &number, NULL)) return FALSE;
  int status = fstat(number, &host);
  close(number);
  if (status != 0 || !S_ISREG(host.st_mode)) return FALSE;
  *information = (BY_HANDLE_FILE_INFORMATION){
      .dwFileAttributes = FILE_ATTRIBUTE_NORMAL, .dwVolumeSerialNumber = (DWORD)host.st_dev,
      .nFileSizeHigh = (DWORD)((uint64_t)host.st_size >> 32), .nFileSizeLow = (DWORD)host.st_size,
      .nFileIndexHigh = (DWORD)((uint64_t)host.st_ino >> 32), .nFileIndexLow = (DWORD)host.st_ino};
  return TRUE;
}

// MARK: The process

DWORD crt_program_a(HMODULE module, char *path, DWORD size) {
  DWORD count = GetModuleFileNameA(module, path, size);
  if (count == 0 || count + 3 >= size) return size;
  if (count > 3 && strcmp(path + count - 3, ".so") == 0) return count;
  strcpy(path + count, ".so");
  return count + 3;
}

DWORD crt_program_w(HMODULE module, WCHAR *path, DWORD size) {
  DWORD count = GetModuleFileNameW(module, path, size);
  if (count == 0 || count + 3 >= size) return size;
  if (count > 3 && CompareStringOrdinal(path + count - 3, -1, L".so", -1, FALSE) == CSTR_EQUAL) return count;
  crt_wcscpy(path + count, L".so");
  return count + 3;
}

uintptr_t _beginthreadex(
    void *security, unsigned stack, unsigned(__stdcall *body)(void *), void *argument, unsigned flags,
    unsigned *number) {
  // A debug build of Swift has large frames.
  enum { LEAST = 8 << 20 };
  DWORD id;
  HANDLE thread = CreateThread(
      security, stack > LEAST ? stack : LEAST, (LPTHREAD_START_ROUTINE)body, argument,
      flags | STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
  if (number) *number = id;
  if (!thread) errno = EAGAIN;
  return (uintptr_t)thread;
}

int64_t _mkgmtime64(struct tm *time) { return timegm(time); }

static char **environment;

static BOOL CALLBACK copy_environment(PINIT_ONCE once, void *context, void **result) {
  (void)once, (void)context, (void)result;
  char *block = GetEnvironmentStringsA();
  size_t count = 0;
  for (char *entry = block; *entry; entry += strlen(entry) + 1) count++;
  environment = calloc(count + 1, sizeof *environment);
  size_t i = 0;
  for (char *entry = block; environment && *entry; entry += strlen(entry) + 1) environment[i++] = strdup(entry);
  FreeEnvironmentStringsA(block);
  return environment != NULL;
}

char **crt_environment(void) {
  static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
  InitOnceExecuteOnce(&once, copy_environment, NULL, NULL);
  return environment;
}

int _putenv_s(const char *name, const char *value) {
  return SetEnvironmentVariableA(name, *value ? value : NULL) ? 0 : -win32_last();
}
