// The base of the Python class of loops: what is called often, and what only Swift can do.
//
// Calls like call_soon check almost nothing without debug mode, as in asyncio; with it, a function of Python does.

#include "internal.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

void *no_loop(void) {
  PyErr_SetString(PyExc_RuntimeError, "the loop was not initialised: call super().__init__() first");
  return NULL;
}

void loop_interrupt(LoopObject *loop, PyObject *exception) {
  if (!exception) return;
  if (loop->interrupt) {
    Py_DECREF(exception);
  } else {
    loop->interrupt = exception;
  }
}

void *aiopy_take_interrupt(void *pointer) {
  LoopObject *loop = pointer;
  PyObject *exception = loop->interrupt;
  loop->interrupt = NULL;
  if (!exception) exception = PyObject_CallFunction(PyExc_RuntimeError, "s", "the run was interrupted");
  return exception;
}

bool aiopy_check_signals(void *pointer) {
  if (PyErr_CheckSignals() == 0) return true;
  loop_interrupt(pointer, take_exception());
  return false;
}

unsigned fork_count;
static void forked(void) {
  fork_count++;
  forget_other_threads();
}
/// Notice forks. Once.
int loop_watch_forks(void) {
  static int is_watching;
  if (!is_watching && pthread_atfork(NULL, NULL, forked)) return -1;
  is_watching = 1;
  return 0;
}

// MARK: Making and ending

void hold(PyObject *loop, Held *held, PyObject *object) {
  Held **first = &((LoopObject *)loop)->held;
  if (held->place) return;
  held->object = object;
  held->next = *first;
  held->place = first;
  if (held->next) held->next->place = &held->next;
  *first = held;
}

void end_hold(Held *held) {
  if (!held->place) return;
  *held->place = held->next;
  if (held->next) held->next->place = held->place;
  held->place = NULL;
}

static int loop_init(LoopObject *loop, PyObject *args, PyObject *keywords) {
  static char *known[] = {"mechanism", NULL};
  const char *kind = NULL;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|z", known, &kind)) return -1;
  if (loop->swift) return 0;
  loop->slow_callback_duration = 0.1;
  loop->swift = aioswift_loop_new(kind, loop);
  return loop->swift ? 0 : -1;
}

static int loop_traverse(LoopObject *loop, visitproc visit, void *arg) {
  Py_VISIT(loop->interrupt);
  // Swift lets go of nothing while the loop does not run.
  if (!loop->swift || loop->thread) return 0;
  for (Held *held = loop->held; held; held = held->next) Py_VISIT(held->object);
  return aioswift_loop_visit(loop->swift, (int (*)(void *, void *))visit, arg);
}

static int loop_clear(LoopObject *loop) {
  Py_CLEAR(loop->interrupt);
  // In a cycle, all of it is garbage, and its finalizer has run.
  if (loop->swift && aioswift_loop_close(loop->swift)) PyErr_WriteUnraisable(NULL);
  return 0;
}

static void loop_dealloc(LoopObject *loop) {
  PyObject_GC_UnTrack(loop);
  if (loop->weak) PyObject_ClearWeakRefs((PyObject *)loop);
  loop_clear(loop);
  if (loop->swift) aioswift_loop_free(loop->swift);
  while (loop->held) end_hold(loop->held);
  Py_TYPE(loop)->tp_free((PyObject *)loop);
}

// MARK: Running

static PyObject *loop_run(LoopObject *loop, PyObject *unused) {
  if (!loop->swift) return no_loop();
  if (loop->thread) {
    PyErr_SetString(PyExc_RuntimeError, "This event loop is already running");
    return NULL;
  }
  loop->thread = PyThread_get_thread_ident();
  loop->forks = fork_count;
  int status = aioswift_loop_run(loop->swift);
  loop->thread = 0;
  if (loop->interrupt) {
    PyErr_Clear();
    give_exception(aiopy_take_interrupt(loop));
    return NULL;
  }
  if (status) return NULL;
  Py_RETURN_NONE;
}

