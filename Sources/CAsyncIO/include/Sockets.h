// Sockets. No call waits, whatever the mode of the socket: a child may share it, and need it blocking. No call raises
// SIGPIPE. Each function returns a value >= 0, or the negated errno, and makes a call again that a signal has
// interrupted, unless it says otherwise.
#ifndef CASYNCIO_SOCKETS_H
#define CASYNCIO_SOCKETS_H

#include "CompletionPort.h"
#include "Platform.h"

// SOCK_STREAM and its kin, which have another type on every platform.
static const int casyncio_stream_type = SOCK_STREAM;
static const int casyncio_datagram_type = SOCK_DGRAM;
static const int casyncio_raw_type = SOCK_RAW;

// MARK: Making and naming

// Make a non-blocking, close-on-exec socket; without SIGPIPE where that is a property of the socket.
int casyncio_socket(int family, int type, int protocol);
// Accept without the peer's address; the result is non-blocking and close-on-exec. May be interrupted.
int casyncio_accept(int socket);
int casyncio_bind(int socket, const struct sockaddr *CASYNCIO_NONNULL address, socklen_t length);
int casyncio_listen(int socket, int backlog);
// Connect, or begin to. Returns 0 if it is connected, or the negated errno: -EINPROGRESS if it will be reported as
// writable, -EINTR if the call was interrupted.
int casyncio_connect(int socket, const struct sockaddr *CASYNCIO_NONNULL address, socklen_t length);
// Return what became of a connect that was begun: 0 if it is connected, -EINPROGRESS if it is not yet, or the negated
// errno.
int casyncio_connect_result(int socket);
// Write the socket's own or its peer's address. Returns its length.
int casyncio_local_name(int socket, struct sockaddr_storage *CASYNCIO_NONNULL name);
int casyncio_peer_name(int socket, struct sockaddr_storage *CASYNCIO_NONNULL name);

// MARK: Bytes

// Send or receive once. These two are on the path of each message, where ten instructions are 2 % of an echo. So they
// do nothing but call the system, and report an error as C libraries do: -1, and the number in errno. An interrupted
// call is the caller's to make again; Swift code has sendBytes and receiveBytes.
ptrdiff_t casyncio_send_once(int socket, const void *CASYNCIO_NULLABLE bytes, size_t count);
// 0 at the end of the stream.
ptrdiff_t casyncio_receive_once(int socket, void *CASYNCIO_NULLABLE memory, size_t count);
// End one direction or both: SHUT_RD, SHUT_WR, SHUT_RDWR.
int casyncio_shutdown(int socket, int how);
// Return the number of bytes that were sent on a socket and that the peer's system has not taken; 0 if this system
// cannot tell.
int casyncio_undelivered_bytes(int socket);
// Count the bytes that a TCP connection has received in order, and those that it has sent, without repetitions. An end
// of a stream may count as one. Returns 0, or the negated errno: -ENOSYS if this system cannot tell.
int casyncio_transferred_bytes(int socket, uint64_t *CASYNCIO_NONNULL received, uint64_t *CASYNCIO_NONNULL sent);

// MARK: Options

// Read or set an option. `size` is that of the value, in bytes; reading returns how many there are.
int casyncio_get_option(int socket, int level, int name, void *CASYNCIO_NONNULL value, socklen_t size);
int casyncio_set_option(int socket, int level, int name, const void *CASYNCIO_NONNULL value, socklen_t size);
// Return 1 for a TCP socket without another layer above it in the system; 0 for all else, and if the system does not
// say.
int casyncio_is_plain_tcp(int socket);

// Return the protocol of TCP over several paths (RFC 8684); 0 if the platform has none.
int casyncio_multipath_tcp(void);

// MARK: Messages

// What travels with a datagram of IP besides bytes and addresses.
typedef struct casyncio_metadata {
  // The address that a received datagram was sent to, without a port.
  struct sockaddr_storage destination;
  // The length of that address; 0 if the system has not said it.
  socklen_t destination_length;
  // The number of the interface that it came through; 0 if the system has not said it.
  unsigned int interface_index;
  // The congestion bits of the IP header.
  int congestion;
  // The size of the pieces that the system cuts a sent datagram into, or has put a received one together from; 0 for a
  // whole one.
  int segment_size;
  // The family of the socket, to send.
  int family;
} casyncio_metadata;

// What goes with the bytes of one message: the other side's address, and what the system says about a received message.
typedef struct casyncio_message {
  struct sockaddr_storage address;
  // The length of the address; 0 if there is none: a sender without a name, or a message to the connected peer.
  socklen_t address_length;
  // True if the received message had more bytes than there was room for; the rest is lost.
  int is_truncated;
  // What to send with it, or where to write what came with it; NULL for nothing. Set before a receive as well.
  casyncio_metadata *CASYNCIO_NULLABLE metadata;
} casyncio_message;

// What a socket can be asked to do about metadata.
enum {
  // Report the congestion bits.
  CASYNCIO_METADATA_CONGESTION = 0,
  // Report the destination and the interface.
  CASYNCIO_METADATA_PACKET_INFO,
  // Cut each sent datagram into pieces of a size.
  CASYNCIO_METADATA_SEGMENT_SIZE,
  // Put received datagrams together, and report the size of the pieces.
  CASYNCIO_METADATA_RECEIVE_OFFLOAD,
};

// Write the level and the name of the option that asks for it. Returns 0, or the negated errno: -EOPNOTSUPP if the
// family or the system has none.
int casyncio_metadata_option(int what, int family, int *CASYNCIO_NONNULL level, int *CASYNCIO_NONNULL name);

// Receive one message, or what a stream has, and its sender's address. Returns the number of bytes.
ptrdiff_t casyncio_receive_message(
    int socket, void *CASYNCIO_NULLABLE buffer, size_t count, casyncio_message *CASYNCIO_NULLABLE message);
// Return the length of the next message, which stays in place; 0 if the system does not say; or the negated errno:
// -EAGAIN if there is no message.
ptrdiff_t casyncio_next_message_length(int socket);
// Send one message, whole or not at all; to a stream, as many bytes as the system takes. Returns the number of bytes.
// -EAGAIN: the socket will report when it has room. -ENOBUFS: nothing will report it, try again later; the queue of
// another Unix socket is full, to which this socket is not connected.
ptrdiff_t casyncio_send_message(
    int socket, const void *CASYNCIO_NULLABLE bytes, size_t count, const casyncio_message *CASYNCIO_NULLABLE message);

// MARK: From socket to socket

// Return 1 if the system moves bytes from a socket to another one by itself, through a pipe.
int casyncio_can_splice(void);
// Make a pipe for that: its ends do not wait, and are closed on exec. Returns how many bytes it holds at most, or the
// negated errno.
int casyncio_splice_pipe(int capacity, int *CASYNCIO_NONNULL read_end, int *CASYNCIO_NONNULL write_end);
// Move bytes between a socket and a pipe, in either direction, without waiting. Returns their number, 0 at the end of
// the stream, or the negated errno: -EAGAIN if there are none, or no room for them.
ptrdiff_t casyncio_splice(int from, int to, size_t count);

#endif
