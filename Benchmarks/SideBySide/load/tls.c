// The load generator for TLS servers that echo, with OpenSSL. One thread; the caller gives it a core of its own.
//
//   load_tls echo port=P connections=C size=S seconds=T    closed loop, as load_tcp's
//   load_tls idle port=P connections=K                     K connections that echoed once
//   load_tls handshake port=P connections=C size=S         connect, handshake, exchange, reset; C at a time
//   load_tls handshake ... resume=1                        each goes on from a session of an earlier one
//   load_tls handshake ... anyanswer=1                     the server answers with what it likes
//
// It offers TLS 1.3, one cipher and one group (tls/protection.c), so all servers encrypt and agree on keys in the same
// way, and says on its standard error what the first connection agreed on. Results are as load_tcp's.
#include "tls/protection.h"

int main(int count, char **arguments) {
  const struct mode modes[] = {{"echo", run_echo}, {"idle", run_idle}, {"handshake", run_handshakes}, {0}};
  return run_program(count, arguments, modes);
}
