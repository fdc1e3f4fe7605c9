// What the files for Windows share: its headers, what a number of the package is to it, and its errors.
#if defined(_WIN32) && !defined(CASYNCIO_WIN32_H)
#define CASYNCIO_WIN32_H

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#include "CAsyncIO.h"

#include <windows.h>

// A socket and a handle of the system are the same number here: the system promises that 32 bits are significant. The
// numbers 0 to 2 stand for the standard streams: the numbers of handles are multiples of 4.
static inline SOCKET win32_socket(int fd) { return (SOCKET)(intptr_t)fd; }
HANDLE win32_handle(int fd);
// The number of a new socket or handle, which has to be one of the above.
int win32_number(HANDLE handle);

// Start Winsock. Returns 0 or a negated errno.
int win32_prepare(void);

// The negated errno for an error of Win32 or Winsock; 0 for none.
int win32_negated(DWORD error);
// The same for the last call of this thread.
static inline int win32_last(void) { return win32_negated(GetLastError()); }
static inline int win32_last_of_socket(void) { return win32_negated((DWORD)WSAGetLastError()); }

// Make a socket for overlapped calls that no child inherits.
SOCKET win32_make_socket(int family, int type, int protocol);
// Make calls of a new socket return instead of waiting. Returns its number, or the negated errno and closes the socket.
int win32_finish_socket(SOCKET socket);
// True for a socket of any kind.
int win32_is_socket(int fd);
// Note, or ask, that calls of a socket do not wait: the system cannot be asked.
void win32_note_mode(int fd, int is_nonblocking);
int win32_knows_nonblocking(int fd);
// What an open number is known by: itself, and for what this package has made, as the how many-th it was made.
uint64_t win32_making_of(int fd);

// Forget which port a number belongs to: it is about to be closed.
void win32_forget(int handle);

// Text in the system's form, to be freed; null without memory, and for what is not UTF-8.
WCHAR *win32_wide(const char *text);
// The same the other way.
char *win32_narrow(const WCHAR *text);

// Text of a limited length.
struct win32_text {
  // To be freed.
  WCHAR *text;
  size_t count;
  int error;
};

// Make the line of a program's arguments, which end with a null; `is_command` says that the last one is a command of
// the shell. Returns 0, or the negated errno: -E2BIG, -EILSEQ.
int win32_line_of(char *const *arguments, int is_command, struct win32_text *line);
// Make the block of its variables, one behind the other; no text if there are none to be given.
int win32_block_of(char *const *environment, struct win32_text *block);

#endif
