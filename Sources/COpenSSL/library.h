// Where OpenSSL is on each system, and how it is loaded there.
#ifndef COPENSSL_LIBRARY_H
#define COPENSSL_LIBRARY_H

#include <stddef.h>

// Names and paths of libssl to try, in this order; ends with a null.
extern const char *const library_names[];
// Load libssl, and libcrypto with it. Returns null and writes why not.
void *library_open(const char *name, char *reason, size_t size);
// Return the address of a function of either; null if there is none of this name.
void *library_function(void *library, const char *name);

#endif
