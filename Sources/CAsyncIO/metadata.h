// What travels with a datagram of IP, in the form of `sendmsg` and `recvmsg`: control messages.
#ifndef CASYNCIO_METADATA_H
#define CASYNCIO_METADATA_H

#include "CAsyncIO.h"

// Room for all that can be asked for, each with its header, aligned for the headers.
typedef union casyncio_control {
  struct cmsghdr alignment;
  char bytes[256];
} casyncio_control;

// Give a call room for what the system reports.
void casyncio_control_await(struct msghdr *header, casyncio_control *room);
// Read what it has reported.
void casyncio_control_read(struct msghdr *header, casyncio_metadata *metadata);
// Add what a datagram is to be sent with.
void casyncio_control_write(struct msghdr *header, casyncio_control *room, const casyncio_metadata *metadata);

#endif
