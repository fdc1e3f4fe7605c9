// One of each: a child process, a look-up of a literal, a datagram sent back.

#define _GNU_SOURCE
#include "works.h"

#include "../../common/micro.h"

#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

static void processes(long count) {
  for (long i = 0; i < count; i++) {
    char *arguments[] = {"/bin/true", NULL};
    pid_t child;
    int status;
    require(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0, "posix_spawn");
    require(waitpid(child, &status, 0) == child && status == 0, "waitpid");
  }
}

// A child costs the same the first time and ever after; twenty warm the caches up.
void process(long count) { measure_after(20, count, processes); }

static void literals(long count) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  for (long i = 0; i < count; i++) {
    struct addrinfo *found;
    require(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0, "getaddrinfo");
    freeaddrinfo(found);
  }
}

void literal(long count) { measure(count, literals); }

static int bound_socket(int port) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  require(bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  return descriptor;
}

void udp(long count, int port) {
  int descriptor = bound_socket(port), kernel = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  require(epoll_ctl(kernel, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
  puts("ready");
  fflush(stdout);
  long warm_up = count / 10, answered = 0;
  struct stopwatch start = {0, 0};
  while (answered < warm_up + count) {
    require(epoll_wait(kernel, &event, 1, -1) == 1, "epoll_wait");
    char bytes[2048];
    struct sockaddr_in sender;
    socklen_t length = sizeof sender;
    ssize_t received = recvfrom(descriptor, bytes, sizeof bytes, 0, (struct sockaddr *)&sender, &length);
    if (received < 0) continue;
    if (answered == warm_up) start = stopwatch_start();
    sendto(descriptor, bytes, (size_t)received, 0, (struct sockaddr *)&sender, length);
    answered++;
  }
  stopwatch_report(start, count);
}
