// What programs call on transports.

#include "internal.h"

#include <sys/socket.h>

int transport_admits(TransportObject *t) {
  if (!t->swift) {
    PyErr_SetString(PyExc_RuntimeError, "the transport is not connected yet");
    return 0;
  }
  if (t->loop && loop_is_mine((LoopObject *)t->loop)) return 1;
  PyErr_SetString(
    PyExc_RuntimeError,
    "a transport belongs to the thread of its loop, which runs in another one: use loop.call_soon_threadsafe()");
  return 0;
}

static int not_offered(const char *call) {
  PyErr_Format(PyExc_NotImplementedError, "%s() is not offered by this kind of transport", call);
  return -1;
}

static bool reads(TransportObject *t) { return t->kind == AIOSWIFT_STREAM || t->kind == AIOSWIFT_READ_PIPE; }
static bool writes(TransportObject *t) { return t->kind == AIOSWIFT_STREAM || t->kind == AIOSWIFT_WRITE_PIPE; }

static int refuse_write(TransportObject *t, const char *call) {
  if (!writes(t)) return not_offered(call);
  if (t->sending_file) {
    PyErr_SetString(PyExc_RuntimeError, "unable to write; sendfile is in progress");
  } else if (t->ended_writing) {
    PyErr_Format(PyExc_RuntimeError, "Cannot call %s() after write_eof()", call);
  } else {
    return 0;
  }
  return -1;
}

static int send_bytes(TransportObject *t, const void *bytes, size_t count) {
  return t->kind == AIOSWIFT_STREAM ? aioswift_stream_write(t->swift, bytes, count)
                                    : aioswift_pipe_write(t->swift, bytes, count);
}

static PyObject *transport_write(TransportObject *t, PyObject *data) {
  if (!transport_admits(t)) return NULL;
  int is_bytes = PyBytes_Check(data);
  if (!is_bytes && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
    PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not '%s'", Py_TYPE(data)->tp_name);
    return NULL;
  }
  if (refuse_write(t, "write")) return NULL;
  int status;
  if (is_bytes) {
    // Held: a write may call the protocol.
    Py_INCREF(data);
    status = send_bytes(t, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
    Py_DECREF(data);
  } else {
    Py_buffer buffer;
    if (PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)) return NULL;
    status = send_bytes(t, buffer.buf, buffer.len);
    PyBuffer_Release(&buffer);
  }
  if (status) return NULL;
  Py_RETURN_NONE;
}

static PyObject *transport_writelines(TransportObject *t, PyObject *list) {
  if (!transport_admits(t) || refuse_write(t, "writelines")) return NULL;
  PyObject *empty = PyBytes_FromStringAndSize(NULL, 0);
  PyObject *joined = empty ? PyObject_CallMethod(empty, "join", "O", list) : NULL;
  Py_XDECREF(empty);
  PyObject *result = joined ? transport_write(t, joined) : NULL;
  Py_XDECREF(joined);
  return result;
}

static PyObject *transport_write_eof(TransportObject *t, PyObject *unused) {
  if (!transport_admits(t)) return NULL;
  if (!writes(t) || t->sending_file) {
    refuse_write(t, "write_eof");
    return NULL;
  }
  if (t->ended_writing || aioswift_transport_is_closing(t->swift)) Py_RETURN_NONE;
  t->ended_writing = 1;
  if (t->kind == AIOSWIFT_STREAM ? aioswift_stream_write_eof(t->swift) : aioswift_pipe_write_eof(t->swift)) return NULL;
  Py_RETURN_NONE;
}

static PyObject *transport_close(TransportObject *t, PyObject *unused) {
  // Any thread, as Swift's.
  if (t->swift) aioswift_transport_close(t->swift);
  Py_RETURN_NONE;
}

static PyObject *transport_end(TransportObject *t, PyObject *exception) {
  if (!t->swift) Py_RETURN_NONE;
  if (!transport_admits(t)) return NULL;
  aioswift_transport_end(t->swift, exception == Py_None ? NULL : exception);
  Py_RETURN_NONE;
}

static PyObject *transport_abort(TransportObject *t, PyObject *unused) { return transport_end(t, Py_None); }

static PyObject *transport_is_closing(TransportObject *t, PyObject *unused) {
  if (!t->swift || t->lost) return PyBool_FromLong(t->lost);
  if (!transport_admits(t)) return NULL;
  return PyBool_FromLong(aioswift_transport_is_closing(t->swift));
}

static PyObject *pause_reading(TransportObject *t, bool pause) {
  if (!reads(t)) {
    not_offered(pause ? "pause_reading" : "resume_reading");
    return NULL;
  }
  if (t->lost) Py_RETURN_NONE;
  if (!transport_admits(t)) return NULL;
  t->paused_reading = pause;
  aioswift_pause_reading(t->swift, t->kind, pause);
  Py_RETURN_NONE;
}

static PyObject *transport_pause(TransportObject *t, PyObject *unused) { return pause_reading(t, true); }
static PyObject *transport_resume(TransportObject *t, PyObject *unused) { return pause_reading(t, false); }

