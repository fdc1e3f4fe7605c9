// The main queue of Dispatch.
#ifndef CASYNCIO_DISPATCH_MAIN_H
#define CASYNCIO_DISPATCH_MAIN_H

#include "CompletionPort.h"

// Return a descriptor that becomes readable when the main queue has something to do, or a negated errno: -ENOSYS if
// this program has no such descriptor (another system, no Dispatch, not the main thread, the child of a fork). Main
// thread.
int casyncio_dispatch_main_handle(void);
// Queue a function, after casyncio_dispatch_main_handle has returned a descriptor. Any thread.
void casyncio_dispatch_main_enqueue(
    void (*CASYNCIO_NONNULL work)(void *CASYNCIO_NULLABLE), void *CASYNCIO_NULLABLE context);
// Run what is queued. Main thread.
void casyncio_dispatch_main_drain(int handle);

#endif
