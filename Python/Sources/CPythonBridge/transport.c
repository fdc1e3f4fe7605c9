// Transports: the Python object between a protocol and Swift's transport.
//
// - Swift's transport is kept alive by the loop while it is busy; its protocol object has one reference to the Python
//   transport, until the end has been told. So a transport that a program forgets goes on, as in asyncio.
// - The descriptor belongs to Swift. A socket object that the program gave is detached when the end has been told.

#include "internal.h"

// MARK: Making

int transport_adopt(TransportObject *t, PyObject *protocol) {
  PyObject *receive, *get_buffer = NULL;
  int buffered = 0;
  if (t->kind == AIOSWIFT_STREAM || t->kind == AIOSWIFT_READ_PIPE) {
    buffered = t->kind == AIOSWIFT_STREAM ? PyObject_IsInstance(protocol, names.buffered_protocol) : 0;
    if (buffered < 0) return -1;
    receive = PyObject_GetAttr(protocol, buffered ? names.buffer_updated : names.data_received);
    if (receive && buffered && !(get_buffer = PyObject_GetAttr(protocol, names.get_buffer))) Py_CLEAR(receive);
  } else if (t->kind == AIOSWIFT_DATAGRAM) {
    receive = PyObject_GetAttr(protocol, names.datagram_received);
  } else {
    receive = Py_NewRef(Py_None);
  }
  if (!receive) {
    // A protocol without the method: what it lacks is said when it is needed, as in asyncio.
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
    receive = PyObject_CallFunctionObjArgs(
      names.missing_method, protocol,
      t->kind == AIOSWIFT_DATAGRAM ? names.datagram_received : buffered ? names.buffer_updated : names.data_received,
      NULL);
    if (!receive) return -1;
    if (buffered) get_buffer = Py_NewRef(receive);
  }
  t->buffered = buffered;
  Py_XSETREF(t->receive, receive);
  Py_XSETREF(t->get_buffer, get_buffer);
  Py_XSETREF(t->protocol, Py_NewRef(protocol));
  return 0;
}

TransportObject *transport_make(PyTypeObject *type, PyObject *loop, PyObject *protocol, PyObject *context) {
  TransportObject *t = (TransportObject *)type->tp_alloc(type, 0);
  if (!t) return NULL;
  t->fd = -1;
  t->kind = AIOSWIFT_STREAM;
  t->loop = Py_NewRef(loop);
  t->context = context ? PyContext_Copy(context) : PyContext_CopyCurrent();
  if (!t->context || transport_adopt(t, protocol)) Py_CLEAR(t);
  return t;
}

PyObject *tell_server(PyObject *server, PyObject *method, TransportObject *t) {
#if PY_VERSION_HEX >= 0x030D0000
  return PyObject_CallMethodOneArg(server, method, (PyObject *)t);
#else
  return call_method(server, method);
#endif
}

int transport_attach(TransportObject *t) {
  PyObject *result = tell_server(t->server, names.attach_client, t);
  Py_XDECREF(result);
  return result ? 0 : -1;
}

/// Transport(kind, loop, file, protocol, waiter, extra, server, address): the number of a socket becomes Swift's, that
/// of a pipe must be a duplicate.
static int transport_init(TransportObject *t, PyObject *args, PyObject *unused) {
  int kind, fd;
  PyObject *loop, *file, *protocol, *waiter, *extra, *server, *address;
  if (!PyArg_ParseTuple(args, "iO!iOOOOOO", &kind, &LoopType, &loop, &fd, &file, &protocol, &waiter, &extra, &server,
                        &address)) {
    return -1;
  }
  if (t->loop) {
    PyErr_SetString(PyExc_RuntimeError, "a transport is made once");
    return -1;
  }
  void *swift_loop = ((LoopObject *)loop)->swift;
  if (!swift_loop) {
    no_loop();
    return -1;
  }
  t->kind = kind;
  t->fd = fd;
  t->loop = Py_NewRef(loop);
  t->context = PyContext_CopyCurrent();
  t->extra = extra == Py_None ? NULL : Py_NewRef(extra);
  if (!t->context || transport_adopt(t, protocol)) return -1;
  if (address != Py_None) t->address = Py_NewRef(address);
  if (waiter != Py_None) t->waiter = Py_NewRef(waiter);
  Py_INCREF(t);
  // Swift's protocol object has the reference, whatever happens.
  hold(loop, &t->held, (PyObject *)t);
  if (kind == AIOSWIFT_DATAGRAM) {
    t->swift = datagram_start(t, swift_loop, fd);
  } else {
    t->swift = aioswift_transport_new(swift_loop, kind, fd, t, t->buffered, t->waiter != NULL);
  }
  if (!t->swift) return -1;
  t->sock = Py_NewRef(file);
  if (server != Py_None) {
    t->server = Py_NewRef(server);
    return transport_attach(t);
  }
  return 0;
}

