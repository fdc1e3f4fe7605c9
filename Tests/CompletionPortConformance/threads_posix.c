#if !defined(_WIN32)
#include "conformance.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

// The world as POSIX has it: threads, signals and processes.

void needs_of_system(enum need need) {
#if !defined(__linux__) || !defined(SYS_pidfd_open)
  if (need == PROCESSES) case_skipped("a process has no handle here");
#endif
  (void)need;
}

// MARK: Threads

struct thread {
  pthread_t number;
};

struct thread *start_thread(void *(*body)(void *), void *argument) {
  struct thread *thread = make(sizeof *thread);
  CHECK(pthread_create(&thread->number, NULL, body, argument), ==, 0);
  return thread;
}

void join_thread(struct thread *thread) { pthread_join(thread->number, NULL); }

// MARK: Signals

static void (*handler_of_signals)(int);
static struct sigaction before_user, before_alarm;

void handle_signals(void (*handler)(int)) {
  if (handler) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, &before_user);
    sigaction(SIGALRM, &action, &before_alarm);
  } else if (handler_of_signals) {
    sigaction(SIGUSR1, &before_user, NULL);
    sigaction(SIGALRM, &before_alarm, NULL);
  }
  handler_of_signals = handler;
}

void signal_this_thread(void) { raise(SIGUSR1); }

struct late_signal {
  pthread_t thread;
  int64_t after;
};

static void *send_signal(void *argument) {
  struct late_signal *signal = argument;
  pause_for(signal->after);
  pthread_kill(signal->thread, SIGUSR1);
  return NULL;
}

struct thread *signal_this_thread_after(int64_t nanoseconds) {
  struct late_signal *signal = make(sizeof *signal);
  *signal = (struct late_signal){.thread = pthread_self(), .after = nanoseconds};
  return start_thread(send_signal, signal);
}

void signal_every_millisecond(int on) {
  static struct itimerval before;
  if (on) {
    struct itimerval often = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    setitimer(ITIMER_REAL, &often, &before);
  } else {
    // The limit of the case is this timer's as well.
    setitimer(ITIMER_REAL, &before, NULL);
  }
}

void ignore_broken_pipes(int on) {
  static void (*before)(int);
  if (on) {
    before = signal(SIGPIPE, SIG_IGN);
  } else {
    signal(SIGPIPE, before);
  }
}

// MARK: The limit of a case

static const char *running;

static void on_limit(int signal) {
  (void)signal;
  static const char text[] = "  hangs: ";
  ssize_t n = write(STDOUT_FILENO, text, sizeof text - 1);
  n = write(STDOUT_FILENO, running, strlen(running));
  n = write(STDOUT_FILENO, "\n", 1);
  (void)n;
  _exit(1);
}

void limit_case(const char *name, unsigned seconds) {
  running = name;
  signal(SIGALRM, on_limit);
  alarm(seconds);
}

// MARK: Processes

#if defined(__linux__) && defined(SYS_pidfd_open)
void start_child(struct child *child) {
  int gate[2];
  CHECK(pipe(gate), ==, 0);
  pid_t number = fork();
  if (number == 0) {
    char byte;
    close(gate[1]);
    ssize_t n = read(gate[0], &byte, 1);
    _exit(n == 0 ? 7 : 8);
  }
  CHECK(number, >, 0);
  close(gate[0]);
  *child = (struct child){.handle = (int)syscall(SYS_pidfd_open, number, 0), .gate = gate[1], .number = number};
  CHECK(child->handle, >=, 0);
}

void open_gate(struct child *child) { close((int)child->gate); }

int end_child(struct child *child) {
  int status = 0;
  CHECK(waitpid((pid_t)child->number, &status, WNOHANG), ==, child->number);
  close(child->handle);
  return WEXITSTATUS(status);
}
#else
void start_child(struct child *child) { (void)child; }
void open_gate(struct child *child) { (void)child; }
int end_child(struct child *child) {
  (void)child;
  return -1;
}
#endif

void be_child(int count, char **arguments) {
  (void)count;
  (void)arguments;
}
#endif
