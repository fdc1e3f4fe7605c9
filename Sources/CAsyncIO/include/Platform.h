// The system's types and constants that Swift code works with: addresses, options, numbers of errors and signals. Swift
// code sees them through this header alone, so that no Swift file has to ask which C library the platform has. The
// system's functions come with the headers, and are not for Swift code: the other headers of this target declare what
// it calls, see CAsyncIO.h.
#ifndef CASYNCIO_PLATFORM_H
#define CASYNCIO_PLATFORM_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "PlatformWindows.h"
#if !defined(_WIN32)
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/epoll.h>
#endif

// Where SIGPIPE is a property of the socket, there is no flag against it.
#if defined(MSG_NOSIGNAL)
#define CASYNCIO_SEND_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)
#else
#define CASYNCIO_SEND_FLAGS MSG_DONTWAIT
#endif

#endif
