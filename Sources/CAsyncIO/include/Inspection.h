// What those who look at a process from outside need of the system. Each function returns a value >= 0, or the negated
// errno; -ENOSYS: the system has no such thing.
#ifndef CASYNCIO_INSPECTION_H
#define CASYNCIO_INSPECTION_H

#include "CompletionPort.h"
#include "Platform.h"

// Return the user that this process acts for.
int64_t casyncio_user(void);
// Return the user of the process at the other end of a Unix socket, as of the connect.
int64_t casyncio_peer_user(int socket);
// Return the user whom a directory belongs to. -EPERM: others may use it as well; -ENOTDIR: it is something else, or a
// link.
int64_t casyncio_private_directory(const char *CASYNCIO_NONNULL path);
// Make a directory that only this user may use; returns 0 as well if something of that name is there.
int casyncio_make_private_directory(const char *CASYNCIO_NONNULL path);
// Remove a name when this process ends by itself, and not in a child of a fork. One name at a time; null for none. The
// name is copied.
int casyncio_remove_at_end(const char *CASYNCIO_NULLABLE path);
// Return the user whom a process of this number belongs to. -ESRCH: there is none.
int64_t casyncio_user_of_process(int64_t process);

// Return the microseconds that a TCP connection takes there and back, smoothed; 0 if that is not known yet.
int64_t casyncio_round_trip(int socket);

// Return the name of a system call in which a thread may wait for long; null for others.
const char *CASYNCIO_NULLABLE casyncio_call_name(int64_t number);
// Return how many lines a terminal has; 0 if it is none or does not say.
int casyncio_terminal_rows(int fd);
// Return how many ticks a second has in the system's figures of processor time.
int64_t casyncio_ticks_per_second(void);

#endif
