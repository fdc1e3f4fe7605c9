#if defined(_WIN32)
#include "win32.h"

#include <signal.h>

// What the console tells a program, as signals: Ctrl-C is SIGINT, Ctrl-Break is SIGBREAK, and the end of the window,
// the session or the machine is SIGTERM. The traps:
//
// - The system calls the handler in a thread of its own, so it may do what a signal's handler may not; but when it
//   returns from the end of a window the process is over. So it does not return from that: the program ends by itself,
//   or the system ends it after some seconds.
// - The handler is one for all, and what it does not take goes to the one before it, of which the last ends the
//   process. So a signal that nobody has installed is not taken.
// - A signal that a program sends to itself or to another does not exist.

enum { SIGNALS = 32 };

static volatile LONG installed[SIGNALS], pending[SIGNALS];
static volatile LONG wake_end = -1;
static volatile LONG interrupts, interrupt_wake_end = -1;

static int number_of(DWORD event) {
  switch (event) {
    case CTRL_C_EVENT: return SIGINT;
    case CTRL_BREAK_EVENT: return SIGBREAK;
    default: return SIGTERM;
  }
}

// The second interrupt is not taken: it ends the process.
static int take_interrupt(int number) {
  LONG end = interrupt_wake_end;
  if (number != SIGINT || end < 0) return 0;
  if (InterlockedIncrement(&interrupts) == 2) InterlockedExchange(&interrupt_wake_end, -1);
  casyncio_wake_signal(end);
  return 1;
}

static BOOL WINAPI on_event(DWORD event) {
  int number = number_of(event);
  if (installed[number]) {
    InterlockedExchange(&pending[number], 1);
    LONG end = wake_end;
    if (end >= 0) casyncio_wake_signal(end);
  } else if (!take_interrupt(number)) {
    return FALSE;
  }
  if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) Sleep(INFINITE);
  return TRUE;
}

static BOOL CALLBACK add_handler(PINIT_ONCE once, void *context, void **result) {
  (void)once, (void)context, (void)result;
  return SetConsoleCtrlHandler(on_event, TRUE);
}

static int watch(void) {
  static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
  return InitOnceExecuteOnce(&once, add_handler, NULL, NULL) ? 0 : win32_last();
}

static int is_told(int number) { return number == SIGINT || number == SIGBREAK || number == SIGTERM; }

const char *casyncio_known_signals(void) { return "SIGINT, SIGBREAK and SIGTERM"; }

// A process without a console still hears of the end of the session and of the machine.
static int has_console(void) { return GetConsoleCP() != 0; }

int casyncio_signal_number(const char *name) {
  (void)name;
  return 0;
}

int casyncio_signal_install(int number) {
  if (!is_told(number)) return -EINVAL;
  if (number != SIGTERM && !has_console()) return -ENXIO;
  int status = watch();
  if (status == 0) InterlockedExchange(&installed[number], 1);
  return status;
}

int casyncio_signal_restore(int number) {
  if (!is_told(number)) return -EINVAL;
  InterlockedExchange(&installed[number], 0);
  return 0;
}

int casyncio_signal_take(int number) {
  return number > 0 && number < SIGNALS ? (int)InterlockedExchange(&pending[number], 0) : 0;
}

void casyncio_signal_set_wake(int write_end) { InterlockedExchange(&wake_end, write_end); }

int casyncio_interrupt_install(int end) {
  if (installed[SIGINT]) return 0;
  int status = watch();
  if (status < 0) return status;
  InterlockedExchange(&interrupts, 0);
  InterlockedExchange(&interrupt_wake_end, end);
  return 1;
}

void casyncio_interrupt_restore(void) { InterlockedExchange(&interrupt_wake_end, -1); }

int casyncio_interrupt_count(void) { return (int)interrupts; }

// As the system itself ends a program at Ctrl-C: by this status.
void casyncio_end_by_signal(int number) {
  (void)number;
  TerminateProcess(GetCurrentProcess(), 0xC000013A);
}

void casyncio_ignore_sigpipe(void) {}
#endif
