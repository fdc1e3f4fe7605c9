// What a simulation changes in the program that links it. Everything here concerns only threads that run a simulation,
// between csimulation_enter and csimulation_leave; other threads see the system. Only the hashing is the whole
// program's: it is fixed before main, because a Set's order would otherwise differ from run to run.
#ifndef CSIMULATION_H
#define CSIMULATION_H

#include <stddef.h>
#include <stdint.h>

// Makes the clocks of this thread show *now, in nanoseconds, from here on. The routes get `context`.
void csimulation_enter(const int64_t *now, void *context);
void csimulation_leave(void);

// Sets where the jobs go that a simulated thread gives to the default executor. Once, before the first simulation;
// later calls do nothing.
void csimulation_route(void (*global_job)(void *job, void *context));

// 1 if jobs are routed on this platform.
int csimulation_can_route(void);

// The system's monotonic clock, even inside a simulation.
int64_t csimulation_real_nanoseconds(void);

// Lets other threads run for a moment of real time.
void csimulation_pause(void);

// The name of this thread; "" if it has none, "main" for the main thread.
void csimulation_thread_name(char *name, size_t size);

#endif
