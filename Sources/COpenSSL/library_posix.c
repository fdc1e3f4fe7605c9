#if !defined(_WIN32)
#include "library.h"

#include <dlfcn.h>
#include <stdio.h>

// libcrypto comes along as a dependency of libssl, and dlsym on libssl's handle finds its functions as well.

#if defined(__APPLE__)
const char *const library_names[] = {
    "/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib",
    "/usr/local/opt/openssl@3/lib/libssl.3.dylib",
    "libssl.3.dylib",
    NULL,
};
#else
const char *const library_names[] = {"libssl.so.3", "libssl.so.1.1", NULL};
#endif

void *library_open(const char *name, char *reason, size_t size) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library) return library;
  const char *said = dlerror();
  snprintf(reason, size, "%s", said ? said : name);
  return NULL;
}

void *library_function(void *library, const char *name) { return dlsym(library, name); }
#endif
