#if !defined(_WIN32)
#include "CAsyncIO.h"

int64_t casyncio_process_number(void) { return getpid(); }

const char *casyncio_environment_variable(const char *name) { return getenv(name); }

// MARK: Where programs are

int casyncio_has_directory(const char *program) { return strchr(program, '/') != NULL; }
int casyncio_is_path(const char *variable) { return strcmp(variable, "PATH") == 0; }
const char *casyncio_default_path(void) { return "/bin:/usr/bin"; }
char casyncio_path_separator(void) { return ':'; }
const char *casyncio_shell(void) { return "/bin/sh"; }
const char *casyncio_shell_option(void) { return "-c"; }
#endif
