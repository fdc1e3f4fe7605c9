// What Swift's module of the C library leaves out, for the micro benchmarks: cores and eventfds.

#ifndef CMICRO_H
#define CMICRO_H

// Keeps the calling thread on one core. Threads that it makes later begin there, too. On a machine without that core
// everything stays as it is.
void cmicro_pin(int core);

// An eventfd that one thread rings and one blocks on; -1 if there is none.
int cmicro_bell(void);
void cmicro_bell_ring(int bell);
void cmicro_bell_wait(int bell);

#endif
