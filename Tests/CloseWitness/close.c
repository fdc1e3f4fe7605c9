// Ends the test program at the first close(2) of a number that is not open.
//
// Code that closes a number twice closes, the second time, what another thread has got under that number in between.
// The other thread then sees a refused connection, bytes that are not its own, or silence, a long way from the fault
// and once in ten runs. When nobody was given the number the second close fails with EBADF, and that is nearly always:
// so the fault is told where it is made, in each run of the tests, for the library as well as for the tests themselves.
//
// A definition in the program stands before the C library's, for its own calls and for those of shared libraries. The C
// library's calls of itself (fclose, closedir) do not come here. The sanitizers have a close(2) of their own, which has
// to see every call: there is no witness then.
#include "CloseWitness.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#if defined(__linux__) && !defined(HAS_SANITIZER)

#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

bool close_witness_watches(void) { return true; }

static void tell(int fd) {
  char text[96];
  int count = snprintf(text, sizeof text, "close(%d): nothing is open under this number; is it closed twice?\n", fd);
  if (write(STDERR_FILENO, text, (size_t)count) != count) return;
  void *frames[32];
  backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
}

// A negative number is nobody's: to close one is needless, and harmless.
int close(int fd) {
  int result = (int)syscall(SYS_close, fd);
  if (result < 0 && errno == EBADF && fd >= 0) {
    tell(fd);
    abort();
  }
  return result;
}

#else

bool close_witness_watches(void) { return false; }

#endif
