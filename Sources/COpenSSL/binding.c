#include "COpenSSL.h"

#include "library.h"

#include <stdio.h>
#include <string.h>

// Finding the library, and its functions in it.

static void *open_library(const char *path, const char **found, char *detail, size_t size) {
  const char *const given[] = {path, NULL};
  size_t used = 0;
  detail[0] = 0;
  for (const char *const *name = path ? given : library_names; *name; name++) {
    char reason[256];
    void *library = library_open(*name, reason, sizeof reason);
    if (library) {
      *found = *name;
      return library;
    }
    int written = snprintf(detail + used, size - used, "%s%s", used ? "; " : "", reason);
    if (written > 0 && used + (size_t)written < size) used += (size_t)written;
  }
  return NULL;
}

// The name of the first function that must be there and is not; NULL if all are.
static const char *bind_functions(void *library, casyncio_openssl *functions) {
  // POSIX wants a pointer to data to hold a function's address; going by way of memory says so to the compiler.
#define FUNCTION(result, name, parameters)                 \
  {                                                        \
    void *address = library_function(library, #name);                 \
    if (!address) return #name;                            \
    memcpy(&functions->name, &address, sizeof address);    \
  }
#define RENAMED(result, name, old, parameters)             \
  {                                                        \
    void *address = library_function(library, #name);                 \
    if (!address) address = library_function(library, #old);          \
    if (!address) return #name;                            \
    memcpy(&functions->name, &address, sizeof address);    \
  }
#include "openssl_functions.def"
#undef FUNCTION
#undef RENAMED
  return NULL;
}

int casyncio_openssl_bind(casyncio_openssl *functions, const char *path, char *detail, size_t detail_size) {
  memset(functions, 0, sizeof *functions);
  void *library = open_library(path, &functions->library, detail, detail_size);
  if (!library) return CASYNCIO_OPENSSL_NOT_FOUND;

  const char *missing = bind_functions(library, functions);
  unsigned long (*version_number)(void) = functions->OpenSSL_version_num;
  functions->version = version_number ? version_number() : 0;
  const char *text = functions->OpenSSL_version ? functions->OpenSSL_version(0) : functions->library;
  // LibreSSL calls itself 2.0.0 in this number. 0x1010100f is 1.1.1; 3.x begins with 3.
  unsigned long version = functions->version;
  if (version < 0x10101000UL || version >> 28 == 2) {
    snprintf(detail, detail_size, "%s", text);
    return CASYNCIO_OPENSSL_WRONG_VERSION;
  }
  if (missing) {
    snprintf(detail, detail_size, "%s has no %s", text, missing);
    return CASYNCIO_OPENSSL_LACKS;
  }
  // The first call, so that it decides. At exit OpenSSL would free what other threads still use, and they crash.
  functions->OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
  return CASYNCIO_OPENSSL_OK;
}
