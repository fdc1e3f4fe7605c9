// The micro works on libuv: `libuv_micro WORK N [PORT]`.
//
// - It has no way to queue a callback for the next turn. What comes nearest is an idle handle that is started for it
//   and stops itself; the handles of chain and batch exist before, so a callback here is no allocation.
// - A post from another thread is a queue of the program's own behind a mutex, and uv_async_send, which coalesces.
// - timer_rearm is uv_timer_again, which is made for it.
// - It has no tasks: no spawn, no yield.

#define _GNU_SOURCE
#include "../../common/micro.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t *loop;
static long left, calls;

static void check(int status, const char *what) {
  if (status >= 0) return;
  fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
  exit(1);
}

static void run(void) { uv_run(loop, UV_RUN_DEFAULT); }

// --- dispatch

enum { BATCH = 1000 };

static uv_idle_t idles[BATCH + 1];

static void on_chain(uv_idle_t *idle) {
  uv_idle_stop(idle);
  if (--left > 0) uv_idle_start(idle, on_chain);
}

static void chain(long count) {
  left = count;
  uv_idle_start(&idles[0], on_chain);
  run();
}

static void on_call(uv_idle_t *idle) {
  uv_idle_stop(idle);
  calls++;
}

static void on_batch(uv_idle_t *idle) {
  uv_idle_stop(idle);
  if (left <= 0) return;
  left -= BATCH;
  // The handle that was started last is called first, so this one is called when all others have stopped. Otherwise it
  // would start handles that are active still, to no effect.
  uv_idle_start(idle, on_batch);
  for (int i = 0; i < BATCH; i++) uv_idle_start(&idles[i], on_call);
}

static void batch(long count) {
  left = count;
  calls = 0;
  uv_idle_start(&idles[BATCH], on_batch);
  run();
  require(calls >= count, "callbacks that were lost");
}

static void prepare_idles(void) {
  for (int i = 0; i <= BATCH; i++) uv_idle_init(loop, &idles[i]);
}

// --- wakes

struct callback {
  void (*function)(void);
};

struct box {
  struct callback *entries;
  unsigned count, capacity;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct box inbox, spare;
static uv_async_t async;
static int reply_descriptor, producer_core;
static long share;

static void post(void (*function)(void)) {
  pthread_mutex_lock(&mutex);
  if (inbox.count == inbox.capacity) {
    inbox.capacity = inbox.capacity ? inbox.capacity * 2 : 1024;
    inbox.entries = realloc(inbox.entries, inbox.capacity * sizeof *inbox.entries);
    require(inbox.entries != NULL, "realloc");
  }
  inbox.entries[inbox.count++] = (struct callback){function};
  pthread_mutex_unlock(&mutex);
  uv_async_send(&async);
}

static void on_posts(uv_async_t *handle) {
  (void)handle;
  pthread_mutex_lock(&mutex);
  struct box taken = inbox;
  inbox = spare;
  pthread_mutex_unlock(&mutex);
  for (unsigned i = 0; i < taken.count; i++) taken.entries[i].function();
  taken.count = 0;
  spare = taken;
}

static void count_down(void) {
  if (--left == 0) uv_stop(loop);
}

static void reply(void) {
  require(eventfd_write(reply_descriptor, 1) == 0, "reply");
  count_down();
}

static void *ping(void *argument) {
  pin_to(producer_core);
  for (long i = 0; i < share; i++) {
    eventfd_t value;
    post(reply);
    require(eventfd_read(reply_descriptor, &value) == 0, "wait for the reply");
  }
  return argument;
}

static void *produce(void *argument) {
  pin_to(producer_core);
  for (long i = 0; i < share; i++) post(count_down);
  return argument;
}

static void with_producers(int producers, void *(*body)(void *), long count) {
  struct threads threads;
  share = count / producers;
  left = share * producers;
  threads_start(&threads, producers, body, NULL);
  run();
  threads_join(&threads);
}

static void ping_some(long count) { with_producers(1, ping, count); }
static void produce_by_one(long count) { with_producers(1, produce, count); }
static void produce_by_four(long count) { with_producers(4, produce, count); }

static void wakes(long count, int core, void (*work)(long)) {
  pin_to(LOOP_CORE);
  producer_core = core;
  reply_descriptor = eventfd(0, EFD_CLOEXEC);
  uv_async_init(loop, &async, on_posts);
  measure(count, work);
}

// --- timers

enum { LIVE = 10000, SETS_PER_TURN = 1000, LIMIT_MS = 30000 };

static uv_timer_t *timers;

static void prepare_timers(long count) {
  timers = malloc((size_t)count * sizeof *timers);
  require(timers != NULL, "memory for the timers");
  for (long i = 0; i < count; i++) uv_timer_init(loop, &timers[i]);
}

static void on_too_early(uv_timer_t *timer) {
  (void)timer;
  abort();
}

static void timer_cancel(long count) {
  for (long i = 0; i < count; i++) uv_timer_start(&timers[i], on_too_early, random_deadline_ms(), 0);
  for (long i = 0; i < count; i++) uv_timer_stop(&timers[i]);
  uv_run(loop, UV_RUN_NOWAIT);
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
  left--;
}

static void timer_fire(long count) {
  left = count;
  for (long i = 0; i < count; i++) {
    if (i % SETS_PER_TURN == 0) uv_update_time(loop);
    uv_timer_start(&timers[i], on_timer, random_below(1000) + 1, 0);
  }
  run();
  require(left == 0, "a timer that never fired");
}

static void on_rearm(uv_idle_t *idle) {
  for (int i = 0; i < SETS_PER_TURN; i++) uv_timer_again(&timers[random_below(LIVE)]);
  left -= SETS_PER_TURN;
  if (left > 0) return;
  uv_idle_stop(idle);
  uv_stop(loop);
}

static void timer_rearm(long count) {
  left = count;
  uv_idle_start(&idles[0], on_rearm);
  run();
}

static void rearm(long count) {
  prepare_timers(LIVE);
  for (long i = 0; i < LIVE; i++) uv_timer_start(&timers[i], on_too_early, LIMIT_MS, LIMIT_MS);
  measure(count, timer_rearm);
}

static void all_timers(long count, void (*work)(long)) {
  prepare_timers(count);
  measure_after(count, count, work);
}

// --- processes, names, datagrams

static void on_exit_of_child(uv_process_t *child, int64_t status, int signal) {
  require(status == 0 && signal == 0, "/bin/true");
  uv_close((uv_handle_t *)child, NULL);
}

static void processes(long count) {
  for (long i = 0; i < count; i++) {
    uv_process_t child;
    uv_stdio_container_t descriptors[3];
    for (int d = 0; d < 3; d++) descriptors[d] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = d};
    char *arguments[] = {"/bin/true", NULL};
    uv_process_options_t options = {.exit_cb = on_exit_of_child,
                                    .file = arguments[0],
                                    .args = arguments,
                                    .stdio_count = 3,
                                    .stdio = descriptors};
    check(uv_spawn(loop, &child, &options), "uv_spawn");
    run();
  }
}

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
  (void)request;
  check(status, "uv_getaddrinfo");
  uv_freeaddrinfo(found);
}

