#if defined(_WIN32)
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "conformance.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The world as Windows has it: what is missing, threads and processes.

void needs_of_system(enum need need) {
  static const char *const reasons[] = {
      [SIGNALS] = "Windows has no signals",
      [FILES] = "the handle of a file has no position in overlapped calls",
      [LOCAL_SOCKETS] = "a pair of sockets is a TCP connection, whose peer takes a while to be gone",
      [PIPES_WITH_ROOM] = "a pipe cannot say whether it has room",
  };
  if ((size_t)need < sizeof reasons / sizeof *reasons && reasons[need]) case_skipped(reasons[need]);
}

// MARK: Time and threads

// Sleep knows whole milliseconds, and rounds them.
void pause_for(int64_t nanoseconds) {
  int64_t end = now() + nanoseconds;
  if (nanoseconds >= 2 * MILLISECOND) Sleep((DWORD)(nanoseconds / MILLISECOND));
  while (now() < end) SwitchToThread();
}

struct thread {
  HANDLE handle;
  void *(*body)(void *);
  void *argument;
};

static unsigned __stdcall run_thread(void *argument) {
  struct thread *thread = argument;
  thread->body(thread->argument);
  return 0;
}

struct thread *start_thread(void *(*body)(void *), void *argument) {
  struct thread *thread = make(sizeof *thread);
  *thread = (struct thread){.body = body, .argument = argument};
  thread->handle = (HANDLE)_beginthreadex(NULL, 0, run_thread, thread, 0, NULL);
  CHECK_TRUE(thread->handle != NULL);
  return thread;
}

void join_thread(struct thread *thread) {
  WaitForSingleObject(thread->handle, INFINITE);
  CloseHandle(thread->handle);
}

static const char *volatile running;
static volatile LONG64 limit;

static unsigned __stdcall watch_limit(void *argument) {
  for (;;) {
    Sleep(200);
    int64_t end = limit;
    if (end == 0 || now() < end) continue;
    printf("  hangs: %s\n", running);
    fflush(stdout);
    _exit(1);
  }
  return argument != NULL;
}

void limit_case(const char *name, unsigned seconds) {
  static HANDLE watch;
  running = name;
  InterlockedExchange64(&limit, seconds ? now() + (int64_t)seconds * SECOND : 0);
  if (!watch) watch = (HANDLE)_beginthreadex(NULL, 0, watch_limit, NULL, 0, NULL);
}

// MARK: Processes

static wchar_t child_word[] = L"--child";

// This program again, with the gate as its input.
void start_child(struct child *child) {
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  HANDLE read, write;
  CHECK_TRUE(CreatePipe(&read, &write, &inherited, 0));
  SetHandleInformation(write, HANDLE_FLAG_INHERIT, 0);
  wchar_t path[MAX_PATH], line[MAX_PATH + 16];
  CHECK(GetModuleFileNameW(NULL, path, MAX_PATH), >, 0);
  swprintf(line, sizeof line / sizeof *line, L"\"%ls\" %ls", path, child_word);
  STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = read};
  start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  PROCESS_INFORMATION process;
  CHECK_TRUE(CreateProcessW(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process));
  CloseHandle(process.hThread);
  CloseHandle(read);
  *child = (struct child){.handle = (int)(intptr_t)process.hProcess, .gate = (int64_t)(intptr_t)write};
}

void open_gate(struct child *child) { CloseHandle((HANDLE)(intptr_t)child->gate); }

int end_child(struct child *child) {
  DWORD status = 0;
  HANDLE process = (HANDLE)(intptr_t)child->handle;
  GetExitCodeProcess(process, &status);
  CloseHandle(process);
  return (int)status;
}

void be_child(int count, char **arguments) {
  if (count != 2 || strcmp(arguments[1], "--child") != 0) return;
  char byte;
  DWORD n = 0;
  BOOL has_read = ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &n, NULL);
  _exit(!has_read || n == 0 ? 7 : 8);
}

// MARK: Signals

// What needs_of_system says is not here.
void handle_signals(void (*handler)(int)) { (void)handler; }
void signal_this_thread(void) {}
struct thread *signal_this_thread_after(int64_t nanoseconds) {
  (void)nanoseconds;
  return NULL;
}
void signal_every_millisecond(int on) { (void)on; }
void ignore_broken_pipes(int on) { (void)on; }
#endif
