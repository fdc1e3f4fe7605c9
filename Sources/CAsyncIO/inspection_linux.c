#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <sys/stat.h>
#include <sys/syscall.h>

int64_t casyncio_peer_user(int socket) {
  // The C library declares the structure only for programs that ask for all of its own.
  struct { int32_t process; uint32_t user, group; } peer;
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
  return size == sizeof peer ? (int64_t)peer.user : -EINVAL;
}

int64_t casyncio_user_of_process(int64_t process) {
  char path[64];
  struct stat found;
  snprintf(path, sizeof path, "/proc/%lld", (long long)process);
  if (stat(path, &found) < 0) return errno == ENOENT ? -ESRCH : -errno;
  return found.st_uid;
}

int64_t casyncio_round_trip(int socket) {
  struct tcp_info information;
  socklen_t size = sizeof information;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &information, &size) < 0) return -errno;
  return information.tcpi_rtt;
}

const char *casyncio_call_name(int64_t number) {
  switch (number) {
  case SYS_read: return "read";
  case SYS_readv: return "readv";
  case SYS_pread64: return "pread";
  case SYS_write: return "write";
  case SYS_writev: return "writev";
  case SYS_pwrite64: return "pwrite";
  case SYS_fsync: return "fsync";
  case SYS_fdatasync: return "fdatasync";
  case SYS_openat: return "openat";
  case SYS_flock: return "flock";
  case SYS_fcntl: return "fcntl";
  case SYS_futex: return "futex";
  case SYS_nanosleep: return "nanosleep";
  case SYS_clock_nanosleep: return "clock_nanosleep";
  case SYS_recvfrom: return "recvfrom";
  case SYS_recvmsg: return "recvmsg";
  case SYS_sendto: return "sendto";
  case SYS_sendmsg: return "sendmsg";
  case SYS_connect: return "connect";
  case SYS_accept4: return "accept4";
  case SYS_wait4: return "wait4";
  case SYS_waitid: return "waitid";
  case SYS_ppoll: return "ppoll";
  case SYS_pselect6: return "pselect6";
  case SYS_epoll_pwait: return "epoll_pwait";
  case SYS_io_uring_enter: return "io_uring_enter";
#if defined(SYS_poll)
  case SYS_poll: return "poll";
  case SYS_select: return "select";
  case SYS_epoll_wait: return "epoll_wait";
  case SYS_pause: return "pause";
#endif
#if defined(SYS_epoll_pwait2)
  case SYS_epoll_pwait2: return "epoll_pwait2";
#endif
  default: return NULL;
  }
}
#endif
