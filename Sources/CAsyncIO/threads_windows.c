#if defined(_WIN32)
#include "win32.h"

#include <process.h>

// Threads. The traps:
//
// - A thread that uses the C library has to be started by the C library.
// - The main thread is the one that loads the program, and the system cannot be asked for it later.
// - Only words with a function to call are told of a thread's end, and those are the fibers' words.

// MARK: The running loop of this thread

_Thread_local void *casyncio_running_loop_word;
static _Thread_local void *sequel_word;

// There is no fork.
void casyncio_set_running_loop(void *loop, void (*forked)(void *loop)) {
  (void)forked;
  casyncio_running_loop_word = loop;
}

void *casyncio_sequel(void) { return sequel_word; }
void casyncio_set_sequel(void *sequel) { sequel_word = sequel; }

// There is no fork.
uint64_t casyncio_fork_generation(void) { return 0; }

// MARK: Threads

static DWORD main_thread;

__attribute__((constructor)) static void note_main_thread(void) { main_thread = GetCurrentThreadId(); }

int casyncio_is_main_thread(void) { return GetCurrentThreadId() == main_thread; }
int64_t casyncio_thread_number(void) { return GetCurrentThreadId(); }

void casyncio_name_thread(const char *name) {
  // Windows 10, version 1607.
  typedef HRESULT WINAPI set_description(HANDLE, PCWSTR);
  set_description *set = (set_description *)(uintptr_t)GetProcAddress(
      GetModuleHandleW(L"kernel32.dll"), "SetThreadDescription");
  WCHAR *wide = set ? win32_wide(name) : NULL;
  if (wide) set(GetCurrentThread(), wide);
  free(wide);
}

struct start {
  void (*body)(void *);
  void *argument;
};

static unsigned __stdcall begin(void *start) {
  struct start s = *(struct start *)start;
  free(start);
  s.body(s.argument);
  return 0;
}

int casyncio_thread_start(void (*body)(void *), void *argument, void **thread) {
  struct start *start = malloc(sizeof *start);
  if (!start) return ENOMEM;
  start->body = body;
  start->argument = argument;
  uintptr_t made = _beginthreadex(NULL, 0, begin, start, 0, NULL);
  if (made == 0) {
    int error = errno;
    free(start);
    return error ? error : EAGAIN;
  }
  *thread = (void *)made;
  return 0;
}

int casyncio_thread_detach(void (*body)(void *), void *argument) {
  void *thread;
  int status = casyncio_thread_start(body, argument, &thread);
  if (status == 0) CloseHandle(thread);
  return status;
}

void casyncio_thread_join(void *thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

int casyncio_processors(void) {
  DWORD count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
  return count > 0 ? (int)count : 1;
}

// The affinity says which of one group's processors the process may have; a process with more than one group has all.
int casyncio_available_processors(void) {
  DWORD_PTR own = 0, of_system = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &of_system) || own == 0) return casyncio_processors();
  int count = 0;
  for (; own; own &= own - 1) count++;
  return count;
}

// MARK: A word that is told of its thread's end

static INIT_ONCE word_once = INIT_ONCE_STATIC_INIT;
static DWORD word_index = FLS_OUT_OF_INDEXES;
static _Thread_local void *word_without_index;
static void (*volatile word_ended)(void *);

static void WINAPI end_word(void *word) {
  void (*ended)(void *) = word_ended;
  if (word && ended) ended(word);
}

static BOOL CALLBACK make_index(PINIT_ONCE once, void *context, void **result) {
  (void)once, (void)context, (void)result;
  word_index = FlsAlloc(end_word);
  return TRUE;
}

void *casyncio_thread_word(void) {
  InitOnceExecuteOnce(&word_once, make_index, NULL, NULL);
  void *word = word_index == FLS_OUT_OF_INDEXES ? NULL : FlsGetValue(word_index);
  return word ? word : word_without_index;
}

void casyncio_set_thread_word(void *word, void (*ended)(void *)) {
  InitOnceExecuteOnce(&word_once, make_index, NULL, NULL);
  word_ended = ended;
  // Indices are few, and other code may have them all. Then the thread's end goes unnoticed.
  if (word_index == FLS_OUT_OF_INDEXES || !FlsSetValue(word_index, word)) word_without_index = word;
}
#endif
