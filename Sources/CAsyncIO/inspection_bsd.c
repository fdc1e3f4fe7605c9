#if !defined(_WIN32) && !defined(__linux__)
#include "CAsyncIO.h"

#include <unistd.h>

int64_t casyncio_peer_user(int socket) {
  uid_t user;
  gid_t group;
  return getpeereid(socket, &user, &group) < 0 ? -errno : (int64_t)user;
}

// Without a file system of processes one can only ask whether it is there and may be signalled.
int64_t casyncio_user_of_process(int64_t process) {
  if (kill((pid_t)process, 0) == 0) return geteuid();
  return -errno;
}

int64_t casyncio_round_trip(int socket) {
  (void)socket;
  return -ENOSYS;
}
const char *casyncio_call_name(int64_t number) {
  (void)number;
  return NULL;
}
#endif
