#if defined(_WIN32)
#include "win32.h"

#include <wchar.h>

// How a program is started. The traps:
//
// - A program gets one line of arguments, see command_line_windows.c. A batch file is not run by itself but by the
//   command interpreter, which takes the line apart by other rules, so that an argument can become a command: it is
//   refused.
// - Every inheritable handle of this process goes to a child, also those that another thread has just made for another
//   child. So the child is told which ones are its own: three copies that are made for it.
// - What is known of a process is a handle, and its number is another's soon after the last handle is closed. So the
//   handle is kept until the end has been asked for, as a POSIX system keeps a child.
// - There are no groups that can be ended. A job is one: what the child starts is in it as well.

struct child {
  struct child *next;
  DWORD process;
  HANDLE handle;
  // Null if the child leads no group.
  HANDLE job;
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct child *children;

// The place of a child in the list. Under the lock.
static struct child **place_of(int64_t process) {
  struct child **place = &children;
  while (*place && (*place)->process != (DWORD)process) place = &(*place)->next;
  return place;
}

// MARK: The program

static int ends_with(const WCHAR *text, const WCHAR *end) {
  size_t count = wcslen(text), of_end = wcslen(end);
  return count >= of_end && _wcsicmp(text + count - of_end, end) == 0;
}

// The path with the ending that programs have, unless it has one; to be freed.
static WCHAR *program_of(const char *candidate) {
  WCHAR *wide = win32_wide(candidate);
  if (!wide) return NULL;
  const WCHAR *name = wide;
  for (const WCHAR *next = wide; *next; next++) {
    if (*next == '\\' || *next == '/' || *next == ':') name = next + 1;
  }
  if (wcschr(name, '.')) return wide;
  size_t count = wcslen(wide);
  WCHAR *longer = realloc(wide, (count + 5) * sizeof *longer);
  if (longer) wcscpy(longer + count, L".exe");
  else free(wide);
  return longer;
}

static int is_batch(const WCHAR *program) {
  // The system leaves spaces and dots at the end of a name out.
  WCHAR name[MAX_PATH + 1];
  size_t count = wcslen(program);
  while (count > 0 && (program[count - 1] == ' ' || program[count - 1] == '.')) count--;
  if (count > MAX_PATH) return 0;
  wmemcpy(name, program, count);
  name[count] = 0;
  return ends_with(name, L".bat") || ends_with(name, L".cmd");
}

// MARK: Starting

struct start {
  const casyncio_spawn_request *request;
  struct win32_text line, block;
  WCHAR *directory;
  HANDLE streams[3];
  // The streams without those that come twice, which the system refuses.
  HANDLE handed[3];
  STARTUPINFOEXW info;
};

static int copy_streams(struct start *start) {
  const int numbers[3] = {start->request->input, start->request->output, start->request->error};
  HANDLE self = GetCurrentProcess();
  for (int i = 0; i < 3; i++) {
    HANDLE from = win32_handle(numbers[i]);
    if (!DuplicateHandle(self, from, self, &start->streams[i], 0, TRUE, DUPLICATE_SAME_ACCESS)) return win32_last();
    start->handed[i] = start->streams[i];
  }
  return 0;
}

static int prepare(struct start *start) {
  int status = win32_line_of(
      start->request->arguments, (start->request->flags & CASYNCIO_SPAWN_COMMAND) != 0, &start->line);
  if (status == 0) status = win32_block_of(start->request->environment, &start->block);
  if (status < 0) return status;
  if (start->request->directory && !(start->directory = win32_wide(start->request->directory))) return -EILSEQ;
  SIZE_T size = 0;
  InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = malloc(size);
  if (!list) return -ENOMEM;
  if (!InitializeProcThreadAttributeList(list, 1, 0, &size)) {
    free(list);
    return win32_last();
  }
  start->info.lpAttributeList = list;
  BOOL done = UpdateProcThreadAttribute(
      list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, start->handed, sizeof start->handed, NULL, NULL);
  return done ? 0 : win32_last();
}

static void clean_up(struct start *start) {
  free(start->line.text);
  free(start->block.text);
  free(start->directory);
  for (int i = 0; i < 3; i++) {
    if (start->streams[i]) CloseHandle(start->streams[i]);
  }
  if (!start->info.lpAttributeList) return;
  DeleteProcThreadAttributeList(start->info.lpAttributeList);
  free(start->info.lpAttributeList);
}

// Start one candidate, which does not run yet. Returns 0 or the negated errno.
static int launch(struct start *start, const WCHAR *program, PROCESS_INFORMATION *made) {
  int is_group = (start->request->flags & (CASYNCIO_SPAWN_NEW_GROUP | CASYNCIO_SPAWN_NEW_SESSION)) != 0;
  DWORD flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
  if (is_group) flags |= CREATE_NEW_PROCESS_GROUP;
  if (start->request->flags & CASYNCIO_SPAWN_NEW_SESSION) flags |= DETACHED_PROCESS;
  // The call writes into the line.
  WCHAR *line = _wcsdup(start->line.text);
  if (!line) return -ENOMEM;
  BOOL done = CreateProcessW(
      program, line, NULL, NULL, TRUE, flags, start->block.text, start->directory, &start->info.StartupInfo, made);
  int status = done ? 0 : win32_last();
  free(line);
  return status;
}

static int first_of(struct start *start, PROCESS_INFORMATION *made) {
  int status = -ENOENT;
  for (size_t i = 0; start->request->candidates[i]; i++) {
    WCHAR *program = program_of(start->request->candidates[i]);
    int result = !program ? -EILSEQ : is_batch(program) ? -ENOEXEC : launch(start, program, made);
    free(program);
    if (result == 0) return 0;
    // What is there and cannot be started is worth more than what is not there.
    if (result != -ENOENT && result != -ENOTDIR) status = result;
    if (result != -ENOENT && result != -ENOTDIR && result != -EACCES) return result;
  }
  return status;
}

static int is_directory(const WCHAR *path) {
  DWORD attributes = GetFileAttributesW(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

// Note the child, and let it run.
static int64_t adopt(const casyncio_spawn_request *request, const PROCESS_INFORMATION *made, struct child *child) {
  *child = (struct child){.process = made->dwProcessId, .handle = made->hProcess};
  if (request->flags & (CASYNCIO_SPAWN_NEW_GROUP | CASYNCIO_SPAWN_NEW_SESSION)) {
    child->job = CreateJobObjectW(NULL, NULL);
    if (child->job) AssignProcessToJobObject(child->job, made->hProcess);
  }
  AcquireSRWLockExclusive(&lock);
  child->next = children;
  children = child;
  ReleaseSRWLockExclusive(&lock);
  ResumeThread(made->hThread);
  CloseHandle(made->hThread);
  return made->dwProcessId;
}

int casyncio_spawn(const casyncio_spawn_request *request, int64_t *process, int *step) {
  struct start start = {.request = request};
  PROCESS_INFORMATION made;
  struct child *child = malloc(sizeof *child);
  *step = CASYNCIO_SPAWN_STEP_DESCRIPTORS;
  int status = child ? copy_streams(&start) : -ENOMEM;
  start.info.StartupInfo = (STARTUPINFOW){
      .cb = sizeof start.info, .dwFlags = STARTF_USESTDHANDLES, .hStdInput = start.streams[0],
      .hStdOutput = start.streams[1], .hStdError = start.streams[2]};
  if (status == 0) {
    *step = CASYNCIO_SPAWN_STEP_PROGRAM;
    status = prepare(&start);
  }
  if (status == 0 && start.directory && !is_directory(start.directory)) {
    *step = CASYNCIO_SPAWN_STEP_DIRECTORY;
    status = -ENOENT;
  }
  if (status == 0) status = first_of(&start, &made);
  if (status == 0) *process = adopt(request, &made, child);
  else free(child);
  clean_up(&start);
  return status;
}

// MARK: Children

int casyncio_process_wait(int64_t process, int descriptor, uint32_t flags, casyncio_child_end *end) {
  (void)descriptor;
  AcquireSRWLockShared(&lock);
  struct child *child = *place_of(process);
  HANDLE handle = child ? child->handle : NULL;
  ReleaseSRWLockShared(&lock);
  // Only one caller asks for the end of a child, and nobody has asked before: the handle stays.
  if (!handle) return -ECHILD;
  DWORD code;
  DWORD told = WaitForSingleObject(handle, flags & CASYNCIO_WAIT_BLOCKING ? INFINITE : 0);
  if (told == WAIT_TIMEOUT) return 0;
  if (told != WAIT_OBJECT_0 || !GetExitCodeProcess(handle, &code)) return win32_last();
  *end = (casyncio_child_end){.signal = 0, .status = (int)code};
  if (flags & CASYNCIO_WAIT_KEEP) return 1;
  AcquireSRWLockExclusive(&lock);
  struct child **place = place_of(process);
  child = *place;
  if (child) *place = child->next;
  ReleaseSRWLockExclusive(&lock);
  if (!child) return -ECHILD;
  CloseHandle(child->handle);
  if (child->job) CloseHandle(child->job);
  free(child);
  return 1;
}

int casyncio_process_open(int64_t process) {
  HANDLE self = GetCurrentProcess(), copy = NULL;
  AcquireSRWLockShared(&lock);
  const struct child *child = *place_of(process);
  HANDLE handle = child ? child->handle : process == (int64_t)GetCurrentProcessId() ? self : NULL;
  BOOL done = handle && DuplicateHandle(self, handle, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
  int status = done ? 0 : handle ? win32_last() : -ECHILD;
  ReleaseSRWLockShared(&lock);
  return status < 0 ? status : win32_number(copy);
}

// Ending is what a program can do to another one, with the status 1, and the two events of the console, for children
// that lead a group.
static int send_to(const struct child *child, int signal, int is_group) {
  BOOL done;
  // What it started may go on.
  if (!is_group && WaitForSingleObject(child->handle, 0) == WAIT_OBJECT_0) return 0;
  switch (signal) {
    case 0: return 0;
    case SIGINT: done = GenerateConsoleCtrlEvent(CTRL_C_EVENT, child->process); break;
    case SIGBREAK: done = GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child->process); break;
    case SIGTERM:
    case SIGKILL:
      done = is_group && child->job ? TerminateJobObject(child->job, 1) : TerminateProcess(child->handle, 1);
      break;
    default: return -EINVAL;
  }
  return done ? 0 : win32_last();
}

static int signal_child(int64_t process, int signal, int is_group) {
  if (process == (int64_t)GetCurrentProcessId() && signal == 0) return 0;
  AcquireSRWLockShared(&lock);
  const struct child *child = *place_of(process);
  int status = child ? send_to(child, signal, is_group) : -ESRCH;
  ReleaseSRWLockShared(&lock);
  return status;
}

int casyncio_process_signal(int64_t process, int descriptor, int signal) {
  (void)descriptor;
  return signal_child(process, signal, 0);
}

int casyncio_group_signal(int64_t process, int signal) { return signal_child(process, signal, 1); }
#endif
