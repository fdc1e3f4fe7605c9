#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

// MARK: Signals

#define SIGNAL_COUNT 128
static _Atomic int pending[SIGNAL_COUNT];
static _Atomic int wake_end = -1;
// The earlier actions; callers serialise installs and restores.
static struct sigaction before[SIGNAL_COUNT];

static void on_signal(int number) {
  if (number <= 0 || number >= SIGNAL_COUNT) return;
  atomic_store(&pending[number], 1);
  int end = atomic_load(&wake_end);
  if (end >= 0) casyncio_wake_signal(end);
}

const char *casyncio_known_signals(void) { return NULL; }

int casyncio_signal_number(const char *name) {
  static const struct { const char *name; int number; } known[] = {
      {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"HUP", SIGHUP}, {"WINCH", SIGWINCH}};
  if (strncmp(name, "SIG", 3) == 0) name += 3;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(name, known[i].name) == 0) return known[i].number;
  return 0;
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
  // Other code has installed its handler meanwhile: it stays.
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
  // The second signal restores the default action, so that a third ends a program whose loop is blocked. Without a wake
  // end no run handles the signal any more; then this call had to restore it.
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
  // A handler that was added meanwhile restores what it found.
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
#endif
