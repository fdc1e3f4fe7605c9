#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#endif

// MARK: The running loop of this thread

_Thread_local void *casyncio_running_loop_word;
static _Atomic uint64_t fork_generation;

static void in_forked_child(void) {
  casyncio_running_loop_word = NULL;
  // A signal for the child is not the parent's, whose descriptor the child has inherited.
  casyncio_interrupt_restore();
  atomic_fetch_add(&fork_generation, 1);
}

static void install_fork_handler(void) { pthread_atfork(NULL, NULL, in_forked_child); }

void casyncio_set_running_loop(void *loop) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install_fork_handler);
  casyncio_running_loop_word = loop;
}

uint64_t casyncio_fork_generation(void) { return atomic_load(&fork_generation); }

// MARK: Threads

#if defined(__linux__)
int64_t casyncio_thread_number(void) { return (int64_t)syscall(SYS_gettid); }
int casyncio_is_main_thread(void) { return casyncio_thread_number() == (int64_t)getpid(); }
void casyncio_name_thread(const char *name) {
  char kept[16];
  strncpy(kept, name, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  pthread_setname_np(pthread_self(), kept);
}
#else
int64_t casyncio_thread_number(void) {
  uint64_t number = 0;
  pthread_threadid_np(NULL, &number);
  return (int64_t)number;
}
int casyncio_is_main_thread(void) { return pthread_main_np() != 0; }
void casyncio_name_thread(const char *name) { pthread_setname_np(name); }
#endif

static pthread_key_t thread_word_key;
static pthread_once_t thread_word_once = PTHREAD_ONCE_INIT;
static void (*_Atomic thread_word_ended)(void *);

static void end_thread_word(void *word) {
  void (*ended)(void *) = atomic_load(&thread_word_ended);
  if (ended) ended(word);
}

static void make_thread_word_key(void) { pthread_key_create(&thread_word_key, end_thread_word); }

void *casyncio_thread_word(void) {
  pthread_once(&thread_word_once, make_thread_word_key);
  return pthread_getspecific(thread_word_key);
}

void casyncio_set_thread_word(void *word, void (*ended)(void *)) {
  pthread_once(&thread_word_once, make_thread_word_key);
  atomic_store(&thread_word_ended, ended);
  pthread_setspecific(thread_word_key, word);
}

void *casyncio_mutex_make(void) {
  pthread_mutex_t *mutex = malloc(sizeof *mutex);
  if (!mutex || pthread_mutex_init(mutex, NULL) != 0) abort();
  return mutex;
}

void casyncio_mutex_free(void *mutex) {
  pthread_mutex_destroy(mutex);
  free(mutex);
}

void casyncio_mutex_lock(void *mutex) { pthread_mutex_lock(mutex); }

void casyncio_mutex_unlock(void *mutex) { pthread_mutex_unlock(mutex); }

struct start {
  void (*body)(void *);
  void *argument;
};

static void *begin(void *start) {
  struct start s = *(struct start *)start;
  free(start);
  s.body(s.argument);
  return NULL;
}

int casyncio_thread_detach(void (*body)(void *), void *argument) {
  struct start *start = malloc(sizeof *start);
  if (!start) return ENOMEM;
  start->body = body;
  start->argument = argument;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  int status = pthread_create(&thread, &attributes, begin, start);
  pthread_attr_destroy(&attributes);
  if (status != 0) free(start);
  return status;
}

int casyncio_thread_start(void (*body)(void *), void *argument, void **thread) {
  struct start *start = malloc(sizeof *start);
  pthread_t *made = malloc(sizeof *made);
  int status = ENOMEM;
  if (start && made) {
    start->body = body;
    start->argument = argument;
    status = pthread_create(made, NULL, begin, start);
  }
  if (status != 0) {
    free(start);
    free(made);
    return status;
  }
  *thread = made;
  return 0;
}

void casyncio_thread_join(void *thread) {
  pthread_join(*(pthread_t *)thread, NULL);
  free(thread);
}

#if defined(__linux__)
// The affinity and not the machine: a container or taskset may give a program fewer processors than there are. The set
// grows until the kernel's fits, which has as many bits as the kernel was built for.
int casyncio_available_processors(void) {
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
    cpu_set_t *set = CPU_ALLOC(bits);
    if (!set) break;
    size_t size = CPU_ALLOC_SIZE(bits);
    int status = sched_getaffinity(0, size, set);
    int count = status == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (status == 0) return count > 0 ? count : 1;
    if (errno != EINVAL) break;
  }
  return 1;
}
#else
int casyncio_available_processors(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int)count : 1;
}
#endif

