// Operations of each kind that nothing ends but a request to.
#ifndef KINDS_H
#define KINDS_H

#include "conformance.h"

enum { ACCEPTS, CONNECTS, RECEIVES, RECEIVES_LENT, SENDS, READS, WRITES, WATCHES, KINDS };

enum { KIND_MEMORY = 256 };

struct stuck {
  operation *operation;
  int handles[4];
};

int kind_works(const loop *loop, int kind);
// One operation of this kind. `memory` has KIND_MEMORY bytes at least; for a connect, the address of nobody.
void start_kind(loop *loop, operation *operation, int kind, int handle, void *memory);
// The same on a handle of its own, with nothing to be done.
struct stuck *start_stuck(loop *loop, int kind);
void end_stuck(struct stuck *stuck);

#endif
