// The floor of a loop that has other things to do beside its connections: `busy SHAPE PORT`, the server of epoll.c and
// callbacks (../common/busy.h) in the same thread.
//
// hog: a callback in each turn, and a look at the system that does not wait. slow: the next callback's time limits the
// wait, in whole milliseconds: it may come late by one, as with any loop over epoll_wait.
#include "edge.h"

#include "busy_turns.h"

static void look(void) { turn(0); }

static void wait_at_most(uint64_t left_ns) { turn((int)((left_ns + 999999) / 1000000)); }
