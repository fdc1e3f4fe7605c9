// Errors on their way between Python and Swift.

#include "internal.h"

#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

PyObject *take_exception(void) {
#if PY_VERSION_HEX >= 0x030C0000
  return PyErr_GetRaisedException();
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  if (!type) return NULL;
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) {
    PyException_SetTraceback(value, traceback);
    Py_DECREF(traceback);
  }
  Py_DECREF(type);
  return value;
#endif
}

void give_exception(PyObject *exception) {
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(exception);
#else
  PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
#endif
}

int exception_ends(PyObject *exception) {
  return PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt)
      || PyErr_GivenExceptionMatches(exception, PyExc_SystemExit);
}

static PyObject *make(PyObject *type, const char *message) { return PyObject_CallFunction(type, "s", message); }

/// OSError chooses its subclass by the number, and so does CPython.
static PyObject *os_error(int number, const char *message) {
  return PyObject_CallFunction(PyExc_OSError, "is", number, message ? message : strerror(number));
}

static PyObject *several(const aiopy_failure *f) {
  PyObject *list = PyList_New(0);
  for (size_t i = 0; list && i < f->count; i++) {
    PyObject *error = os_error(f->numbers[i], f->messages[i]);
    if (!error || PyList_Append(list, error)) Py_CLEAR(list);
    Py_XDECREF(error);
  }
  if (!list) return NULL;
  PyObject *result = PyObject_CallOneArg(names.several_errors, list);
  Py_DECREF(list);
  return result;
}

/// The number of a resolver's failure, by its words: Swift's error has the words.
static int name_error_number(const char *words) {
  static const int numbers[] = {
    EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY, EAI_BADFLAGS, EAI_AGAIN, EAI_FAIL,
    EAI_FAMILY, EAI_SOCKTYPE, EAI_SERVICE, EAI_MEMORY};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (strcmp(gai_strerror(numbers[i]), words) == 0) return numbers[i];
  }
  // The library's own words, for what it refuses without a look-up.
  return EAI_NONAME;
}

static PyObject *made_of(const aiopy_failure *f) {
  switch (f->kind) {
    case AIOPY_EXCEPTION: return Py_NewRef((PyObject *)f->exception);
    case AIOPY_VALUE_ERROR: return make(PyExc_ValueError, f->message);
    case AIOPY_OS_ERROR: return os_error(f->number, f->message);
    case AIOPY_NAME_ERROR:
      return PyObject_CallFunction(names.gaierror, "is", name_error_number(f->message), f->message);
    case AIOPY_NOT_OFFERED: return make(names.not_available, f->message);
    case AIOPY_CLOSED: return make(PyExc_RuntimeError, "Event loop is closed");
    case AIOPY_ALREADY_RUNNING: return make(PyExc_RuntimeError, "This event loop is already running");
    case AIOPY_ANOTHER_RUNNING:
      return make(PyExc_RuntimeError, "Cannot run the event loop while another loop is running");
    case AIOPY_WRONG_THREAD:
      return make(
        PyExc_RuntimeError,
        "Non-thread-safe operation invoked on an event loop other than the current one: use call_soon_threadsafe()");
    case AIOPY_SEVERAL: return several(f);
    default: return make(PyExc_RuntimeError, f->message);
  }
}

PyObject *exception_of(const aiopy_failure *failure) {
  if (!failure) return Py_NewRef(Py_None);
  PyObject *exception = made_of(failure);
  return exception ? exception : take_exception();
}

void aiopy_raise(const aiopy_failure *failure) { give_exception(exception_of(failure)); }

void *aiopy_take_exception(void) { return take_exception(); }

void aiopy_report(void *loop, const char *message, void *exception) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  PyObject *context = exception ? Py_BuildValue("{sssO}", "message", message, "exception", (PyObject *)exception)
                                : Py_BuildValue("{ss}", "message", message);
  PyObject *result = context ? PyObject_CallMethodOneArg(loop, names.call_exception_handler, context) : NULL;
  Py_XDECREF(context);
  if (!result) {
    PyObject *raised = take_exception();
    if (raised && exception_ends(raised)) {
      loop_interrupt(loop, raised);
    } else {
      Py_XDECREF(raised);
    }
  }
  Py_XDECREF(result);
  leave_python(state);
}

void aiopy_log(int level, const char *message) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  PyObject *result = PyObject_CallFunction(names.log, "is", level, message);
  if (!result) PyErr_WriteUnraisable(NULL);
  Py_XDECREF(result);
  leave_python(state);
}

// MARK: The GIL

#if PY_VERSION_HEX >= 0x030D0000
#define IS_FINALIZING Py_IsFinalizing
#else
#define IS_FINALIZING _Py_IsFinalizing
#endif

// Tasks of a loop that was closed go on in Swift's own threads. An interpreter that ends also ends the threads that
// want the GIL, in the middle of Swift's code, and one that is gone has freed everything. So the end waits for the
// threads that are inside, and lets no others in.
static atomic_int inside;
static atomic_bool is_ending;

void forget_other_threads(void) { atomic_store(&inside, 0); }

bool enter_python(PyGILState_STATE *state) {
  atomic_fetch_add(&inside, 1);
  bool has_gil = Py_IsInitialized() && PyGILState_Check();
  if (!has_gil && (!Py_IsInitialized() || IS_FINALIZING() || atomic_load(&is_ending))) {
    atomic_fetch_sub(&inside, 1);
    return false;
  }
  *state = PyGILState_Ensure();
  // A thread that had the GIL is not in anybody's way.
  if (*state == PyGILState_LOCKED) atomic_fetch_sub(&inside, 1);
  return true;
}

void leave_python(PyGILState_STATE state) {
  PyGILState_Release(state);
  if (state == PyGILState_UNLOCKED) atomic_fetch_sub(&inside, 1);
}

/// Called by atexit, before the interpreter ends.
PyObject *end_of_python(PyObject *module, PyObject *unused) {
  atomic_store(&is_ending, true);
  Py_BEGIN_ALLOW_THREADS
  for (int tries = 0; atomic_load(&inside) > 0 && tries < 5000; tries++) usleep(1000);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}

void *aiopy_gil_release(void) { return PyEval_SaveThread(); }
void aiopy_gil_acquire(void *state) { PyEval_RestoreThread(state); }

void aiopy_retain(void *object) { Py_INCREF((PyObject *)object); }

void aiopy_release(void *object) {
  PyGILState_STATE state;
  if (!enter_python(&state)) return;
  Py_DECREF((PyObject *)object);
  leave_python(state);
}

void *aiopy_number(int64_t value) { return PyLong_FromLongLong(value); }
