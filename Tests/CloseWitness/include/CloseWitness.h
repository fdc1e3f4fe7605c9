// The tests close nothing twice: see close.c.
#ifndef CLOSE_WITNESS_H
#define CLOSE_WITNESS_H

#include <stdbool.h>

// Whether close(2) in this program is the one that ends it when there is nothing to close.
bool close_witness_watches(void);

#endif