static PyObject *loop_stop(LoopObject *loop, PyObject *unused) {
  if (!loop->swift) return no_loop();
  aioswift_loop_stop(loop->swift);
  Py_RETURN_NONE;
}

static PyObject *loop_close(LoopObject *loop, PyObject *unused) {
  if (loop->swift && aioswift_loop_close(loop->swift)) return NULL;
  Py_RETURN_NONE;
}

static PyObject *loop_is_running(LoopObject *loop, PyObject *unused) { return PyBool_FromLong(loop->thread != 0); }

static PyObject *loop_time(LoopObject *loop, PyObject *unused) {
  return loop->swift ? PyFloat_FromDouble(aioswift_loop_time(loop->swift)) : no_loop();
}

static PyObject *loop_mechanism(LoopObject *loop, void *unused) {
  if (!loop->swift) return no_loop();
  char *name = aioswift_loop_mechanism(loop->swift);
  PyObject *text = PyUnicode_FromString(name);
  free(name);
  return text;
}

static PyObject *loop_set_debug(LoopObject *loop, PyObject *on) {
  int debug = PyObject_IsTrue(on);
  if (debug < 0) return NULL;
  loop->debug = debug;
  Py_RETURN_NONE;
}

// MARK: Callbacks

/// The callback, its arguments and its context, as call_soon and its kin take them.
typedef struct {
  PyObject *callback, *context;
  PyObject *const *args;
  Py_ssize_t count;
} Call;

static int read_call(
  Call *call, const char *name, Py_ssize_t skip, PyObject *const *args, Py_ssize_t n, PyObject *names
) {
  call->context = NULL;
  Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
  if (keywords) {
    PyObject *first = PyTuple_GET_ITEM(names, 0);
    if (keywords > 1 || PyUnicode_CompareWithASCIIString(first, "context")) {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R; it takes context only", name,
                   keywords > 1 ? PyTuple_GET_ITEM(names, 1) : first);
      return -1;
    }
    call->context = args[n];
    if (call->context != Py_None && !PyContext_CheckExact(call->context)) {
      PyErr_Format(PyExc_TypeError, "%s(): context must be a contextvars.Context, not %s", name,
                   Py_TYPE(call->context)->tp_name);
      return -1;
    }
  }
  if (n <= skip) {
    PyErr_Format(PyExc_TypeError, "%s() missing its argument: callback", name);
    return -1;
  }
  call->callback = args[skip];
  call->args = args + skip + 1;
  call->count = n - skip - 1;
  return 0;
}

/// In debug mode: the thread, what the callback is, and then where the handle was made.
static int check_call(LoopObject *loop, const char *name, PyObject *callback) {
  PyObject *result = PyObject_CallFunction(names.check_call, "OsO", (PyObject *)loop, name, callback);
  Py_XDECREF(result);
  return result ? 0 : -1;
}

static PyObject *noted(LoopObject *loop, HandleObject *h) {
  if (!loop->debug || !h) return (PyObject *)h;
  PyObject *result = PyObject_CallOneArg(names.note_origin, (PyObject *)h);
  if (!result) Py_CLEAR(h);
  Py_XDECREF(result);
  return (PyObject *)h;
}

static HandleObject *queue(LoopObject *loop, const Call *call) {
  HandleObject *h = handle_new(&HandleType, (PyObject *)loop, call->callback, call->args, call->count, call->context);
  if (!h) return NULL;
  Py_INCREF(h);
  if (aioswift_call_soon(loop->swift, h) == 0) return h;
  Py_DECREF(h);
  Py_DECREF(h);
  return NULL;
}

static PyObject *loop_call_soon(LoopObject *loop, PyObject *const *args, Py_ssize_t n, PyObject *keywords) {
  Call call;
  if (!loop->swift) return no_loop();
  if (read_call(&call, "call_soon", 0, args, n, keywords)) return NULL;
  if (loop->debug && check_call(loop, "call_soon", call.callback)) return NULL;
  return noted(loop, queue(loop, &call));
}

