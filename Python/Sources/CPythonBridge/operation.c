// Operations that Swift's tasks do, each with a future of Python's: connecting, and sending a file.

#include "internal.h"

#include <math.h>

typedef struct {
  PyObject_HEAD
  PyObject *future, *make, *context;
  void *task;
} OperationObject;

static OperationObject *operation_new(PyObject *future, PyObject *make) {
  OperationObject *o = PyObject_GC_New(OperationObject, &OperationType);
  if (!o) return NULL;
  o->future = Py_NewRef(future);
  o->make = Py_NewRef(make);
  o->context = PyContext_CopyCurrent();
  o->task = NULL;
  PyObject_GC_Track(o);
  if (!o->context) Py_CLEAR(o);
  return o;
}

void *aiopy_connected(void *pointer, bool *buffered) {
  OperationObject *o = pointer;
  // The protocol is made, and later called, in the context of the call that asked for the connection.
  if (PyContext_Enter(o->context)) return NULL;
  TransportObject *t = (TransportObject *)PyObject_CallNoArgs(o->make);
  PyObject *exception = t ? NULL : take_exception();
  PyContext_Exit(o->context);
  if (exception) give_exception(exception);
  if (t && !PyObject_TypeCheck((PyObject *)t, TransportType)) {
    PyErr_SetString(PyExc_TypeError, "a transport was expected");
    Py_CLEAR(t);
  }
  if (!t) return NULL;
  *buffered = t->buffered;
  hold(t->loop, &t->held, (PyObject *)t);
  return t;
}

/// The awaiting task has given up, and nobody takes the connection.
static void put_away(PyObject *value) {
  if (!value || !PyObject_TypeCheck(value, TransportType)) return;
  TransportObject *t = (TransportObject *)value;
  if (t->swift && !t->lost) aioswift_transport_end(t->swift, NULL);
}

static PyObject *settle(OperationObject *o, PyObject *value, const aiopy_failure *failure) {
  if (failure && failure->kind == AIOPY_CANCELLED) return call_method(o->future, names.cancel);
  if (!failure) return PyObject_CallMethodOneArg(o->future, names.set_result, value ? value : Py_None);
  PyObject *exception = exception_of(failure);
  PyObject *result = PyObject_CallMethodOneArg(o->future, names.set_exception, exception);
  Py_DECREF(exception);
  if (result) return result;
  // A future refuses some exceptions, as StopIteration, and says why: that is what its awaiter gets then.
  exception = take_exception();
  result = PyObject_CallMethodOneArg(o->future, names.set_exception, exception);
  Py_DECREF(exception);
  return result;
}

bool future_is_done(PyObject *future) {
  PyObject *done = call_method(future, names.done);
  bool answer = done && PyObject_IsTrue(done) > 0;
  Py_XDECREF(done);
  PyErr_Clear();
  return answer;
}

/// Report a future that could not be resolved. One of a closed loop is: only its callbacks cannot be scheduled.
static void note_failure(OperationObject *o) {
  PyObject *exception = take_exception();
  if (future_is_done(o->future)) {
    Py_XDECREF(exception);
  } else {
    give_exception(exception);
    PyErr_WriteUnraisable(o->future);
  }
}

void aiopy_resolve(void *pointer, void *value, const aiopy_failure *failure) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  OperationObject *o = pointer;
  if (future_is_done(o->future)) {
    put_away(value);
  } else {
    PyObject *result = settle(o, value, failure);
    if (!result) note_failure(o);
    Py_XDECREF(result);
  }
  Py_XDECREF((PyObject *)value);
  Py_DECREF(o);
  leave_python(state);
}

static PyObject *begun(OperationObject *o, void *task) {
  if (!task) {
    Py_DECREF(o);
    return NULL;
  }
  o->task = task;
  return (PyObject *)o;
}

/// connect(loop, future, make, host, port, local_host, local_port, family, proto, flags, delay, interleave)
PyObject *operation_connect(PyObject *module, PyObject *args) {
  LoopObject *loop;
  PyObject *future, *make;
  aioswift_connect_request r;
  int port, local_port;
  long long interleave;
  if (!PyArg_ParseTuple(args, "O!OOsiziiiidL", &LoopType, &loop, &future, &make, &r.host, &port, &r.local_host,
                        &local_port, &r.family, &r.protocol, &r.flags, &r.delay, &interleave)) {
    return NULL;
  }
  if (!loop->swift) return no_loop();
  if (isnan(r.delay)) {
    PyErr_SetString(PyExc_ValueError, "happy_eyeballs_delay must not be NaN");
    return NULL;
  }
  // Swift's durations end somewhere; so long nobody waits.
  if (r.delay > 1e9) r.delay = 1e9;
  if (port < 0 || port > 0xffff || local_port < 0 || local_port > 0xffff) {
    PyErr_SetString(PyExc_OverflowError, "connect(): port must be 0-65535.");
    return NULL;
  }
  r.port = port;
  r.local_port = local_port;
  r.interleave = interleave;
  OperationObject *o = operation_new(future, make);
  if (!o) return NULL;
  return begun(o, aioswift_connect(loop->swift, &r, Py_NewRef((PyObject *)o)));
}

/// sendfile(loop, future, transport, fd, offset, count)
PyObject *operation_sendfile(PyObject *module, PyObject *args) {
  LoopObject *loop;
  TransportObject *t;
  PyObject *future;
  int fd;
  long long offset, count;
  if (!PyArg_ParseTuple(args, "O!OO!iLL", &LoopType, &loop, &future, TransportType, &t, &fd, &offset, &count)) {
    return NULL;
  }
  if (!loop->swift) return no_loop();
  if (!transport_admits(t)) return NULL;
  OperationObject *o = operation_new(future, Py_None);
  if (!o) return NULL;
  return begun(o, aioswift_sendfile(loop->swift, t->swift, fd, offset, count, Py_NewRef((PyObject *)o)));
}

static PyObject *operation_cancel(OperationObject *o, PyObject *unused) {
  if (o->task) aioswift_task_cancel(o->task);
  Py_RETURN_NONE;
}

static int operation_traverse(OperationObject *o, visitproc visit, void *arg) {
  Py_VISIT(o->future);
  Py_VISIT(o->make);
  Py_VISIT(o->context);
  return 0;
}

static int operation_clear(OperationObject *o) {
  Py_CLEAR(o->future);
  Py_CLEAR(o->make);
  Py_CLEAR(o->context);
  return 0;
}

static void operation_dealloc(OperationObject *o) {
  PyObject_GC_UnTrack(o);
  if (o->task) aioswift_task_release(o->task);
  operation_clear(o);
  PyObject_GC_Del(o);
}

static PyMethodDef methods[] = {
  {"cancel", (PyCFunction)operation_cancel, METH_NOARGS, "Ask for an early end."}, {NULL}};

PyTypeObject OperationType = {
  PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "swift_asyncio._core.Operation",
  .tp_basicsize = sizeof(OperationObject),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_dealloc = (destructor)operation_dealloc,
  .tp_traverse = (traverseproc)operation_traverse,
  .tp_clear = (inquiry)operation_clear,
  .tp_methods = methods,
};
