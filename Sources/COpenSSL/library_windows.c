#if defined(_WIN32)
#include "library.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

// The traps:
//
// - A library's functions are its own: those of libcrypto are not found in libssl. So the one that libssl has loaded is
//   asked as well.
// - A name without a folder would be looked for in the current directory and in those of PATH, where anybody may have
//   put one. It is looked for beside the program and in the system's folder alone; a path is taken as it is.
// - The names have the processor in them.

#if defined(__aarch64__) || defined(_M_ARM64)
#define PROCESSOR "arm64"
#else
#define PROCESSOR "x64"
#endif

const char *const library_names[] = {"libssl-3-" PROCESSOR ".dll", "libssl-1_1-" PROCESSOR ".dll", NULL};
static const char *const crypto_names[] = {"libcrypto-3-" PROCESSOR ".dll", "libcrypto-1_1-" PROCESSOR ".dll"};

void *library_open(const char *name, char *reason, size_t size) {
  wchar_t wide[MAX_PATH + 1];
  DWORD error = ERROR_INVALID_NAME;
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, wide, MAX_PATH + 1) > 0) {
    int is_path = strpbrk(name, "/\\:") != NULL;
    DWORD flags = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | (is_path ? LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR : 0);
    HMODULE library = LoadLibraryExW(wide, NULL, flags);
    if (library) return library;
    error = GetLastError();
  }
  snprintf(reason, size, "%s: error %lu of Windows", name, (unsigned long)error);
  return NULL;
}

void *library_function(void *library, const char *name) {
  FARPROC function = GetProcAddress((HMODULE)library, name);
  for (size_t i = 0; !function && i < sizeof crypto_names / sizeof *crypto_names; i++) {
    HMODULE crypto = GetModuleHandleA(crypto_names[i]);
    if (crypto) function = GetProcAddress(crypto, name);
  }
  void *address;
  memcpy(&address, &function, sizeof address);
  return address;
}
#endif
