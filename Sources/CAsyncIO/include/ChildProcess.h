// Child processes: what Swift cannot do between a fork and an exec, and calls without a wrapper in C libraries.
#ifndef CASYNCIO_CHILD_PROCESS_H
#define CASYNCIO_CHILD_PROCESS_H

#include <stdint.h>

#include "CompletionPort.h"

// What to start, and as what.
typedef struct casyncio_spawn_request {
  // Paths of the program, tried in this order as execvp(3) does; ends with a null.
  const char *CASYNCIO_NULLABLE const *CASYNCIO_NONNULL candidates;
  // Both end with a null; no environment means this process's.
  char *CASYNCIO_NULLABLE const *CASYNCIO_NONNULL arguments;
  char *CASYNCIO_NULLABLE const *CASYNCIO_NULLABLE environment;
  // Null: this process's.
  const char *CASYNCIO_NULLABLE directory;
  // The child's standard input, output and error; nothing else is left open in it.
  int input;
  int output;
  int error;
  uint32_t flags;
} casyncio_spawn_request;

enum {
  // The child leads a new process group.
  CASYNCIO_SPAWN_NEW_GROUP = 1 << 0,
  // The child leads a new session, without a terminal.
  CASYNCIO_SPAWN_NEW_SESSION = 1 << 1,
  // The last argument is a command of the shell. On Windows it is handed on as it is: the shell there takes its line
  // apart by rules of its own.
  CASYNCIO_SPAWN_COMMAND = 1 << 2,
};

// The step at which a start has failed.
enum {
  CASYNCIO_SPAWN_STEP_PROGRAM = 0,
  CASYNCIO_SPAWN_STEP_DIRECTORY,
  CASYNCIO_SPAWN_STEP_DESCRIPTORS,
};

// Start a program. Returns 0, or the negated errno and the step that failed; then there is no child. Blocks until the
// program is loaded.
int casyncio_spawn(
    const casyncio_spawn_request *CASYNCIO_NONNULL request, int64_t *CASYNCIO_NONNULL process,
    int *CASYNCIO_NONNULL step);

// How a child ended.
typedef struct casyncio_child_end {
  // The number of the signal that ended it, or 0 and the exit status.
  int signal;
  int status;
} casyncio_child_end;

enum {
  // Wait until the child has ended.
  CASYNCIO_WAIT_BLOCKING = 1 << 0,
  // Do not reap the child: it can be waited for again.
  CASYNCIO_WAIT_KEEP = 1 << 1,
};

// Ask how the child ended. Returns 1 if it has ended, 0 if it has not, else the negated errno: -ECHILD if other code
// has taken its status. `descriptor` is the child's process descriptor (pidfd), or -1.
int casyncio_process_wait(
    int64_t process, int descriptor, uint32_t flags, casyncio_child_end *CASYNCIO_NONNULL end);

// Return a descriptor of a child process that is readable when the process has ended (Linux 5.3), or the negated errno.
int casyncio_process_open(int64_t process);

// Send a signal by the descriptor if there is one, else by the number. Returns 0, or the negated errno.
int casyncio_process_signal(int64_t process, int descriptor, int signal);

// Send a signal to the group that the process leads.
int casyncio_group_signal(int64_t process, int signal);

// Which end of a pipe a loop of this process uses. On Windows that end is one for overlapped calls, which the standard
// streams of most programs must not be; elsewhere the ends are alike.
enum {
  CASYNCIO_PIPE_READ_HERE = 1 << 0,
  CASYNCIO_PIPE_WRITE_HERE = 1 << 1,
};

// Make a pipe whose two ends block and are closed on exec. Returns 0, or the negated errno.
int casyncio_pipe(uint32_t here, int *CASYNCIO_NONNULL read_end, int *CASYNCIO_NONNULL write_end);

// Open the null device, for reading and writing. Returns its descriptor, or the negated errno.
int casyncio_open_null(void);

// Return the number of this process.
int64_t casyncio_process_number(void);

// Return the file of this program, to be freed; null if the system does not say.
char *CASYNCIO_NULLABLE casyncio_program(void);

// Return an environment variable of this process, as long as nothing changes it; null if it is not set.
const char *CASYNCIO_NULLABLE casyncio_environment_variable(const char *CASYNCIO_NONNULL name);

// Return the environment of this process.
char *CASYNCIO_NULLABLE const *CASYNCIO_NULLABLE casyncio_environment(void);

// MARK: Where programs are

// Return 1 if the name of a program says in which directory it is; else it is looked for in those of PATH.
int casyncio_has_directory(const char *CASYNCIO_NONNULL program);
// Return 1 for the name of the variable PATH, in any case where the system has no difference.
int casyncio_is_path(const char *CASYNCIO_NONNULL variable);
// Return what PATH is where it is not set, and what stands between its directories.
const char *CASYNCIO_NONNULL casyncio_default_path(void);
char casyncio_path_separator(void);
// Return the system's shell, and the option before a command.
const char *CASYNCIO_NONNULL casyncio_shell(void);
const char *CASYNCIO_NONNULL casyncio_shell_option(void);

#endif
