// The ready queue: an array ring of pointers to functions. One turn runs what was queued when it began, then looks at
// the kernel: chain_poll and batch do so in every turn, chain in one of 61, as tokio does.
//
// spawn is what a task and its join would be without tasks: a piece of memory, and two trips through the queue.

#define _GNU_SOURCE
#include "works.h"

#include "../../common/micro.h"

#include <sys/epoll.h>
#include <unistd.h>

struct callback {
  void (*function)(void *argument);
  void *argument;
};

enum { RING = 4096, TURNS_WITHOUT_POLL = 61, BATCH = 1000 };

static struct callback ring[RING];
static unsigned head, tail;
static bool stopped;
static long left;
static long calls;

static inline void call_soon(void (*function)(void *), void *argument) {
  ring[tail++ % RING] = (struct callback){function, argument};
}

static void run(unsigned turns_for_a_poll) {
  int kernel = epoll_create1(EPOLL_CLOEXEC);
  require(kernel >= 0, "epoll_create1");
  stopped = false;
  for (unsigned turn = 1; !stopped; turn++) {
    unsigned end = tail;
    while (head != end) {
      struct callback callback = ring[head++ % RING];
      callback.function(callback.argument);
    }
    if (turn % turns_for_a_poll == 0) {
      struct epoll_event events[64];
      epoll_wait(kernel, events, 64, 0);
    }
  }
  close(kernel);
}

static void chain_step(void *argument) {
  if (--left > 0) {
    call_soon(chain_step, argument);
  } else {
    stopped = true;
  }
}

static void chain_some(long count) {
  left = count;
  call_soon(chain_step, NULL);
  run(TURNS_WITHOUT_POLL);
}

static void chain_some_polling(long count) {
  left = count;
  call_soon(chain_step, NULL);
  run(1);
}

void chain(long count) { measure(count, chain_some); }
void chain_poll(long count) { measure(count, chain_some_polling); }

static void batch_call(void *argument) {
  (void)argument;
  calls++;
}

static void batch_fill(void *argument) {
  if (left <= 0) {
    stopped = true;
    return;
  }
  left -= BATCH;
  for (int i = 0; i < BATCH; i++) call_soon(batch_call, NULL);
  call_soon(batch_fill, argument);
}

static void batch_some(long count) {
  left = count;
  call_soon(batch_fill, NULL);
  run(1);
}

void batch(long count) { measure(count, batch_some); }

struct job {
  void (*joined)(void *job);
  long result;
};

static void job_joined(void *argument);

static void job_run(void *argument) {
  struct job *job = argument;
  job->result = 1;
  call_soon(job->joined, job);
}

static void job_spawn(void) {
  struct job *job = malloc(sizeof *job);
  require(job != NULL, "malloc");
  job->joined = job_joined;
  call_soon(job_run, job);
}

static void job_joined(void *argument) {
  struct job *job = argument;
  calls += job->result;
  free(job);
  if (--left > 0) {
    job_spawn();
  } else {
    stopped = true;
  }
}

static void spawn_some(long count) {
  left = count;
  job_spawn();
  run(TURNS_WITHOUT_POLL);
}

void spawn(long count) { measure(count, spawn_some); }
