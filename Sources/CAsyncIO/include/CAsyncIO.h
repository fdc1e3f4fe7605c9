// The platform room: everything that the package asks of the operating system, and what Swift cannot import or express.
//
// Swift code calls the functions that these headers declare, and no function of the system: Scripts/check-system-calls
// holds it to that. They take descriptors as `int` and return negated numbers of errors, on every system. Each C file
// is wholly for one system or family: its name says which, `_posix` (all but Windows), `_linux`, `_bsd` (POSIX without
// Linux: macOS), `_windows`; a file without such a name is for all. A function is in one file of each system, and the
// header says what it promises; Tests/PlatformConformance holds it to that.
#ifndef CASYNCIO_H
#define CASYNCIO_H

#include "Platform.h"

#include "ChildProcess.h"
#include "CompletionPort.h"
#include "Descriptors.h"
#include "DispatchMain.h"
#include "Files.h"
#include "Inspection.h"
#include "Names.h"
#include "Signals.h"
#include "Sockets.h"
#include "SwiftRuntime.h"
#include "Threading.h"
#include "Waiting.h"

// Return the number of this thread's last error, of a call that reports it so.
static inline int casyncio_errno(void) { return errno; }

#endif
