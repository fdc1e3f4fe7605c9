// Files: their bytes by offset, on the way to a socket, and their names. Each function returns a value >= 0, or the
// negated errno.
#ifndef CASYNCIO_FILES_H
#define CASYNCIO_FILES_H

#include "CompletionPort.h"
#include "Platform.h"

// Return what a number of the C library's, as in swift-system's FileDescriptor, is to the functions here: itself, or on
// Windows the number of its handle.
int casyncio_handle_of_file(int descriptor);
// Read from an offset on, and leave the file's position alone. -ESPIPE: the file has no offsets.
ptrdiff_t casyncio_read_at(int fd, void *CASYNCIO_NONNULL memory, size_t count, int64_t offset);
// Set the file's position.
int casyncio_set_position(int fd, int64_t offset);
// Send bytes of a file from an offset on, and leave the file's position alone. Returns the number of bytes, 0 at the
// end of the file, or the negated errno: -EINVAL and -ENOSYS if the system cannot do it with this file or at all.
int64_t casyncio_sendfile(int socket, int file, int64_t offset, size_t count);

// Set the permissions of a file.
int casyncio_set_permissions(const char *CASYNCIO_NONNULL path, uint32_t permissions);
// Remove the name of a file.
int casyncio_remove(const char *CASYNCIO_NONNULL path);
// Return the directory that relative paths start from, to be freed; null if the system does not say.
char *CASYNCIO_NULLABLE casyncio_current_directory(void);

#endif
