#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// MARK: The running loop of this thread

_Thread_local void *casyncio_running_loop_word;
static _Thread_local void (*forked_with_loop)(void *loop);
static _Thread_local void *sequel_word;
static _Atomic uint64_t fork_generation;

static void in_forked_child(void) {
  if (casyncio_running_loop_word && forked_with_loop) forked_with_loop(casyncio_running_loop_word);
  casyncio_running_loop_word = NULL;
  // A signal for the child must not reach the parent, whose descriptor the child has inherited.
  casyncio_interrupt_restore();
  atomic_fetch_add(&fork_generation, 1);
}

static void install_fork_handler(void) { pthread_atfork(NULL, NULL, in_forked_child); }

static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;

void casyncio_set_running_loop(void *loop, void (*forked)(void *loop)) {
  pthread_once(&fork_handler_once, install_fork_handler);
  forked_with_loop = forked;
  casyncio_running_loop_word = loop;
}

void *casyncio_sequel(void) { return sequel_word; }

void casyncio_set_sequel(void *sequel) { sequel_word = sequel; }

uint64_t casyncio_fork_generation(void) {
  // Also for those who ask before any loop has run.
  pthread_once(&fork_handler_once, install_fork_handler);
  return atomic_load(&fork_generation);
}

// MARK: Threads

static pthread_key_t thread_word_key;
// Keys are few, and other code may have them all. Then the word is stored here, and the thread's end goes unnoticed.
static int has_thread_word_key;
static _Thread_local void *thread_word_without_key;
static pthread_once_t thread_word_once = PTHREAD_ONCE_INIT;
static void (*_Atomic thread_word_ended)(void *);

static void end_thread_word(void *word) {
  void (*ended)(void *) = atomic_load(&thread_word_ended);
  if (ended) ended(word);
}

static void make_thread_word_key(void) {
  has_thread_word_key = pthread_key_create(&thread_word_key, end_thread_word) == 0;
}

void *casyncio_thread_word(void) {
  pthread_once(&thread_word_once, make_thread_word_key);
  void *word = has_thread_word_key ? pthread_getspecific(thread_word_key) : NULL;
  return word ? word : thread_word_without_key;
}

void casyncio_set_thread_word(void *word, void (*ended)(void *)) {
  pthread_once(&thread_word_once, make_thread_word_key);
  atomic_store(&thread_word_ended, ended);
  // The system may also have no memory for the place of this thread.
  if (!has_thread_word_key || pthread_setspecific(thread_word_key, word) != 0) thread_word_without_key = word;
}

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

int casyncio_processors(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int)count : 1;
}
#endif
