#if defined(_WIN32)
#include "CAsyncIO.h"

// Inspection is not offered here: a pipe with a name and an access list would be the way.
int64_t casyncio_user(void) { return -ENOSYS; }
int64_t casyncio_peer_user(int socket) {
  (void)socket;
  return -ENOSYS;
}
int64_t casyncio_private_directory(const char *path) {
  (void)path;
  return -ENOSYS;
}
int casyncio_make_private_directory(const char *path) {
  (void)path;
  return -ENOSYS;
}
int casyncio_remove_at_end(const char *path) {
  (void)path;
  return -ENOSYS;
}
int64_t casyncio_user_of_process(int64_t process) {
  (void)process;
  return -ENOSYS;
}
int64_t casyncio_round_trip(int socket) {
  (void)socket;
  return -ENOSYS;
}
const char *casyncio_call_name(int64_t number) {
  (void)number;
  return NULL;
}
int casyncio_terminal_rows(int fd) {
  (void)fd;
  return 0;
}
int64_t casyncio_ticks_per_second(void) { return -ENOSYS; }
#endif
