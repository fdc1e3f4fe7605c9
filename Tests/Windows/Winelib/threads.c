// Preloaded: makes the host's threads threads of wine. Code of wine needs a block of its own in each thread that runs
// it, which a thread has only if wine has made it, and libdispatch and the Swift runtime make theirs by pthread_create.
//
// - Wine itself makes its threads by pthread_create, which must do then what it always does. Wine's calls are known by
//   the file that they come from.
// - Wine joins the threads that it has made, so nobody else can; a join waits here for what the thread tells.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct thread {
  void *(*body)(void *);
  void *argument, *result;
  pthread_t number;
  int has_begun, has_ended, is_detached;
  struct thread *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct thread *threads;

// What makes a thread of wine that calls the function; null before wine has started. Returns an errno.
static int (*make)(void (*)(void *), void *);

void winelib_make_threads_by(int (*maker)(void (*)(void *), void *)) { make = maker; }

static int is_wine(const void *caller) {
  Dl_info information;
  return dladdr(caller, &information) && information.dli_fname && strstr(information.dli_fname, "/wine/");
}

static void forget(struct thread *thread) {
  struct thread **place = &threads;
  while (*place && *place != thread) place = &(*place)->next;
  if (*place) *place = thread->next;
  free(thread);
}

static struct thread *thread_of(pthread_t number) {
  struct thread *thread = threads;
  while (thread && !(thread->has_begun && pthread_equal(thread->number, number))) thread = thread->next;
  return thread;
}

static void run(void *context) {
  struct thread *thread = context;
  pthread_mutex_lock(&lock);
  thread->number = pthread_self();
  thread->has_begun = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  void *result = thread->body(thread->argument);
  pthread_mutex_lock(&lock);
  thread->result = result;
  thread->has_ended = 1;
  if (thread->is_detached) forget(thread);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

int pthread_create(pthread_t *number, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  static __typeof__(pthread_create) *real;
  if (!real) real = dlsym(RTLD_NEXT, "pthread_create");
  if (!make || is_wine(__builtin_return_address(0))) return real(number, attributes, body, argument);
  struct thread *thread = calloc(1, sizeof *thread);
  if (!thread) return EAGAIN;
  thread->body = body;
  thread->argument = argument;
  int state = PTHREAD_CREATE_JOINABLE;
  if (attributes) pthread_attr_getdetachstate(attributes, &state);
  thread->is_detached = state == PTHREAD_CREATE_DETACHED;
  pthread_mutex_lock(&lock);
  thread->next = threads;
  threads = thread;
  int error = make(run, thread);
  if (error) forget(thread);
  // A detached thread may be gone when this returns, with its entry: so its number is taken under the lock.
  while (!error && !thread->has_begun) pthread_cond_wait(&changed, &lock);
  if (!error) *number = thread->number;
  pthread_mutex_unlock(&lock);
  return error;
}

int pthread_join(pthread_t number, void **result) {
  static __typeof__(pthread_join) *real;
  if (!real) real = dlsym(RTLD_NEXT, "pthread_join");
  pthread_mutex_lock(&lock);
  struct thread *thread = thread_of(number);
  if (!thread || is_wine(__builtin_return_address(0))) {
    pthread_mutex_unlock(&lock);
    return real(number, result);
  }
  while (!thread->has_ended) pthread_cond_wait(&changed, &lock);
  if (result) *result = thread->result;
  forget(thread);
  pthread_mutex_unlock(&lock);
  return 0;
}

int pthread_detach(pthread_t number) {
  static __typeof__(pthread_detach) *real;
  if (!real) real = dlsym(RTLD_NEXT, "pthread_detach");
  pthread_mutex_lock(&lock);
  struct thread *thread = thread_of(number);
  if (thread) {
    thread->is_detached = 1;
    if (thread->has_ended) forget(thread);
  }
  pthread_mutex_unlock(&lock);
  return thread ? 0 : real(number);
}
