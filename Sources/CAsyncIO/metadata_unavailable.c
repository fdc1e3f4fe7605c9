#if !defined(__linux__)
#include "CAsyncIO.h"

#include <errno.h>

// Systems on which datagrams travel without metadata here.

int casyncio_metadata_option(int what, int family, int *level, int *name) {
  (void)what;
  (void)family;
  *level = *name = 0;
  return -EOPNOTSUPP;
}

#if !defined(_WIN32)
#include "metadata.h"

void casyncio_control_await(struct msghdr *header, casyncio_control *room) {
  (void)header;
  (void)room;
}

void casyncio_control_read(struct msghdr *header, casyncio_metadata *metadata) {
  (void)header;
  (void)metadata;
}

void casyncio_control_write(struct msghdr *header, casyncio_control *room, const casyncio_metadata *metadata) {
  (void)header;
  (void)room;
  (void)metadata;
}
#endif
#endif
