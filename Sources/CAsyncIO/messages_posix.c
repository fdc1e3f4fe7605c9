#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "metadata.h"

// The fields of `msghdr` are of other types on every platform, and its flags are macros.

static struct msghdr header_of(struct iovec *part, const casyncio_message *message, socklen_t length) {
  struct msghdr header;
  memset(&header, 0, sizeof header);
  header.msg_iov = part;
  header.msg_iovlen = 1;
  header.msg_name = message && length > 0 ? (void *)(uintptr_t)&message->address : NULL;
  header.msg_namelen = header.msg_name ? length : 0;
  return header;
}

ptrdiff_t casyncio_receive_message(int socket, void *buffer, size_t count, casyncio_message *message) {
  struct iovec part = {.iov_base = buffer, .iov_len = count};
  struct msghdr header;
  casyncio_control room;
  ssize_t n;
  do {
    header = header_of(&part, message, sizeof message->address);
    if (message && message->metadata) casyncio_control_await(&header, &room);
    n = recvmsg(socket, &header, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return -errno;
  if (message) {
    message->address_length = header.msg_namelen;
    message->is_truncated = (header.msg_flags & MSG_TRUNC) != 0;
    if (message->metadata) casyncio_control_read(&header, message->metadata);
  }
  return n;
}

ptrdiff_t casyncio_next_message_length(int socket) {
  char byte;
  ssize_t n;
  // Elsewhere a receive may not be given this flag, and what is returned is never more than there is room for.
  do n = recv(socket, &byte, sizeof byte, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

ptrdiff_t casyncio_send_message(int socket, const void *bytes, size_t count, const casyncio_message *message) {
  struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = count};
  struct msghdr header = header_of(&part, message, message ? message->address_length : 0);
  casyncio_control room;
  if (message && message->metadata) casyncio_control_write(&header, &room, message->metadata);
  ssize_t n;
  do n = sendmsg(socket, &header, CASYNCIO_SEND_FLAGS);
  while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  // It is not this socket's room that is missing, so it does not report when there is some.
  int is_others = header.msg_name && message->address.ss_family == AF_UNIX;
  return errno == EAGAIN && is_others ? -ENOBUFS : -errno;
}
#endif
