#if defined(_WIN32)
#include "win32.h"

// This process, and where the system has programs. The traps:
//
// - What starts a command is a variable, ComSpec, and a program of the system where that is not set.
// - The shell leaves out the first quote and the last one of what it is given if it is told so, and else only if there
//   are no others: so it is told, see command_line_windows.c.

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

char *casyncio_program(void) {
  // The longest path that the system has.
  enum { MOST = 32767 };
  WCHAR *wide = calloc(MOST + 1, sizeof *wide);
  DWORD count = wide ? GetModuleFileNameW(NULL, wide, MOST + 1) : 0;
  char *path = count > 0 && count <= MOST ? win32_narrow(wide) : NULL;
  free(wide);
  return path;
}

// MARK: Where programs are

int casyncio_has_directory(const char *program) { return strpbrk(program, "/\\:") != NULL; }
int casyncio_is_path(const char *variable) { return _stricmp(variable, "PATH") == 0; }
char casyncio_path_separator(void) { return ';'; }

// Found once.
static char system_folder[MAX_PATH + 1], shell[MAX_PATH + sizeof "\\cmd.exe"];

static BOOL CALLBACK find_system(PINIT_ONCE once, void *context, void **result) {
  (void)once, (void)context, (void)result;
  UINT count = GetSystemDirectoryA(system_folder, sizeof system_folder);
  if (count == 0 || count >= sizeof system_folder) strcpy(system_folder, "C:\\Windows\\System32");
  strcpy(shell, system_folder);
  strcat(shell, "\\cmd.exe");
  return TRUE;
}

const char *casyncio_default_path(void) {
  static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
  InitOnceExecuteOnce(&once, find_system, NULL, NULL);
  return system_folder;
}

const char *casyncio_shell(void) {
  const char *chosen = casyncio_environment_variable("ComSpec");
  casyncio_default_path();
  return chosen && *chosen ? chosen : shell;
}

const char *casyncio_shell_option(void) { return "/c"; }
#endif
