// The Windows half of Platform.h: Windows' own headers, and what Swift code takes from POSIX and Windows lacks.
//
// It is for Microsoft's headers and for mingw's. The rules:
//
// - A definition is guarded, because one of the two has it, or may have it one day.
// - What is invented here has no function behind it. Such a number is for values that this package hands around by
//   itself, like an error that C code has translated. Windows gets one of them, SO_REUSEPORT, and refuses it.
// - Nothing of mingw's POSIX layer is included (unistd.h, pthread.h): Microsoft has none, and code that leans on it
//   would pass a check with mingw and fail on Windows.
//
// It is included on every system, and empty elsewhere: a header that the umbrella of its module leaves out is a warning
// of clang's, which the Swift targets take for an error.
#ifndef CASYNCIO_PLATFORM_WINDOWS_H
#define CASYNCIO_PLATFORM_WINDOWS_H
#if defined(_WIN32)

// Without these two, windows.h brings the first version of winsock, and macros named min and max.
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif

// In this order: winsock2.h includes windows.h, and the other two need it. The library for it all is ws2_32.
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

// MARK: Types

// The family of an address, for which winsock has another name.
typedef ADDRESS_FAMILY sa_family_t;

// Mingw has these three, and notes that with these macros; Microsoft has none of them.
#ifndef _SSIZE_T_DEFINED
#define _SSIZE_T_DEFINED
typedef ptrdiff_t ssize_t;
#endif
#ifndef _MODE_T_
#define _MODE_T_
typedef unsigned short mode_t;
#endif
#ifndef _PID_T_
#define _PID_T_
typedef int64_t pid_t;
#endif

// The form of a limit, for declarations. Windows has no limit on open files, and nothing that would fill this in.
typedef uint64_t rlim_t;
struct rlimit {
  rlim_t rlim_cur;
  rlim_t rlim_max;
};

// MARK: Sockets

// The same numbers under winsock's names.
#ifndef SHUT_RD
#define SHUT_RD SD_RECEIVE
#endif
#ifndef SHUT_WR
#define SHUT_WR SD_SEND
#endif
#ifndef SHUT_RDWR
#define SHUT_RDWR SD_BOTH
#endif

// Windows has no such option: its SO_REUSEADDR lets two sockets have one port at the same time, without a rule for
// which of them is served. The number is BSD's, and winsock has no option of that number: setting it fails with
// ENOPROTOOPT.
#ifndef SO_REUSEPORT
#define SO_REUSEPORT 0x0200
#endif

// Windows has no SIGPIPE to suppress, and whether a call waits is the socket's property and not the call's.
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
#ifndef MSG_DONTWAIT
#define MSG_DONTWAIT 0
#endif

// The room for the name of a network interface, with its end: that of netioapi.h, which is too large to include.
#ifndef IF_NAMESIZE
#define IF_NAMESIZE 256
#endif

// MARK: Signals

// What can come, from the console, is SIGINT, SIGTERM and SIGBREAK, which signal.h has. These are names: for what is
// asked of a child process, and for what is refused. They have Linux's numbers, which signal.h has for nothing else.
#ifndef SIGHUP
#define SIGHUP 1
#endif
#ifndef SIGQUIT
#define SIGQUIT 3
#endif
#ifndef SIGKILL
#define SIGKILL 9
#endif
#ifndef SIGUSR1
#define SIGUSR1 10
#endif
#ifndef SIGUSR2
#define SIGUSR2 12
#endif
#ifndef SIGPIPE
#define SIGPIPE 13
#endif
#ifndef SIGCHLD
#define SIGCHLD 17
#endif
#ifndef SIGCONT
#define SIGCONT 18
#endif
#ifndef SIGSTOP
#define SIGSTOP 19
#endif

// MARK: Errors

// Two that winsock has and errno.h has not. winsock's numbers begin at 10000, far above those of the C library.
#ifndef EHOSTDOWN
#define EHOSTDOWN WSAEHOSTDOWN
#endif
#ifndef ESHUTDOWN
#define ESHUTDOWN WSAESHUTDOWN
#endif

// MARK: Standard streams

#ifndef STDIN_FILENO
#define STDIN_FILENO 0
#endif
#ifndef STDOUT_FILENO
#define STDOUT_FILENO 1
#endif
#ifndef STDERR_FILENO
#define STDERR_FILENO 2
#endif

#endif
#endif
