// What Swift's module of the C library leaves out, for the micro benchmarks: cores and eventfds.

#ifndef CMICROSUPPORT_H
#define CMICROSUPPORT_H

// Keeps the calling thread on one core. Threads that it makes later also begin there. On a machine without that core
// everything stays as it is.
void csupport_pin(int core);

// An eventfd that one thread rings and one blocks on; -1 if there is none.
int csupport_bell(void);
void csupport_bell_ring(int bell);
void csupport_bell_wait(int bell);

#endif
