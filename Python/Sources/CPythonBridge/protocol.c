// Protocols: what Swift's transports call, and how a protocol of Python's is called.
//
// A protocol is called in the context in which its transport was made. It may be called from inside a call of its own
// (a write that pauses it), and a context cannot be entered twice.

#include "internal.h"

PyObject *transport_call(TransportObject *t, PyObject *callable, PyObject *const *args, size_t count) {
  if (!callable || !t->context) Py_RETURN_NONE;
  PyObject *held = Py_NewRef(callable);
  PyObject *result = NULL;
  if (t->inside) {
    result = PyObject_Vectorcall(held, args, count, NULL);
  } else if (PyContext_Enter(t->context) == 0) {
    t->inside = 1;
    result = PyObject_Vectorcall(held, args, count, NULL);
    t->inside = 0;
    PyObject *exception = result ? NULL : take_exception();
    PyContext_Exit(t->context);
    if (exception) give_exception(exception);
  }
  Py_DECREF(held);
  return result;
}

static PyObject *call_named(TransportObject *t, PyObject *name, PyObject *arg) {
  if (!t->protocol) Py_RETURN_NONE;
  PyObject *method = PyObject_GetAttr(t->protocol, name);
  if (!method) return NULL;
  PyObject *result = transport_call(t, method, &arg, arg ? 1 : 0);
  Py_DECREF(method);
  return result;
}

int transport_failed(TransportObject *t, const char *message) {
  PyObject *exception = take_exception();
  if (!exception) return -1;
  if (exception_ends(exception)) {
    loop_interrupt((LoopObject *)t->loop, exception);
    return -2;
  }
  PyObject *context = Py_BuildValue(
    "{sssOsOsO}", "message", message, "exception", exception, "transport", (PyObject *)t, "protocol",
    t->protocol ? t->protocol : Py_None);
  PyObject *result = context ? PyObject_CallMethodOneArg(t->loop, names.call_exception_handler, context) : NULL;
  Py_XDECREF(context);
  if (!result) {
    Py_DECREF(exception);
    loop_interrupt((LoopObject *)t->loop, take_exception());
    return -2;
  }
  Py_DECREF(result);
  // For Swift, which ends the connection with it.
  give_exception(exception);
  return -1;
}

/// Take what a call has returned, where the connection goes on after an exception.
static int survived(TransportObject *t, PyObject *result, const char *message) {
  Py_XDECREF(result);
  if (result) return 0;
  int status = transport_failed(t, message);
  if (status == -1) PyErr_Clear();
  return status == -2 ? -2 : 0;
}

static int checked(TransportObject *t, PyObject *result, const char *message) {
  if (!result) return transport_failed(t, message);
  Py_DECREF(result);
  return 0;
}

// MARK: Called by Swift

PyObject *transport_begin_input(TransportObject *t, PyObject *unused) {
  if (t->swift && !t->lost) aioswift_transport_begin_input(t->swift);
  Py_RETURN_NONE;
}

/// Resume the waiter of the transport, and begin input after it.
static int tell_waiter(TransportObject *t) {
  PyObject *waiter = t->waiter;
  t->waiter = NULL;
  PyObject *result = future_is_done(waiter) ? Py_NewRef(Py_None)
                                            : PyObject_CallMethodOneArg(waiter, names.set_result, Py_None);
  Py_DECREF(waiter);
  if (!result) return -1;
  Py_DECREF(result);
  PyObject *begin = PyObject_GetAttr((PyObject *)t, names.begin_input);
  HandleObject *h = begin ? handle_new(&HandleType, t->loop, begin, NULL, 0, t->context) : NULL;
  Py_XDECREF(begin);
  if (!h) return -1;
  if (aioswift_call_soon(((LoopObject *)t->loop)->swift, h) == 0) return 0;
  Py_DECREF(h);
  return -1;
}

int aiopy_made(void *pointer, void *swift) {
  TransportObject *t = pointer;
  if (!t->swift) {
    t->swift = swift;
    aioswift_transport_retain(swift);
  }
  PyObject *result = call_named(t, names.connection_made, (PyObject *)t);
  int status = survived(t, result, "Exception in connection_made() of a protocol");
  if (t->waiter && tell_waiter(t)) PyErr_WriteUnraisable((PyObject *)t);
  return status;
}

int aiopy_data(void *pointer, const void *bytes, size_t count) {
  TransportObject *t = pointer;
  PyObject *data = PyBytes_FromStringAndSize(bytes, count);
  PyObject *result = data ? transport_call(t, t->receive, &data, 1) : NULL;
  Py_XDECREF(data);
  return checked(t, result, "Fatal error: protocol.data_received() call failed.");
}

void give_buffer_back(TransportObject *t) {
  if (!t->is_lent) return;
  t->is_lent = 0;
  PyBuffer_Release(t->lent);
}

