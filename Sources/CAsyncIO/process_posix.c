#if !defined(_WIN32)
#include "CAsyncIO.h"

int64_t casyncio_process_number(void) { return getpid(); }

const char *casyncio_environment_variable(const char *name) { return getenv(name); }
#endif