static PyObject *loop_call_soon_threadsafe(LoopObject *loop, PyObject *const *args, Py_ssize_t n, PyObject *keywords) {
  Call call;
  if (!loop->swift) return no_loop();
  if (read_call(&call, "call_soon_threadsafe", 0, args, n, keywords)) return NULL;
  if (loop->debug && check_call(loop, "call_soon_threadsafe", call.callback)) return NULL;
  return noted(loop, queue(loop, &call));
}

static PyObject *call_at(LoopObject *loop, const Call *call, double when) {
  if (isnan(when)) {
    PyErr_SetString(PyExc_ValueError, "the time of a timer must not be NaN");
    return NULL;
  }
  HandleObject *h =
    handle_new(&TimerHandleType, (PyObject *)loop, call->callback, call->args, call->count, call->context);
  if (!h) return NULL;
  h->when = when;
  Py_INCREF(h);
  hold((PyObject *)loop, &h->held, (PyObject *)h);
  h->timer = aioswift_call_at(loop->swift, h, when);
  if (h->timer) return noted(loop, h);
  Py_DECREF(h);
  return NULL;
}

static int read_seconds(PyObject *number, const char *what, double *seconds) {
  if (number == Py_None) {
    PyErr_Format(PyExc_TypeError, "%s must not be None", what);
    return -1;
  }
  *seconds = PyFloat_AsDouble(number);
  return *seconds == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *loop_call_later(LoopObject *loop, PyObject *const *args, Py_ssize_t n, PyObject *keywords) {
  Call call;
  double delay;
  if (!loop->swift) return no_loop();
  if (read_call(&call, "call_later", 1, args, n, keywords) || read_seconds(args[0], "delay", &delay)) return NULL;
  if (loop->debug && check_call(loop, "call_later", call.callback)) return NULL;
  return call_at(loop, &call, aioswift_loop_time(loop->swift) + delay);
}

static PyObject *loop_call_at(LoopObject *loop, PyObject *const *args, Py_ssize_t n, PyObject *keywords) {
  Call call;
  double when;
  if (!loop->swift) return no_loop();
  if (read_call(&call, "call_at", 1, args, n, keywords) || read_seconds(args[0], "when", &when)) return NULL;
  if (loop->debug && check_call(loop, "call_at", call.callback)) return NULL;
  return call_at(loop, &call, when);
}

// MARK: Descriptors

/// A number, or an object with fileno().
static int read_descriptor(PyObject *object) {
  int fd = PyObject_AsFileDescriptor(object);
  if (fd >= 0 || !PyErr_Occurred()) return fd;
  PyObject *raised = take_exception();
  if (PyErr_GivenExceptionMatches(raised, PyExc_TypeError)
      || PyErr_GivenExceptionMatches(raised, PyExc_AttributeError)) {
    PyErr_Format(PyExc_ValueError, "Invalid file object: %R", object);
    Py_DECREF(raised);
  } else {
    give_exception(raised);
  }
  return -1;
}

static PyObject *watch(LoopObject *loop, PyObject *const *args, Py_ssize_t n, bool writer) {
  if (!loop->swift) return no_loop();
  Call call;
  if (read_call(&call, writer ? "add_writer" : "add_reader", 1, args, n, NULL)) return NULL;
  int fd = read_descriptor(args[0]);
  if (fd < 0) return NULL;
  HandleObject *h = handle_new(&HandleType, (PyObject *)loop, call.callback, call.args, call.count, NULL);
  if (!h) return NULL;
  Py_INCREF(h);
  hold((PyObject *)loop, &h->held, (PyObject *)h);
  if (aioswift_watch(loop->swift, fd, writer, h) == 0) return (PyObject *)h;
  Py_DECREF(h);
  return NULL;
}

static PyObject *loop_add_reader(LoopObject *loop, PyObject *const *args, Py_ssize_t n) {
  return watch(loop, args, n, false);
}

static PyObject *loop_add_writer(LoopObject *loop, PyObject *const *args, Py_ssize_t n) {
  return watch(loop, args, n, true);
}

static PyObject *unwatch(LoopObject *loop, PyObject *object, bool writer) {
  if (!loop->swift) return no_loop();
  int fd = read_descriptor(object);
  if (fd < 0) return NULL;
  int found = aioswift_unwatch(loop->swift, fd, writer);
  return found < 0 ? NULL : PyBool_FromLong(found);
}

static PyObject *loop_remove_reader(LoopObject *loop, PyObject *file) { return unwatch(loop, file, false); }
static PyObject *loop_remove_writer(LoopObject *loop, PyObject *file) { return unwatch(loop, file, true); }

/// Raise RuntimeError for a descriptor that belongs to a transport.
static PyObject *loop_ensure_free(LoopObject *loop, PyObject *object) {
  if (!loop->swift) return no_loop();
  int fd = read_descriptor(object);
  if (fd < 0) return NULL;
  if (!aioswift_is_taken(loop->swift, fd)) Py_RETURN_NONE;
  PyErr_Format(
    PyExc_RuntimeError, "File descriptor %R is used by transport: use the transport, or close it first", object);
  return NULL;
}

// MARK: The type

#define FAST METH_FASTCALL | METH_KEYWORDS
static PyMethodDef methods[] = {
  {"call_soon", (PyCFunction)(void *)loop_call_soon, FAST, "Run the callback in the next turn of the loop."},
  {"call_soon_threadsafe", (PyCFunction)(void *)loop_call_soon_threadsafe, FAST, "Do the same, from any thread."},
  {"call_later", (PyCFunction)(void *)loop_call_later, FAST, "Run the callback after some seconds."},
  {"call_at", (PyCFunction)(void *)loop_call_at, FAST, "Run the callback at a time of the loop's clock."},
  {"time", (PyCFunction)loop_time, METH_NOARGS, "Return the time of the loop's monotonic clock, in seconds."},
  {"stop", (PyCFunction)loop_stop, METH_NOARGS, "End the run after this turn."},
  {"is_running", (PyCFunction)loop_is_running, METH_NOARGS, "Return True while a thread runs the loop."},
  {"_run", (PyCFunction)loop_run, METH_NOARGS, NULL},
  {"_close", (PyCFunction)loop_close, METH_NOARGS, NULL},
  {"_set_debug", (PyCFunction)loop_set_debug, METH_O, NULL},
  {"_add_reader", (PyCFunction)(void *)loop_add_reader, METH_FASTCALL, NULL},
  {"_add_writer", (PyCFunction)(void *)loop_add_writer, METH_FASTCALL, NULL},
  {"_ensure_fd_no_transport", (PyCFunction)loop_ensure_free, METH_O, NULL},
  {"_remove_reader", (PyCFunction)loop_remove_reader, METH_O, NULL},
  {"_remove_writer", (PyCFunction)loop_remove_writer, METH_O, NULL},
  {NULL}};

static PyMemberDef members[] = {
  {"slow_callback_duration", T_DOUBLE, offsetof(LoopObject, slow_callback_duration), 0,
   "In debug mode, callbacks that take this many seconds or more are logged."},
  {"__weaklistoffset__", T_PYSSIZET, offsetof(LoopObject, weak), READONLY},
  {NULL}};

static PyGetSetDef properties[] = {
  {"mechanism", (getter)loop_mechanism, NULL, "What the loop waits with: \"epoll\", \"poll\", \"io_uring\".", NULL},
  {NULL}};

PyTypeObject LoopType = {
  PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "swift_asyncio._core.Loop",
  .tp_basicsize = sizeof(LoopObject),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
  .tp_new = PyType_GenericNew,
  .tp_init = (initproc)loop_init,
  .tp_dealloc = (destructor)loop_dealloc,
  .tp_traverse = (traverseproc)loop_traverse,
  .tp_clear = (inquiry)loop_clear,
  .tp_methods = methods,
  .tp_members = members,
  .tp_getset = properties,
  .tp_weaklistoffset = offsetof(LoopObject, weak),
};
