// What the files of the world of Windows share.
#ifndef WINDOWS_WORLD_H
#define WINDOWS_WORLD_H

#include <stddef.h>
#include <stdint.h>

// The negated errno for the last error.
int windows_failure(void);

void windows_set_pipe_mode(int handle, int is_non_blocking);
int64_t windows_read_pipe(int handle, void *bytes, size_t count);
int64_t windows_write_pipe(int handle, const void *bytes, size_t count);

#endif
