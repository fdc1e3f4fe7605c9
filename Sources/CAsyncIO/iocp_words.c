#if defined(_WIN32)
#include "CompletionPort.h"

#include <errno.h>

// I/O completion ports in words, for reports and errors. Every Windows has them.

const char *casyncio_port_name(void) { return "iocp"; }
const char *casyncio_port_title(void) { return "the I/O completion port"; }

const char *casyncio_port_step_name(int step) {
  return step == CASYNCIO_STEP_SELF_TEST ? "the self-test (a connection over the loopback)"
                                         : "set-up (CreateIoCompletionPort, AcceptEx, ConnectEx, AFD)";
}

const char *casyncio_port_advice(int step, int error) {
  (void)step;
  switch (error) {
    case ENOMEM:
    case EMFILE:
    case ENOBUFS: return "The system is short of memory or handles: end programs, and try again.";
    case EACCES:
    case EPERM:
    case ETIMEDOUT:
      return "A firewall may be between this program and itself: allow it to use 127.0.0.1; or use the selector loop.";
    default:
      return "A layer above the system's sockets may be in the way: see `netsh winsock show catalog`; or use the "
             "selector loop.";
  }
}
#endif