static void literals(long count) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  for (long i = 0; i < count; i++) {
    uv_getaddrinfo_t request;
    check(uv_getaddrinfo(loop, &request, on_addresses, "127.0.0.1", "80", &hints), "uv_getaddrinfo");
    run();
  }
}

static char datagram[65536];
static long answered, warm_up, total;
static struct stopwatch start;

static void on_room(uv_handle_t *handle, size_t size, uv_buf_t *room) {
  (void)handle, (void)size;
  *room = uv_buf_init(datagram, sizeof datagram);
}

static void on_datagram(uv_udp_t *handle, ssize_t size, const uv_buf_t *bytes, const struct sockaddr *sender,
                        unsigned flags) {
  (void)flags;
  if (size <= 0 || sender == NULL) return;
  if (answered == warm_up) start = stopwatch_start();
  uv_buf_t answer = uv_buf_init(bytes->base, (unsigned)size);
  check(uv_udp_try_send(handle, &answer, 1, sender), "uv_udp_try_send");
  if (++answered < warm_up + total) return;
  stopwatch_report(start, total);
  uv_close((uv_handle_t *)handle, NULL);
}

static void udp(long count, int port) {
  total = count;
  warm_up = count / 10;
  uv_udp_t handle;
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", port, &address);
  uv_udp_init(loop, &handle);
  check(uv_udp_bind(&handle, (struct sockaddr *)&address, 0), "uv_udp_bind");
  check(uv_udp_recv_start(&handle, on_room, on_datagram), "uv_udp_recv_start");
  puts("ready");
  fflush(stdout);
  run();
}

int main(int count, char **arguments) {
  long n = count >= 3 ? atol(arguments[2]) : 0;
  if (n <= 0) {
    fprintf(stderr, "usage: libuv_micro WORK N [PORT]\n");
    return STATUS_USAGE;
  }
  const char *work = arguments[1];
  loop = uv_default_loop();
  prepare_idles();
  if (strcmp(work, "chain") == 0) measure(n, chain);
  else if (strcmp(work, "batch") == 0) measure(n, batch);
  else if (strcmp(work, "pingpong") == 0) wakes(n, OTHER_CORE, ping_some);
  else if (strcmp(work, "pingpong_same") == 0) wakes(n, LOOP_CORE, ping_some);
  else if (strcmp(work, "burst1") == 0) wakes(n, OTHER_CORE, produce_by_one);
  else if (strcmp(work, "burst4") == 0) wakes(n, OTHER_CORE, produce_by_four);
  else if (strcmp(work, "timer_cancel") == 0) all_timers(n, timer_cancel);
  else if (strcmp(work, "timer_fire") == 0) all_timers(n, timer_fire);
  else if (strcmp(work, "timer_rearm") == 0) rearm(n);
  else if (strcmp(work, "process") == 0) measure_after(20, n, processes);
  else if (strcmp(work, "literal") == 0) measure(n, literals);
  else if (strncmp(work, "udp", 3) == 0 && count == 4) udp(n, atoi(arguments[3]));
  else return STATUS_NOT_OFFERED;
  return 0;
}
