// The mailbox: an array behind a mutex, and an eventfd that the producer writes who finds the array empty.
//
// The eventfd is edge-triggered and never read: one system call less for each wake. The loop takes the whole array and
// gives an empty one back, so a burst costs it one lock.

#define _GNU_SOURCE
#include "works.h"

#include "../../common/micro.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct callback {
  void (*function)(void *argument);
  void *argument;
};

struct box {
  struct callback *entries;
  unsigned count, capacity;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct box inbox, spare;
static int kernel, wake_descriptor, reply_descriptor;
static long left;
static long share;  // of one producer
static int producer_core;

static void post(void (*function)(void *), void *argument) {
  pthread_mutex_lock(&mutex);
  bool was_empty = inbox.count == 0;
  if (inbox.count == inbox.capacity) {
    inbox.capacity = inbox.capacity ? inbox.capacity * 2 : 1024;
    inbox.entries = realloc(inbox.entries, inbox.capacity * sizeof *inbox.entries);
    require(inbox.entries != NULL, "realloc");
  }
  inbox.entries[inbox.count++] = (struct callback){function, argument};
  pthread_mutex_unlock(&mutex);
  if (was_empty) require(eventfd_write(wake_descriptor, 1) == 0, "wake");
}

static void serve(void) {
  while (left > 0) {
    struct epoll_event events[64];
    require(epoll_wait(kernel, events, 64, -1) == 1, "epoll_wait");
    pthread_mutex_lock(&mutex);
    struct box taken = inbox;
    inbox = spare;
    pthread_mutex_unlock(&mutex);
    for (unsigned i = 0; i < taken.count; i++) taken.entries[i].function(taken.entries[i].argument);
    taken.count = 0;
    spare = taken;
  }
}

static void count_down(void *argument) {
  (void)argument;
  left--;
}

static void reply(void *argument) {
  require(eventfd_write(reply_descriptor, 1) == 0, "reply");
  count_down(argument);
}

static void *ping(void *argument) {
  pin_to(producer_core);
  for (long i = 0; i < share; i++) {
    eventfd_t value;
    post(reply, argument);
    require(eventfd_read(reply_descriptor, &value) == 0, "wait for the reply");
  }
  return NULL;
}

static void *produce(void *argument) {
  pin_to(producer_core);
  for (long i = 0; i < share; i++) post(count_down, argument);
  return NULL;
}

static void prepare(int core) {
  pin_to(LOOP_CORE);
  producer_core = core;
  kernel = epoll_create1(EPOLL_CLOEXEC);
  wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  reply_descriptor = eventfd(0, EFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  require(epoll_ctl(kernel, EPOLL_CTL_ADD, wake_descriptor, &event) == 0, "epoll_ctl");
}

static void with_producers(int producers, void *(*body)(void *), long count) {
  struct threads threads;
  share = count / producers;
  left = share * producers;
  threads_start(&threads, producers, body, NULL);
  serve();
  threads_join(&threads);
}

static void ping_some(long count) { with_producers(1, ping, count); }
static void produce_by_one(long count) { with_producers(1, produce, count); }
static void produce_by_four(long count) { with_producers(4, produce, count); }

void pingpong(long count) {
  prepare(OTHER_CORE);
  measure(count, ping_some);
}

void pingpong_same(long count) {
  prepare(LOOP_CORE);
  measure(count, ping_some);
}

void burst1(long count) {
  prepare(OTHER_CORE);
  measure(count, produce_by_one);
}

void burst4(long count) {
  prepare(OTHER_CORE);
  measure(count, produce_by_four);
}
