// Signals, with handlers that are safe in signal context.
#ifndef CASYNCIO_SIGNALS_H
#define CASYNCIO_SIGNALS_H

#include "CompletionPort.h"

// Install or remove the process-wide handler of one signal. The handler sets a pending bit and then signals the wake
// end: a byte in a full pipe can be lost, a bit cannot. Removing restores the earlier action. Callers serialise these
// two calls.
//
// -ENXIO: the signal would come from a console, and the process has none.
int casyncio_signal_install(int number);
int casyncio_signal_restore(int number);
// Return which signals a program is told of, in words; null if it is told of all that can be caught.
const char *CASYNCIO_NULLABLE casyncio_known_signals(void);
// Return the number of a signal that programs may use as they like, by its name, with or without "SIG"; 0 if it is none
// of these.
int casyncio_signal_number(const char *CASYNCIO_NONNULL name);
// Take and clear the pending bit. Returns 1 if the signal came since the last call, else 0.
int casyncio_signal_take(int number);
// Set the write end that the handler signals, or -1 for none.
void casyncio_signal_set_wake(int write_end);
// Install a handler that counts SIGINT and signals the wake end, if the signal has its default action. Returns 1 then,
// 0 if it has another action, or the negated errno. The second signal restores the default action by itself. For one
// run at a time: callers serialise this and casyncio_interrupt_restore with the installs above.
int casyncio_interrupt_install(int wake_end);
// Restore the default action, unless other code has installed an action meanwhile.
void casyncio_interrupt_restore(void);
// Return how often the signal came since the install.
int casyncio_interrupt_count(void);
// End the process by the default action of a signal.
void casyncio_end_by_signal(int number);
// Ignore SIGPIPE if it still has its default action.
void casyncio_ignore_sigpipe(void);

#endif
