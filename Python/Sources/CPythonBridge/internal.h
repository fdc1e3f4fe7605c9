// What the files of this target share: the types, and how errors and calls of Python are handled.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include "seam.h"

#if PY_VERSION_HEX < 0x030B0000
#error "swift-asyncio needs Python 3.11 or later"
#endif

/// Names and functions of Python that are looked up once.
typedef struct {
  PyObject *connection_made, *connection_lost, *data_received, *eof_received, *get_buffer, *buffer_updated;
  PyObject *pause_writing, *resume_writing, *datagram_received, *error_received;
  PyObject *set_result, *set_exception, *done, *cancel, *close, *detach, *attach_client, *detach_client;
  PyObject *begin_input;
  PyObject *call_exception_handler;
  PyObject *buffered_protocol;   // asyncio.BufferedProtocol
  PyObject *gaierror, *not_available; // socket.gaierror, asyncio.SendfileNotAvailableError
  // Of swift_asyncio._helpers: what is rare is written in Python.
  PyObject *describe_handle, *report_callback, *report_slow, *check_call, *note_origin, *several_errors, *log;
  PyObject *missing_method, *resolve_datagram;
} aiopy_names;
extern aiopy_names names;

// MARK: Loops

/// A reference of Swift's to an object of Python's, in the list of its loop. The collector of cycles sees what Swift
/// has by it: a loop that a program forgets is collected with its timers, watches, transports and servers.
typedef struct Held {
  struct Held *next, **place;
  PyObject *object;
} Held;

typedef struct {
  PyObject_HEAD
  void *swift;
  Held *held;
  /// The exception that ends the run.
  PyObject *interrupt;
  PyObject *weak;
  /// The thread that runs the loop; 0 while it does not run.
  unsigned long thread;
  unsigned forks;
  double slow_callback_duration;
  char debug;
} LoopObject;
extern PyTypeObject LoopType;

/// How many forks this process is away from the one that loaded the module.
extern unsigned fork_count;
/// True in the thread that runs the loop, and anywhere while it does not run. False in the child of a fork that was
/// made in a run, as long as the child is still inside of it: the run is the parent's.
static inline int loop_is_mine(LoopObject *loop) {
  return !loop->thread || (loop->thread == PyThread_get_thread_ident() && loop->forks == fork_count);
}
int loop_watch_forks(void);
/// Set the exception of a loop without Swift's, and return NULL.
void *no_loop(void);
/// Keep an exception that ends the run; the first one counts.
void loop_interrupt(LoopObject *loop, PyObject *exception);

/// Note a reference that Swift has, or is about to have; once for an object.
void hold(PyObject *loop, Held *held, PyObject *object);
/// Note that Swift has it no more.
void end_hold(Held *held);

// MARK: Handles

typedef struct {
  PyObject_HEAD
  PyObject *loop, *callback, *context;
  /// The only argument, which is the rule, or a tuple of them.
  PyObject *arg, *args;
  PyObject *traceback, *description, *weak;
  void *timer;
  Held held;
  double when;
  char cancelled;
} HandleObject;
extern PyTypeObject HandleType, TimerHandleType;

HandleObject *handle_new(
  PyTypeObject *type, PyObject *loop, PyObject *callback, PyObject *const *args, Py_ssize_t count, PyObject *context);
int handle_init_types(void);

// MARK: Transports

typedef struct {
  PyObject_HEAD
  /// The slots of asyncio's classes of transports, which this type has other members for. See transport_init_type.
  PyObject *inherited[5];
  void *swift;
  PyObject *loop, *protocol, *context, *server, *waiter, *sock, *extra, *weak;
  /// What the protocol is called by, looked up once: data_received or datagram_received, or get_buffer and
  /// buffer_updated.
  PyObject *receive, *get_buffer;
  /// The only address of a datagram transport.
  PyObject *address;
  /// The memory of a buffered protocol; made when it is first needed.
  Py_buffer *lent;
  Held held;
  int fd, family;
  unsigned char kind;
  char buffered, is_lent, lost, ended, inside, sending_file, ended_writing, paused_protocol, paused_reading;
} TransportObject;
extern PyTypeObject *TransportType;
extern PyTypeObject AcceptorType, OperationType;
int transport_init_type(void);

/// Call a method of a server about a client, which servers are told as of Python 3.13.
PyObject *tell_server(PyObject *server, PyObject *method, TransportObject *t);
/// Tell the server of a client.
int transport_attach(TransportObject *t);
TransportObject *transport_make(PyTypeObject *type, PyObject *loop, PyObject *protocol, PyObject *context);
int transport_adopt(TransportObject *t, PyObject *protocol);
/// Call a method of the protocol in the transport's context.
PyObject *transport_call(TransportObject *t, PyObject *callable, PyObject *const *args, size_t count);
/// True if a future has its result.
bool future_is_done(PyObject *future);
/// Tell the loop's exception handler of the exception that is set, as CPython's transports do. Returns -2 if it is one
/// that ends the run, which the loop has then, or -1.
int transport_failed(TransportObject *t, const char *message);
/// Give the memory back that a buffered protocol has lent.
void give_buffer_back(TransportObject *t);
PyObject *transport_begin_input(TransportObject *t, PyObject *unused);
extern PyMethodDef transport_methods[];
/// True if the call may be made here; else an exception is set.
int transport_admits(TransportObject *t);

PyObject *datagram_sendto(TransportObject *t, PyObject *const *args, Py_ssize_t count, PyObject *keywords);
void *datagram_start(TransportObject *t, void *loop, int fd);
/// An address of the system as Python has it: a tuple, or the path of a Unix socket.
PyObject *address_of_sender(const void *address, size_t length);
PyObject *address_make(const void *address, size_t length);

// MARK: Errors

/// Take the exception that is set.
PyObject *take_exception(void);
/// Set an exception; takes the reference.
void give_exception(PyObject *exception);
/// The exception of an error of Swift's; None if there is none.
PyObject *exception_of(const aiopy_failure *failure);
/// True if an exception ends the run: KeyboardInterrupt and SystemExit.
int exception_ends(PyObject *exception);

// MARK: The GIL

/// Take the GIL in any thread. False if this thread cannot have it any more, as the interpreter ends or has ended: what
/// would be released then is left where it is.
bool enter_python(PyGILState_STATE *state);
/// In the child of a fork, which has one thread.
void forget_other_threads(void);
/// Give it back.
void leave_python(PyGILState_STATE state);
PyObject *end_of_python(PyObject *module, PyObject *unused);

static inline PyObject *call_method(PyObject *object, PyObject *name) {
  return PyObject_CallMethodNoArgs(object, name);
}
