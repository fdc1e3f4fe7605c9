// Handshakes: connect, shake hands, exchange one message, reset; a given number of connections at a time.
//
// The message is there because a client's handshake is over before the server's: only when an answer has come the
// server has done all of its work, tickets included. The reset is as in tcp/churn.c, so there is no goodbye.
//
// A resumed handshake goes on from the session of the newest ticket that came on a connection of the same slot. Each of
// them brings another one, as a server may take each ticket once. The first connection of a slot has no ticket and is
// not counted; if a server then refuses one, or sends none, that is an error.
#include "protection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256, LARGEST = 65536 };

struct slot {
  struct secret secret;
  SSL_SESSION *session; // for the next connection
  long sent, received;
  bool established, offered, connected_before;
  uint64_t began;
};

// Each slot's connection number, which chooses what it sends.
static bool step(const struct options *options, struct slot *slot, long index) {
  static char answer[LARGEST];
  struct secret *secret = &slot->secret;
  if (!slot->established) {
    if (!shake_hands(secret)) return false;
    slot->established = true;
    if (slot->offered && !SSL_session_reused(secret->ssl)) fail("the server did not take a ticket of its own");
  }
  while (slot->sent < options->size) {
    size_t count = send_protected(secret, message_of(index) + slot->sent, (size_t)(options->size - slot->sent));
    if (!count) return false;
    slot->sent += (long)count;
  }
  while (slot->received < options->size) {
    size_t count = receive_protected(secret, answer, sizeof answer);
    if (!count) return false;
    if (options->anyanswer) return true;
    if (slot->received + (long)count > options->size ||
        memcmp(answer, message_of(index) + slot->received, count) != 0)
      fail("bytes came back as others");
    slot->received += (long)count;
  }
  return true;
}

static void begin(const struct options *options, int epoll, struct slot *slot, long index) {
  int socket = new_socket(SOCK_NONBLOCK);
  SSL_SESSION *session = slot->session;
  bool connected_before = slot->connected_before;
  *slot = (struct slot){.session = session, .began = now_ns()};
  if (start_connecting(socket, options->port) != 0 && errno != EINPROGRESS) fail("connect: %s", strerror(errno));
  protect(&slot->secret, socket, false);
  if (options->resume) {
    if (connected_before && !session) fail("the server sent no ticket");
    slot->offered = session && SSL_set_session(slot->secret.ssl, session) == 1;
    SSL_set_app_data(slot->secret.ssl, &slot->session);
  }
  slot->connected_before = true;
  // On the loopback the connection is there by now, as a rule.
  if (step(options, slot, index)) fail("the server answered before it was asked");
  watch(epoll, socket, (uint32_t)index);
}

void run_handshakes(const struct options *options) {
  if (options->size > LARGEST) fail("handshakes take messages up to %d bytes", LARGEST);
  struct slot *slots = calloc((size_t)options->connections, sizeof *slots);
  struct epoll_event events[EVENTS];
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  uint64_t done = 0, now;
  if (options->resume) keep_sessions();
  find_server(options->pid);
  struct window window = plan_window(options->seconds);
  for (long i = 0; i < options->connections; i++) begin(options, epoll, &slots[i], i);
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, 100);
    now = now_ns();
    if (window_opens(&window, now)) done = 0;
    if (now >= window.closes) break;
    for (int i = 0; i < ready; i++) {
      uint32_t index = events[i].data.u32;
      struct slot *slot = &slots[index];
      wire_woken(&slot->secret.wire, events[i].events & (EPOLLHUP | EPOLLERR));
      if (!step(options, slot, index)) continue;
      if (slot->offered || !options->resume) {
        histogram_add(now_ns() - slot->began);
        done++;
      }
      // A session that ends without a goodbye would make its ticket void.
      SSL_set_shutdown(slot->secret.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
      SSL_free(slot->secret.ssl);
      reset(slot->secret.wire.fd);
      begin(options, epoll, slot, index);
    }
  }
  print_result(&(struct result){
    .operations = (double)done, .wall_ns = now_ns() - window.opened,
    .cpu_ns = server_cpu_ns() - window.cpu_at_opening, .memory = -1});
  for (long i = 0; i < options->connections; i++) reset(slots[i].secret.wire.fd);
}