// MARK: Descriptors

int casyncio_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if (flags & O_NONBLOCK) return 0;
  return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int casyncio_set_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int casyncio_is_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

int casyncio_access_mode(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  switch (flags & O_ACCMODE) {
    case O_RDONLY: return 1;
    case O_WRONLY: return 2;
    default: return 3;
  }
}

int casyncio_set_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0; }

#if defined(__linux__)
int casyncio_socket(int family, int type, int protocol) {
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  return fd < 0 ? -errno : fd;
}

int casyncio_accept(int fd) {
  int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted < 0 ? -errno : accepted;
}

int casyncio_send_flags(void) { return MSG_NOSIGNAL; }
#else
static int prepared(int fd) {
  int one = 1;
  if (fd < 0) return -errno;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
  return fd;
}

int casyncio_socket(int family, int type, int protocol) { return prepared(socket(family, type, protocol)); }
int casyncio_accept(int fd) { return prepared(accept(fd, NULL, NULL)); }
int casyncio_send_flags(void) { return 0; }
#endif

// MARK: Wake-ups

#if defined(__linux__)
int casyncio_wake_create(int *read_end, int *write_end) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return -errno;
  *read_end = *write_end = fd;
  return 0;
}

void casyncio_wake_signal(int write_end) {
  int kept = errno;
  uint64_t one = 1;
  while (write(write_end, &one, sizeof one) < 0 && errno == EINTR) {}
  errno = kept;
}

void casyncio_wake_drain(int read_end) {
  uint64_t count;
  while (read(read_end, &count, sizeof count) < 0 && errno == EINTR) {}
}
#else
int casyncio_wake_create(int *read_end, int *write_end) {
  int ends[2];
  if (pipe(ends) < 0) return -errno;
  for (int i = 0; i < 2; i++) {
    casyncio_set_nonblocking(ends[i]);
    casyncio_set_close_on_exec(ends[i]);
  }
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}

void casyncio_wake_signal(int write_end) {
  int kept = errno;
  char byte = 0;
  // A full pipe already wakes the reader.
  while (write(write_end, &byte, 1) < 0 && errno == EINTR) {}
  errno = kept;
}

void casyncio_wake_drain(int read_end) {
  char bytes[256];
  ssize_t n;
  do n = read(read_end, bytes, sizeof bytes);
  while (n > 0 || (n < 0 && errno == EINTR));
}
#endif

// MARK: Waiting with nanoseconds

static struct timespec timespec_of(int64_t nanoseconds) {
  struct timespec t = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return t;
}

// Only where a call with nanoseconds is missing: up, never down, and never past what an int holds.
static int milliseconds_rounded_up(int64_t nanoseconds) {
  if (nanoseconds < 0) return -1;
  int64_t ms = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
  return ms > 86400000 ? 86400000 : (int)ms;
}

#if defined(__linux__)
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

int casyncio_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t nanoseconds) {
  static _Atomic int missing;
  int n;
  if (nanoseconds <= 0 || atomic_load_explicit(&missing, memory_order_relaxed)) {
    // Not by way of the C library, whose form is a point at which a thread can be cancelled, and pays for that.
    int milliseconds = milliseconds_rounded_up(nanoseconds);
#ifdef SYS_epoll_wait
    n = (int)syscall(SYS_epoll_wait, epoll, events, capacity, milliseconds);
#else
    n = (int)syscall(SYS_epoll_pwait, epoll, events, capacity, milliseconds, NULL, 0);
#endif
    return n < 0 ? -errno : n;
  }
  struct timespec t = timespec_of(nanoseconds);
  n = (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, &t, NULL, 0);
  if (n >= 0) return n;
  if (errno != ENOSYS) return -errno;
  atomic_store(&missing, 1);
  return casyncio_epoll_wait(epoll, events, capacity, nanoseconds);
}