static PyObject *transport_is_reading(TransportObject *t, PyObject *unused) {
  if (!reads(t)) {
    not_offered("is_reading");
    return NULL;
  }
  if (!t->swift || t->lost) Py_RETURN_FALSE;
  if (!transport_admits(t)) return NULL;
  // Before the input begins as well, as in asyncio.
  return PyBool_FromLong(!t->paused_reading && !aioswift_transport_is_closing(t->swift));
}

static PyObject *transport_buffer_size(TransportObject *t, PyObject *unused) {
  if (!t->swift || t->lost) return PyLong_FromLong(0);
  if (!transport_admits(t)) return NULL;
  return PyLong_FromSize_t(aioswift_buffer_size(t->swift, t->kind));
}

static PyObject *transport_limits(TransportObject *t, PyObject *unused) {
  if (!transport_admits(t)) return NULL;
  size_t low, high;
  aioswift_limits(t->swift, t->kind, &low, &high);
  return Py_BuildValue("nn", (Py_ssize_t)low, (Py_ssize_t)high);
}

/// _set_limits(high, low), both given and checked.
static PyObject *transport_set_limits(TransportObject *t, PyObject *args) {
  long long high, low;
  if (!PyArg_ParseTuple(args, "LL", &high, &low) || !transport_admits(t)) return NULL;
  if (aioswift_set_limits(t->swift, t->kind, low, high)) return NULL;
  Py_RETURN_NONE;
}

static PyObject *transport_get_protocol(TransportObject *t, PyObject *unused) {
  return Py_NewRef(t->protocol ? t->protocol : Py_None);
}

static PyObject *transport_set_protocol(TransportObject *t, PyObject *protocol) {
  if (t->lost) Py_RETURN_NONE;
  if (!transport_admits(t)) return NULL;
  int was_buffered = t->buffered;
  if (transport_adopt(t, protocol)) return NULL;
  if (was_buffered != t->buffered) {
    Py_INCREF(t);
    if (aioswift_transport_set_protocol(t->swift, t, t->buffered)) return NULL;
  }
  Py_RETURN_NONE;
}

/// What the system says, in a thread that is not the loop's. The number stays while this thread has the GIL.
static size_t name_of_number(int fd, bool peer, void *storage, socklen_t room) {
  return fd < 0 || (peer ? getpeername : getsockname)(fd, storage, &room) ? 0 : room;
}

/// _name(peer): the address of one side; None if there is none. Any thread.
static PyObject *transport_name(TransportObject *t, PyObject *peer) {
  char storage[128];
  if (!t->swift || t->kind != AIOSWIFT_STREAM || !t->loop) Py_RETURN_NONE;
  bool of_peer = PyObject_IsTrue(peer) > 0;
  size_t length = loop_is_mine((LoopObject *)t->loop)
    ? aioswift_stream_name(t->swift, of_peer, storage, sizeof storage)
    : name_of_number(aioswift_stream_number(t->swift), of_peer, storage, sizeof storage);
  if (!length) Py_RETURN_NONE;
  return address_make(storage, length);
}

static PyObject *transport_number(TransportObject *t, PyObject *unused) {
  if (t->lost) return PyLong_FromLong(-1);
  return PyLong_FromLong(t->swift && t->kind == AIOSWIFT_STREAM ? aioswift_stream_number(t->swift) : t->fd);
}

// MARK: The table

PyMethodDef transport_methods[] = {
  {"write", (PyCFunction)transport_write, METH_O, "Send the bytes; never waits."},
  {"writelines", (PyCFunction)transport_writelines, METH_O, "Send several pieces, in order."},
  {"write_eof", (PyCFunction)transport_write_eof, METH_NOARGS, "End the stream after what was written."},
  {"sendto", (PyCFunction)(void *)datagram_sendto, METH_FASTCALL | METH_KEYWORDS, "Send a datagram."},
  {"close", (PyCFunction)transport_close, METH_NOARGS, "Close the transport after what waits to be sent."},
  {"abort", (PyCFunction)transport_abort, METH_NOARGS, "Close the transport at once."},
  {"is_closing", (PyCFunction)transport_is_closing, METH_NOARGS, "Return True once it is closed or lost."},
  {"pause_reading", (PyCFunction)transport_pause, METH_NOARGS, "Pause the delivery of input."},
  {"resume_reading", (PyCFunction)transport_resume, METH_NOARGS, "Resume the delivery of input."},
  {"is_reading", (PyCFunction)transport_is_reading, METH_NOARGS, "Return True while input is delivered."},
  {"get_write_buffer_size", (PyCFunction)transport_buffer_size, METH_NOARGS, "Return the number of bytes that wait."},
  {"get_write_buffer_limits", (PyCFunction)transport_limits, METH_NOARGS, "Return the limits of flow control."},
  {"get_protocol", (PyCFunction)transport_get_protocol, METH_NOARGS, "Return the protocol; None after the end."},
  {"set_protocol", (PyCFunction)transport_set_protocol, METH_O, "Make another protocol receive all calls."},
  {"_begin_input", (PyCFunction)transport_begin_input, METH_NOARGS, NULL},
  {"_force_close", (PyCFunction)transport_end, METH_O, NULL},
  {"_set_limits", (PyCFunction)transport_set_limits, METH_VARARGS, NULL},
  {"_name", (PyCFunction)transport_name, METH_O, NULL},
  {"_number", (PyCFunction)transport_number, METH_NOARGS, NULL},
  {NULL}};
