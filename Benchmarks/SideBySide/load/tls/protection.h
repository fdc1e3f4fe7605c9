// What the parts of the TLS load generator share.
#pragma once

#include "../../common/wire.h"
#include "../streams/load.h"

// A session and its way to the socket.
struct secret {
  SSL *ssl;
  struct wire wire;
};

// Prepares a client's session on a socket. The secret stays where it is as long as the session lives.
void protect(struct secret *secret, int socket, bool blocking);
// True when the handshake is over; false if it waits for the socket.
bool shake_hands(struct secret *secret);
// Sends, receives: the bytes that it was, 0 if it waits for the socket.
size_t send_protected(struct secret *secret, const char *bytes, size_t length);
size_t receive_protected(struct secret *secret, char *bytes, size_t length);
// True if a further read would find nothing.
bool is_drained(const struct secret *secret);
// Where the sessions of new tickets go, by the data that was set with SSL_set_app_data: a place that holds one.
void keep_sessions(void);

void run_handshakes(const struct options *options);