int casyncio_poll_is_exact(void) { return 1; }

int casyncio_poll(struct pollfd *fds, size_t count, int64_t nanoseconds) {
  struct timespec t = timespec_of(nanoseconds);
  int n = ppoll(fds, (nfds_t)count, nanoseconds < 0 ? NULL : &t, NULL);
  return n < 0 ? -errno : n;
}
#else
int casyncio_poll_is_exact(void) { return 0; }

int casyncio_poll(struct pollfd *fds, size_t count, int64_t nanoseconds) {
  (void)timespec_of;
  int n = poll(fds, (nfds_t)count, milliseconds_rounded_up(nanoseconds));
  return n < 0 ? -errno : n;
}
#endif

// MARK: Signals

#define SIGNAL_COUNT 128
static _Atomic int pending[SIGNAL_COUNT];
static _Atomic int wake_end = -1;
// What stood there before; callers serialise installs and restores.
static struct sigaction before[SIGNAL_COUNT];

static void on_signal(int number) {
  if (number <= 0 || number >= SIGNAL_COUNT) return;
  atomic_store(&pending[number], 1);
  int end = atomic_load(&wake_end);
  if (end >= 0) casyncio_wake_signal(end);
}

int casyncio_signal_install(int number) {
  if (number <= 0 || number >= SIGNAL_COUNT) return -EINVAL;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(number, &action, &before[number]) < 0 ? -errno : 0;
}

int casyncio_signal_restore(int number) {
  if (number <= 0 || number >= SIGNAL_COUNT) return -EINVAL;
  struct sigaction now;
  // Somebody else's handler by now: theirs stays.
  if (sigaction(number, NULL, &now) == 0 && now.sa_handler != on_signal) return 0;
  return sigaction(number, &before[number], NULL) < 0 ? -errno : 0;
}

int casyncio_signal_take(int number) {
  if (number <= 0 || number >= SIGNAL_COUNT) return 0;
  return atomic_exchange(&pending[number], 0);
}

void casyncio_signal_set_wake(int write_end) { atomic_store(&wake_end, write_end); }

// MARK: Ctrl-C

static _Atomic int interrupts;
static _Atomic int interrupt_wake_end = -1;

static void on_interrupt(int number) {
  int end = atomic_load(&interrupt_wake_end);
  // The second one gives the signal its own action back, so that a third ends a program whose loop is blocked.
  // Without an end nobody is interested any more; then this one had to do it.
  if (end < 0 || atomic_fetch_add(&interrupts, 1) > 0) signal(number, SIG_DFL);
  if (end < 0) {
    raise(number);
    return;
  }
  casyncio_wake_signal(end);
}

int casyncio_interrupt_install(int end) {
  struct sigaction action;
  if (sigaction(SIGINT, NULL, &action) < 0) return -errno;
  if ((action.sa_flags & SA_SIGINFO) || action.sa_handler != SIG_DFL) return 0;
  atomic_store(&interrupts, 0);
  atomic_store(&interrupt_wake_end, end);
  memset(&action, 0, sizeof action);
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(SIGINT, &action, NULL) < 0 ? -errno : 1;
}

void casyncio_interrupt_restore(void) {
  struct sigaction now;
  atomic_store(&interrupt_wake_end, -1);
  if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_interrupt) signal(SIGINT, SIG_DFL);
  // A handler that was added meanwhile brings back what it found.
  if (before[SIGINT].sa_handler == on_interrupt) before[SIGINT].sa_handler = SIG_DFL;
}

int casyncio_interrupt_count(void) { return atomic_load(&interrupts); }

void casyncio_end_by_signal(int number) {
  sigset_t set;
  signal(number, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  raise(number);
}

void casyncio_ignore_sigpipe(void) {
  struct sigaction action;
  if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
  }
}
