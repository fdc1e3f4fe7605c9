#if defined(_WIN32)
#include "win32.h"

int64_t casyncio_process_number(void) { return GetCurrentProcessId(); }

// The C library has a copy of its own, in the machine's code page. The system's has the values that count.
const char *casyncio_environment_variable(const char *name) {
  static _Thread_local char *last;
  free(last);
  last = NULL;
  WCHAR *wide_name = win32_wide(name);
  DWORD count = wide_name ? GetEnvironmentVariableW(wide_name, NULL, 0) : 0;
  WCHAR *wide = count > 0 ? calloc(count, sizeof *wide) : NULL;
  // Another thread may have made it longer meanwhile, and then it is read as not set.
  if (wide && GetEnvironmentVariableW(wide_name, wide, count) < count) last = win32_narrow(wide);
  free(wide_name);
  free(wide);
  return last;
}

// The C library's copy, as C programs know it.
char *const *casyncio_environment(void) { return _environ; }
#endif