// MARK: The type

static int transport_traverse(TransportObject *t, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(t));
  for (int i = 0; i < 5; i++) Py_VISIT(t->inherited[i]);
  Py_VISIT(t->loop);
  Py_VISIT(t->protocol);
  Py_VISIT(t->context);
  Py_VISIT(t->server);
  Py_VISIT(t->waiter);
  Py_VISIT(t->sock);
  Py_VISIT(t->extra);
  Py_VISIT(t->receive);
  Py_VISIT(t->get_buffer);
  Py_VISIT(t->address);
  return 0;
}

static int transport_clear(TransportObject *t) {
  for (int i = 0; i < 5; i++) Py_CLEAR(t->inherited[i]);
  Py_CLEAR(t->loop);
  Py_CLEAR(t->protocol);
  Py_CLEAR(t->context);
  Py_CLEAR(t->server);
  Py_CLEAR(t->waiter);
  Py_CLEAR(t->sock);
  Py_CLEAR(t->extra);
  Py_CLEAR(t->receive);
  Py_CLEAR(t->get_buffer);
  Py_CLEAR(t->address);
  return 0;
}

static void transport_dealloc(TransportObject *t) {
  PyObject_GC_UnTrack(t);
  if (t->weak) PyObject_ClearWeakRefs((PyObject *)t);
  give_buffer_back(t);
  PyMem_Free(t->lent);
  if (t->swift) aioswift_transport_release(t->swift);
  transport_clear(t);
  PyTypeObject *type = Py_TYPE(t);
  type->tp_free((PyObject *)t);
  Py_DECREF(type);
}

static PyMemberDef members[] = {
  {"_loop", T_OBJECT, offsetof(TransportObject, loop), READONLY},
  {"_protocol", T_OBJECT, offsetof(TransportObject, protocol), READONLY},
  {"_server", T_OBJECT, offsetof(TransportObject, server), READONLY},
  {"_sock", T_OBJECT, offsetof(TransportObject, sock), 0},
  {"_pipe", T_OBJECT, offsetof(TransportObject, sock), 0},
  {"_extra", T_OBJECT, offsetof(TransportObject, extra), 0},
  {"_address", T_OBJECT, offsetof(TransportObject, address), READONLY},
  {"_lost", T_BOOL, offsetof(TransportObject, lost), READONLY},
  {"_ended", T_BOOL, offsetof(TransportObject, ended), READONLY},
  {"_sending_file", T_BOOL, offsetof(TransportObject, sending_file), 0},
  {"_protocol_paused", T_BOOL, offsetof(TransportObject, paused_protocol), READONLY},
  {"__weaklistoffset__", T_PYSSIZET, offsetof(TransportObject, weak), READONLY},
  {NULL}};

static PyType_Slot slots[] = {
  {Py_tp_init, transport_init},
  {Py_tp_new, PyType_GenericNew},
  {Py_tp_dealloc, transport_dealloc},
  {Py_tp_traverse, transport_traverse},
  {Py_tp_clear, transport_clear},
  {Py_tp_methods, transport_methods},
  {Py_tp_members, members},
  {0, NULL}};

static PyType_Spec spec = {
  .name = "swift_asyncio._core.Transport",
  .basicsize = sizeof(TransportObject),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
  .slots = slots,
};

PyTypeObject *TransportType;

/// Make the type. Programs ask whether a transport is one of asyncio's, so it derives from asyncio's classes, whose
/// slots are in front of its own fields.
int transport_init_type(void) {
  PyObject *module = PyImport_ImportModule("asyncio.transports");
  PyObject *base = module ? PyObject_GetAttrString(module, "_FlowControlMixin") : NULL;
  Py_XDECREF(module);
  if (!base) return -1;
  if (((PyTypeObject *)base)->tp_basicsize != offsetof(TransportObject, swift)) {
    PyErr_SetString(PyExc_ImportError, "swift_asyncio: asyncio's transports have other slots in this Python");
  } else {
    TransportType = (PyTypeObject *)PyType_FromSpecWithBases(&spec, base);
  }
  Py_DECREF(base);
  return TransportType ? 0 : -1;
}
