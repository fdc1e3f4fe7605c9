// Handles: callbacks with their arguments and their context, as asyncio.Handle and asyncio.TimerHandle are.
//
// A handle is the cheapest object that asyncio's users can see: it is allocated for every call_soon. So freed ones are
// kept, the usual single argument needs no tuple, and the loop's queue takes the handle's address as it is.

#include "internal.h"

#define SPARE_LIMIT 1024
static HandleObject *spare[SPARE_LIMIT];
static int spare_count;

HandleObject *handle_new(
  PyTypeObject *type, PyObject *loop, PyObject *callback, PyObject *const *args, Py_ssize_t count, PyObject *context
) {
  HandleObject *h;
  if (type == &HandleType && spare_count) {
    h = spare[--spare_count];
    _Py_NewReference((PyObject *)h);
  } else {
    h = PyObject_GC_New(HandleObject, type);
    if (!h) return NULL;
  }
  h->arg = h->args = h->traceback = h->description = h->weak = NULL;
  h->timer = NULL;
  h->held.place = NULL;
  h->when = 0;
  h->cancelled = 0;
  h->loop = Py_NewRef(loop);
  h->callback = Py_NewRef(callback);
  h->context = context && context != Py_None ? Py_NewRef(context) : PyContext_CopyCurrent();
  if (count == 1) {
    h->arg = Py_NewRef(args[0]);
  } else if (count) {
    h->args = PyTuple_New(count);
    for (Py_ssize_t i = 0; h->args && i < count; i++) PyTuple_SET_ITEM(h->args, i, Py_NewRef(args[i]));
  }
  PyObject_GC_Track(h);
  if (!h->context || (count > 1 && !h->args)) {
    Py_DECREF(h);
    return NULL;
  }
  if ((uintptr_t)h & 15) {
    // The queue keeps a tag in the lowest bits. Python's allocators align to 16 bytes on 64-bit systems.
    Py_DECREF(h);
    PyErr_SetString(PyExc_MemoryError, "swift_asyncio: this Python's allocator does not align objects to 16 bytes");
    return NULL;
  }
  return h;
}

static int handle_clear(HandleObject *h) {
  Py_CLEAR(h->loop);
  Py_CLEAR(h->callback);
  Py_CLEAR(h->context);
  Py_CLEAR(h->arg);
  Py_CLEAR(h->args);
  Py_CLEAR(h->traceback);
  Py_CLEAR(h->description);
  return 0;
}

static int handle_traverse(HandleObject *h, visitproc visit, void *arg) {
  Py_VISIT(h->loop);
  Py_VISIT(h->callback);
  Py_VISIT(h->context);
  Py_VISIT(h->arg);
  Py_VISIT(h->args);
  Py_VISIT(h->traceback);
  Py_VISIT(h->description);
  return 0;
}

static void handle_dealloc(HandleObject *h) {
  PyObject_GC_UnTrack(h);
  // The argument of a handle may be a handle, and so on: a long chain must not be a deep recursion.
  Py_TRASHCAN_BEGIN(h, handle_dealloc)
  if (h->weak) PyObject_ClearWeakRefs((PyObject *)h);
  if (h->timer) aioswift_timer_release(h->timer);
  handle_clear(h);
  if (Py_IS_TYPE(h, &HandleType) && spare_count < SPARE_LIMIT) {
    spare[spare_count++] = h;
  } else {
    PyObject_GC_Del(h);
  }
  Py_TRASHCAN_END
}

// MARK: Running

/// Log a callback that took longer than the loop allows, in debug mode.
static void note_time(HandleObject *h, LoopObject *loop, double began) {
  double took = aioswift_loop_time(loop->swift) - began;
  if (took < loop->slow_callback_duration) return;
  PyObject *result = PyObject_CallFunction(names.report_slow, "Od", (PyObject *)h, took);
  if (!result) PyErr_WriteUnraisable((PyObject *)h);
  Py_XDECREF(result);
}

static PyObject *call(HandleObject *h, PyObject *callback) {
  if (h->arg) return PyObject_CallOneArg(callback, h->arg);
  if (!h->args) return PyObject_CallNoArgs(callback);
  PyObject *args = Py_NewRef(h->args);
  PyObject *result = PyObject_Call(callback, args, NULL);
  Py_DECREF(args);
  return result;
}

/// Tell the loop's exception handler. False if the exception, or one of the handler, ends the run.
static bool failed(HandleObject *h, LoopObject *loop) {
  PyObject *exception = take_exception();
  if (exception && !exception_ends(exception)) {
    PyObject *result = PyObject_CallFunctionObjArgs(names.report_callback, (PyObject *)h, exception, NULL);
    Py_DECREF(exception);
    if (result) {
      Py_DECREF(result);
      return true;
    }
    exception = take_exception();
  }
  loop_interrupt(loop, exception);
  return false;
}

/// In the child of a fork that a callback has made: end the run, which is the parent's.
static bool leave_fork(LoopObject *loop) {
  PyErr_SetString(
    PyExc_RuntimeError,
    "this process was forked inside of a run: end the child by os._exit(), or make a new loop in it");
  loop_interrupt(loop, take_exception());
  return false;
}

