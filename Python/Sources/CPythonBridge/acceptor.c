// Accepting: makes the Python side of each client that Swift has accepted.

#include "internal.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct {
  PyObject_HEAD
  PyObject *loop, *server, *factory, *context, *type, *make;
  void *swift;
  Held held;
} AcceptorObject;

/// Make the transport of a client; `make` does it for one that is protected.
static TransportObject *welcome(AcceptorObject *a) {
  if (a->make != Py_None) return (TransportObject *)PyObject_CallNoArgs(a->make);
  PyObject *protocol = PyObject_CallNoArgs(a->factory);
  if (!protocol) return NULL;
  TransportObject *t = transport_make((PyTypeObject *)a->type, a->loop, protocol, a->context);
  Py_DECREF(protocol);
  return t;
}

/// Tell of the exception of a factory. One that ends the run becomes the loop's, and none is set then.
static void refused(AcceptorObject *a, PyObject *exception) {
  LoopObject *loop = (LoopObject *)a->loop;
  if (exception_ends(exception)) return loop_interrupt(loop, exception);
  aiopy_report(loop, "Error on transport creation for incoming connection", exception);
  give_exception(exception);
}

void *aiopy_accept(void *pointer, bool *buffered) {
  AcceptorObject *a = pointer;
  if (PyContext_Enter(a->context)) return NULL;
  TransportObject *t = welcome(a);
  PyObject *exception = t ? NULL : take_exception();
  PyContext_Exit(a->context);
  if (exception) refused(a, exception);
  if (!t) return NULL;
  t->server = Py_NewRef(a->server);
  if (transport_attach(t)) {
    Py_DECREF(t);
    return NULL;
  }
  *buffered = t->buffered;
  hold(t->loop, &t->held, (PyObject *)t);
  return t;
}

/// Acceptor(loop, fd, backlog, server, factory, type, make): accepts by a duplicate of the number.
static int acceptor_init(AcceptorObject *a, PyObject *args, PyObject *unused) {
  PyObject *loop, *server, *factory, *type, *make;
  int fd, backlog;
  if (!PyArg_ParseTuple(args, "O!iiOOO!O", &LoopType, &loop, &fd, &backlog, &server, &factory, &PyType_Type, &type,
                        &make)) {
    return -1;
  }
  if (a->loop || !((LoopObject *)loop)->swift) {
    PyErr_SetString(PyExc_RuntimeError, "an acceptor is made once, for a loop that was initialised");
    return -1;
  }
  a->loop = Py_NewRef(loop);
  a->server = Py_NewRef(server);
  a->factory = Py_NewRef(factory);
  a->type = Py_NewRef(type);
  a->make = Py_NewRef(make);
  a->context = PyContext_CopyCurrent();
  if (!a->context) return -1;
  int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
  hold(loop, &a->held, (PyObject *)a);
  // A backlog of zero or less is the system's least one, as it is for listen(2).
  a->swift = aioswift_server_new(((LoopObject *)loop)->swift, own, backlog < 1 ? 1 : backlog, a);
  if (!a->swift) close(own);
  return a->swift ? 0 : -1;
}

void aiopy_acceptor_gone(void *pointer) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  end_hold(&((AcceptorObject *)pointer)->held);
  Py_DECREF((PyObject *)pointer);
  leave_python(state);
}

static PyObject *acceptor_close(AcceptorObject *a, PyObject *unused) {
  if (a->swift) {
    void *swift = a->swift;
    a->swift = NULL;
    aioswift_server_close(swift);
    aioswift_server_release(swift);
    // Clients are refused from here on, even if the loop does not run again.
    aioswift_settle(((LoopObject *)a->loop)->swift);
  }
  Py_RETURN_NONE;
}

static int acceptor_traverse(AcceptorObject *a, visitproc visit, void *arg) {
  Py_VISIT(a->loop);
  Py_VISIT(a->server);
  Py_VISIT(a->factory);
  Py_VISIT(a->context);
  Py_VISIT(a->type);
  Py_VISIT(a->make);
  return 0;
}

static int acceptor_clear(AcceptorObject *a) {
  Py_CLEAR(a->loop);
  Py_CLEAR(a->server);
  Py_CLEAR(a->factory);
  Py_CLEAR(a->context);
  Py_CLEAR(a->type);
  Py_CLEAR(a->make);
  return 0;
}

static void acceptor_dealloc(AcceptorObject *a) {
  PyObject_GC_UnTrack(a);
  if (a->swift) aioswift_server_release(a->swift);
  acceptor_clear(a);
  Py_TYPE(a)->tp_free((PyObject *)a);
}

static PyMethodDef acceptor_methods[] = {{"close", (PyCFunction)acceptor_close, METH_NOARGS, NULL}, {NULL}};

PyTypeObject AcceptorType = {
  PyVarObject_HEAD_INIT(NULL, 0)
  .tp_name = "swift_asyncio._core.Acceptor",
  .tp_basicsize = sizeof(AcceptorObject),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
  .tp_new = PyType_GenericNew,
  .tp_init = (initproc)acceptor_init,
  .tp_dealloc = (destructor)acceptor_dealloc,
  .tp_traverse = (traverseproc)acceptor_traverse,
  .tp_clear = (inquiry)acceptor_clear,
  .tp_methods = acceptor_methods,
};