int aiopy_get_buffer(void *pointer, size_t hint, void **base, size_t *count) {
  static const char *message = "Fatal error: protocol.get_buffer() call failed.";
  TransportObject *t = pointer;
  give_buffer_back(t);
  PyObject *size = PyLong_FromSize_t(hint);
  PyObject *buffer = size ? transport_call(t, t->get_buffer, &size, 1) : NULL;
  Py_XDECREF(size);
  if (!buffer) return transport_failed(t, message);
  // Held until the bytes are in it, so that nobody can make it smaller meanwhile.
  if (!t->lent && !(t->lent = PyMem_Malloc(sizeof *t->lent))) PyErr_NoMemory();
  int status = t->lent ? PyObject_GetBuffer(buffer, t->lent, PyBUF_WRITABLE) : -1;
  Py_DECREF(buffer);
  if (status) return transport_failed(t, message);
  t->is_lent = 1;
  if (t->lent->len == 0) {
    give_buffer_back(t);
    PyErr_SetString(PyExc_RuntimeError, "get_buffer() returned an empty buffer");
    return transport_failed(t, message);
  }
  *base = t->lent->buf;
  *count = t->lent->len;
  return 0;
}

int aiopy_buffer_updated(void *pointer, size_t count) {
  TransportObject *t = pointer;
  // If get_buffer() has set a protocol that takes bytes, it gets them.
  PyObject *arg =
    t->buffered || !t->is_lent ? PyLong_FromSize_t(count) : PyBytes_FromStringAndSize(t->lent->buf, count);
  give_buffer_back(t);
  PyObject *result = arg ? transport_call(t, t->receive, &arg, 1) : NULL;
  Py_XDECREF(arg);
  return checked(t, result, "Fatal error: protocol.buffer_updated() call failed.");
}

int aiopy_eof(void *pointer) {
  TransportObject *t = pointer;
  PyObject *result = call_named(t, names.eof_received, NULL);
  int stays = result ? PyObject_IsTrue(result) : -1;
  Py_XDECREF(result);
  return stays >= 0 ? stays : transport_failed(t, "Fatal error: protocol.eof_received() call failed.");
}

int aiopy_pause(void *pointer, bool pause) {
  TransportObject *t = pointer;
  t->paused_protocol = pause;
  PyObject *result = call_named(t, pause ? names.pause_writing : names.resume_writing, NULL);
  return survived(t, result, pause ? "protocol.pause_writing() failed" : "protocol.resume_writing() failed");
}

int aiopy_datagram(void *pointer, const void *bytes, size_t count, const void *address, size_t length) {
  TransportObject *t = pointer;
  PyObject *args[2] = {PyBytes_FromStringAndSize(bytes, count), address_of_sender(address, length)};
  PyObject *result = args[0] && args[1] ? transport_call(t, t->receive, args, 2) : NULL;
  Py_XDECREF(args[0]);
  Py_XDECREF(args[1]);
  return checked(t, result, "Fatal error: protocol.datagram_received() call failed.");
}

int aiopy_error_received(void *pointer, const aiopy_failure *failure) {
  TransportObject *t = pointer;
  PyObject *error = exception_of(failure);
  PyObject *result = call_named(t, names.error_received, error);
  Py_DECREF(error);
  return survived(t, result, "protocol.error_received() failed");
}

/// Let go of what the transport had, whose end has been told or never will be.
static void let_go(TransportObject *t) {
  if (t->lost) return;
  t->lost = 1;
  give_buffer_back(t);
  PyObject *sock = t->sock, *server = t->server;
  t->sock = t->server = NULL;
  if (sock) {
    // The number of a socket is Swift's, which closes it; a pipe has been duplicated.
    bool is_pipe = t->kind == AIOSWIFT_READ_PIPE || t->kind == AIOSWIFT_WRITE_PIPE;
    PyObject *result = call_method(sock, is_pipe ? names.close : names.detach);
    if (!result) PyErr_WriteUnraisable(sock);
    Py_XDECREF(result);
    Py_DECREF(sock);
  }
  if (server && server != Py_None) {
    PyObject *result = tell_server(server, names.detach_client, t);
    if (!result) PyErr_WriteUnraisable(server);
    Py_XDECREF(result);
  }
  Py_XDECREF(server);
  Py_CLEAR(t->protocol);
  Py_CLEAR(t->receive);
  Py_CLEAR(t->get_buffer);
}

int aiopy_lost(void *pointer, const aiopy_failure *failure) {
  TransportObject *t = pointer;
  Py_INCREF(t);
  PyObject *error = exception_of(failure);
  PyObject *result = call_named(t, names.connection_lost, error);
  Py_DECREF(error);
  t->ended = 1;
  int status = survived(t, result, "Exception in connection_lost() of a protocol");
  let_go(t);
  Py_DECREF(t);
  return status;
}

void aiopy_gone(void *pointer) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  TransportObject *t = pointer;
  end_hold(&t->held);
  // Without Swift's transport it never began.
  if (!t->lost && t->swift) {
    // Its loop was closed, or Swift's transport was dropped.
    PyObject *held = take_exception();
    if (PyErr_ResourceWarning((PyObject *)t, 1, "unclosed transport %R", (PyObject *)t)) {
      PyErr_WriteUnraisable((PyObject *)t);
    }
    let_go(t);
    if (held) give_exception(held);
  }
  Py_DECREF(t);
  leave_python(state);
}