bool aiopy_run_kept(void *pointer) {
  HandleObject *h = pointer;
  if (h->cancelled || !h->callback || !h->context || !h->loop) return true;
  LoopObject *loop = (LoopObject *)h->loop;
  // The callback may switch debug mode on.
  bool is_timed = loop->debug;
  double began = is_timed ? aioswift_loop_time(loop->swift) : 0;
  bool goes_on = true;
  // Held, as the callback may cancel its own handle.
  PyObject *callback = Py_NewRef(h->callback), *context = Py_NewRef(h->context);
  PyObject *arg = Py_XNewRef(h->arg);
  Py_INCREF(h);
  PyObject *result = NULL;
  if (PyContext_Enter(context) == 0) {
    result = call(h, callback);
    PyObject *exception = result ? NULL : take_exception();
    PyContext_Exit(context);
    if (exception) give_exception(exception);
  }
  if (result) {
    Py_DECREF(result);
    if (is_timed) note_time(h, loop, began);
  } else {
    goes_on = failed(h, loop);
  }
  if (loop->thread && loop->forks != fork_count) goes_on = leave_fork(loop);
  Py_XDECREF(arg);
  Py_DECREF(callback);
  Py_DECREF(context);
  Py_DECREF(h);
  return goes_on;
}

bool aiopy_run(void *pointer) {
  bool goes_on = aiopy_run_kept(pointer);
  Py_DECREF((PyObject *)pointer);
  return goes_on;
}

void aiopy_end_watch(void *pointer) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  ((HandleObject *)pointer)->cancelled = 1;
  end_hold(&((HandleObject *)pointer)->held);
  Py_DECREF((PyObject *)pointer);
  leave_python(state);
}

void aiopy_drop(void *pointer) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  end_hold(&((HandleObject *)pointer)->held);
  Py_DECREF((PyObject *)pointer);
  leave_python(state);
}

// MARK: What Python sees

static PyObject *handle_cancel(HandleObject *h, PyObject *unused) {
  if (h->cancelled) Py_RETURN_NONE;
  h->cancelled = 1;
  if (h->loop && ((LoopObject *)h->loop)->debug) {
    // The repr of a cancelled handle still says what it was, as in asyncio.
    PyObject *description = PyObject_Repr((PyObject *)h);
    if (!description) PyErr_Clear();
    Py_XSETREF(h->description, description);
  }
  // The loop's own reference may be the last one, and clearing runs code.
  Py_INCREF(h);
  if (h->timer) aioswift_timer_cancel(h->timer);
  Py_CLEAR(h->callback);
  Py_CLEAR(h->arg);
  Py_CLEAR(h->args);
  Py_DECREF(h);
  Py_RETURN_NONE;
}

static PyObject *handle_cancelled(HandleObject *h, PyObject *unused) { return PyBool_FromLong(h->cancelled); }
static PyObject *handle_when(HandleObject *h, PyObject *unused) { return PyFloat_FromDouble(h->when); }
static PyObject *handle_context(HandleObject *h, PyObject *unused) {
  return Py_NewRef(h->context ? h->context : Py_None);
}

static PyObject *handle_run(HandleObject *h, PyObject *unused) {
  if (!h->loop || aiopy_run_kept(h)) Py_RETURN_NONE;
  give_exception(aiopy_take_interrupt(h->loop));
  return NULL;
}

static PyObject *handle_repr(HandleObject *h) {
  if (h->description) return Py_NewRef(h->description);
  return PyObject_CallOneArg(names.describe_handle, (PyObject *)h);
}

static PyObject *handle_args(HandleObject *h, void *unused) {
  if (h->arg) return PyTuple_Pack(1, h->arg);
  if (h->args) return Py_NewRef(h->args);
  if (h->cancelled) Py_RETURN_NONE;
  return PyTuple_New(0);
}

static PyMethodDef handle_methods[] = {
  {"cancel", (PyCFunction)handle_cancel, METH_NOARGS, "Make sure that the callback does not run."},
  {"cancelled", (PyCFunction)handle_cancelled, METH_NOARGS, "Return True if the callback was cancelled."},
  {"get_context", (PyCFunction)handle_context, METH_NOARGS, "Return the context of the callback."},
  {"_run", (PyCFunction)handle_run, METH_NOARGS, "Run the callback now."},
  {NULL}};

static PyMethodDef timer_methods[] = {
  {"when", (PyCFunction)handle_when, METH_NOARGS, "Return the time at which the callback is due, in seconds."}, {NULL}};

static PyGetSetDef handle_properties[] = {{"_args", (getter)handle_args, NULL, NULL, NULL}, {NULL}};

static PyMemberDef handle_members[] = {
  {"_loop", T_OBJECT, offsetof(HandleObject, loop), READONLY},
  {"_callback", T_OBJECT, offsetof(HandleObject, callback), READONLY},
  {"_context", T_OBJECT, offsetof(HandleObject, context), READONLY},
  {"_source_traceback", T_OBJECT, offsetof(HandleObject, traceback), 0},
  {"_cancelled", T_BOOL, offsetof(HandleObject, cancelled), READONLY},
  {"_when", T_DOUBLE, offsetof(HandleObject, when), READONLY},
  {"__weaklistoffset__", T_PYSSIZET, offsetof(HandleObject, weak), READONLY},
  {NULL}};

PyTypeObject HandleType = {
  PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "swift_asyncio.Handle",
  .tp_doc = "A callback that a loop will run, and the means to cancel it.",
  .tp_basicsize = sizeof(HandleObject),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_dealloc = (destructor)handle_dealloc,
  .tp_traverse = (traverseproc)handle_traverse,
  .tp_clear = (inquiry)handle_clear,
  .tp_repr = (reprfunc)handle_repr,
  .tp_methods = handle_methods,
  .tp_members = handle_members,
  .tp_getset = handle_properties,
  .tp_weaklistoffset = offsetof(HandleObject, weak),
};

PyTypeObject TimerHandleType = {
  PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "swift_asyncio.TimerHandle",
  .tp_doc = "A callback that a loop will run at a given time.",
  .tp_base = &HandleType,
  .tp_basicsize = sizeof(HandleObject),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_methods = timer_methods,
};

int handle_init_types(void) { return PyType_Ready(&HandleType) || PyType_Ready(&TimerHandleType) ? -1 : 0; }
