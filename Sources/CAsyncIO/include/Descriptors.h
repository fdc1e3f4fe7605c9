// What numbers of open files can be asked for and told, whatever the files are. Each function returns a value >= 0, or
// the negated errno, and makes a call again that a signal has interrupted, unless it says otherwise.
#ifndef CASYNCIO_DESCRIPTORS_H
#define CASYNCIO_DESCRIPTORS_H

#include "CompletionPort.h"
#include "Platform.h"

// MARK: Modes

int casyncio_set_nonblocking(int fd);
int casyncio_set_blocking(int fd);
// Return 1 or 0.
int casyncio_is_nonblocking(int fd);
// Return what it was opened for: 1 reading, 2 writing, 3 both.
int casyncio_access_mode(int fd);
int casyncio_set_close_on_exec(int fd);

// Read the limit on open files; a plain function, because the resource's name has another type on every platform.
int casyncio_open_file_limit(struct rlimit *CASYNCIO_NONNULL limit);

// MARK: Numbers

// Close. An interrupted call has closed as well, and is not made again.
int casyncio_close(int fd);

// Move the result of a call that makes a descriptor. Returns the descriptor, with a number of 3 or more and closed on
// exec, or the negated errno. The numbers below 3 are standard input, output and error even while they are closed:
// children inherit them, and any library that has a message writes it to 2.
int casyncio_move_above_standard(int fd);
static inline int casyncio_above_standard(int fd) {
  return fd > 2 ? fd : casyncio_move_above_standard(fd);
}

// Do the same for a call that makes two descriptors, given the call's status. Returns 0, or the negated errno with both
// closed.
int casyncio_both_above_standard(int status, int ends[CASYNCIO_NONNULL 2]);

// Make another number for an open file: 3 or more, and closed on exec. Returns it, or the negated errno: -ENOSYS if the
// system has no way to do so.
int casyncio_duplicate(int fd);

// Open the file of a descriptor once more, as an open file of its own that blocks and is closed on exec: a pipe, a
// FIFO, a terminal, the null device and its kin. Returns the negated errno if the system has no way to do so, if the
// file is of another kind, or if this process may not open it.
int casyncio_reopen_blocking(int fd);

// MARK: Which file

enum {
  // An object of the kernel without a type; all of them share one number.
  CASYNCIO_FILE_UNTYPED = 0,
  CASYNCIO_FILE_REGULAR,
  CASYNCIO_FILE_DIRECTORY,
  CASYNCIO_FILE_FIFO,
  CASYNCIO_FILE_SOCKET,
  CASYNCIO_FILE_CHARACTER_DEVICE,
  CASYNCIO_FILE_OTHER,
};

typedef struct casyncio_file {
  // The two numbers that say which file it is, for as long as it is open.
  uint64_t device;
  uint64_t inode;
  // In bytes, of a regular file.
  int64_t size;
  // One of CASYNCIO_FILE_.
  int kind;
} casyncio_file;

// Say which file a number stands for.
int casyncio_file_of(int fd, casyncio_file *CASYNCIO_NONNULL file);
// Say which file is at a path; a link is a file of its own.
int casyncio_file_at(const char *CASYNCIO_NONNULL path, casyncio_file *CASYNCIO_NONNULL file);

// MARK: Bytes

// Read or write once, without waiting if the file is non-blocking. Not for sockets.
ptrdiff_t casyncio_read(int fd, void *CASYNCIO_NULLABLE memory, size_t count);
ptrdiff_t casyncio_write(int fd, const void *CASYNCIO_NULLABLE bytes, size_t count);

#endif
