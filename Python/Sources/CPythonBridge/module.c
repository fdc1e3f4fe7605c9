// The extension module swift_asyncio._core.
//
// It has one state for the process: types, names, spare handles. So it refuses interpreters other than the first one,
// and Pythons that it was not built and tested for.

#include "internal.h"

#include <stdlib.h>

aiopy_names names;

PyObject *operation_connect(PyObject *module, PyObject *args);
PyObject *operation_sendfile(PyObject *module, PyObject *args);

static int intern_names(void) {
  const struct {
    PyObject **place;
    const char *name;
  } all[] = {
    {&names.connection_made, "connection_made"}, {&names.connection_lost, "connection_lost"},
    {&names.data_received, "data_received"}, {&names.eof_received, "eof_received"},
    {&names.get_buffer, "get_buffer"}, {&names.buffer_updated, "buffer_updated"},
    {&names.pause_writing, "pause_writing"}, {&names.resume_writing, "resume_writing"},
    {&names.datagram_received, "datagram_received"}, {&names.error_received, "error_received"},
    {&names.set_result, "set_result"}, {&names.set_exception, "set_exception"},
    {&names.done, "done"}, {&names.cancel, "cancel"}, {&names.close, "close"}, {&names.detach, "detach"},
    {&names.attach_client, "_attach"}, {&names.detach_client, "_detach"},
    {&names.begin_input, "_begin_input"},
    {&names.call_exception_handler, "call_exception_handler"},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (!(*all[i].place = PyUnicode_InternFromString(all[i].name))) return -1;
  }
  return 0;
}

/// set_helpers(**functions): what this module calls in Python.
static PyObject *set_helpers(PyObject *module, PyObject *args, PyObject *keywords) {
  static char *known[] = {
    "buffered_protocol", "gaierror", "not_available", "describe_handle", "report_callback", "report_slow", "check_call",
    "note_origin", "several_errors", "log", "missing_method", "resolve_datagram", NULL};
  PyObject *given[12];
  if (!PyArg_ParseTupleAndKeywords(
        args, keywords, "$OOOOOOOOOOOO", known, &given[0], &given[1], &given[2], &given[3], &given[4], &given[5],
        &given[6], &given[7], &given[8], &given[9], &given[10], &given[11])) {
    return NULL;
  }
  PyObject **places[] = {
    &names.buffered_protocol, &names.gaierror, &names.not_available, &names.describe_handle, &names.report_callback,
    &names.report_slow, &names.check_call, &names.note_origin, &names.several_errors, &names.log,
    &names.missing_method, &names.resolve_datagram};
  for (int i = 0; i < 12; i++) Py_XSETREF(*places[i], Py_NewRef(given[i]));
  Py_RETURN_NONE;
}

/// prepare(type, loop, protocol): a transport that is not connected yet.
static PyObject *prepare(PyObject *module, PyObject *args) {
  PyTypeObject *type;
  PyObject *loop, *protocol;
  if (!PyArg_ParseTuple(args, "O!O!O", &PyType_Type, &type, &LoopType, &loop, &protocol)) return NULL;
  if (PyType_IsSubtype(type, TransportType)) return (PyObject *)transport_make(type, loop, protocol, NULL);
  PyErr_SetString(PyExc_TypeError, "a type of transports was expected");
  return NULL;
}

static PyObject *proactor_refusal(PyObject *module, PyObject *unused) {
  char *reason = aioswift_proactor_refusal();
  if (!reason) Py_RETURN_NONE;
  PyObject *text = PyUnicode_FromString(reason);
  free(reason);
  return text;
}

static PyMethodDef methods[] = {
  {"set_helpers", (PyCFunction)(void *)set_helpers, METH_VARARGS | METH_KEYWORDS, NULL},
  {"prepare", prepare, METH_VARARGS, NULL},
  {"connect", operation_connect, METH_VARARGS, NULL},
  {"sendfile", operation_sendfile, METH_VARARGS, NULL},
  {"end", end_of_python, METH_NOARGS, NULL},
  {"proactor_refusal", proactor_refusal, METH_NOARGS, "Return why io_uring is not available; None if it is."},
  {NULL}};

static int refuse_interpreter(void) {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError, "swift_asyncio does not work in subinterpreters: use it in the main one");
    return -1;
  }
  // The headers may be of another version than the program, if the file was copied.
  if (strncmp(Py_GetVersion(), PY_VERSION, sizeof "3.11" - 1)) {
    PyErr_Format(
      PyExc_ImportError, "swift_asyncio was built for Python %d.%d, and this is %.4s: build it again with this one",
      PY_MAJOR_VERSION, PY_MINOR_VERSION, Py_GetVersion());
    return -1;
  }
  return 0;
}

/// Called for each import, in each interpreter: an import that is not the first one finds the types.
static int execute(PyObject *module) {
  if (refuse_interpreter()) return -1;
  if (!TransportType && (intern_names() || handle_init_types() || transport_init_type())) return -1;
  if (loop_watch_forks()) return -1;
  PyTypeObject *types[] = {&LoopType, &AcceptorType, &OperationType};
  for (int i = 0; i < 3; i++) {
    if (PyType_Ready(types[i])) return -1;
  }
  const struct {
    const char *name;
    PyTypeObject *type;
  } members[] = {
    {"Loop", &LoopType}, {"Handle", &HandleType}, {"TimerHandle", &TimerHandleType},
    {"Transport", TransportType}, {"Acceptor", &AcceptorType},
  };
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    if (PyModule_AddObjectRef(module, members[i].name, (PyObject *)members[i].type)) return -1;
  }
  return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {
  PyModuleDef_HEAD_INIT, "swift_asyncio._core", .m_methods = methods, .m_slots = slots};

__attribute__((visibility("default"))) PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
