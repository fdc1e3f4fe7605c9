#if defined(_WIN32)
#include "win32.h"

// Datagrams. One that is longer than the memory for it is an error here, and its beginning is there.

static int length_of(size_t count) { return count > INT32_MAX ? INT32_MAX : (int)count; }

ptrdiff_t casyncio_receive_message(int socket, void *buffer, size_t count, casyncio_message *message) {
  // Without memory nothing would be received, and the message stays.
  char nothing;
  struct sockaddr *address = message ? (struct sockaddr *)&message->address : NULL;
  int length = sizeof message->address;
  int n = recvfrom(
      win32_socket(socket), buffer ? buffer : &nothing, length_of(count), 0, address, address ? &length : NULL);
  int is_truncated = n < 0 && WSAGetLastError() == WSAEMSGSIZE;
  if (n < 0 && !is_truncated) return win32_last_of_socket();
  if (message) {
    message->address_length = length;
    message->is_truncated = is_truncated;
  }
  return is_truncated ? (ptrdiff_t)count : n;
}

// The system tells the length of all that has come, and not that of the first.
ptrdiff_t casyncio_next_message_length(int socket) {
  char byte;
  int n = recv(win32_socket(socket), &byte, sizeof byte, MSG_PEEK);
  if (n >= 0 || WSAGetLastError() == WSAEMSGSIZE) return 0;
  return win32_last_of_socket();
}

ptrdiff_t casyncio_send_message(int socket, const void *bytes, size_t count, const casyncio_message *message) {
  const struct sockaddr *address = NULL;
  if (message && message->address_length > 0) address = (const struct sockaddr *)&message->address;
  int n = sendto(
      win32_socket(socket), bytes ? bytes : "", length_of(count), 0, address, address ? message->address_length : 0);
  return n >= 0 ? n : win32_last_of_socket();
}
#endif
