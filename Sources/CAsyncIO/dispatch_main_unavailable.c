#if !defined(__linux__)
#include "CAsyncIO.h"

// Systems where a loop of this package does not serve the main queue: its handle is never there.

int casyncio_dispatch_main_handle(void) { return -ENOSYS; }
void casyncio_dispatch_main_enqueue(void (*work)(void *), void *context) { (void)work, (void)context; }
void casyncio_dispatch_main_drain(int handle) { (void)handle; }
#endif
