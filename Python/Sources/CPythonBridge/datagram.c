// Datagrams, and addresses: Python's tuples and the system's structures.

#include "internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef union {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un local;
  struct sockaddr_storage storage;
} Address;

// MARK: From the system

static PyObject *local_name(const struct sockaddr_un *local, size_t length) {
  size_t count = length - offsetof(struct sockaddr_un, sun_path);
  if (length <= offsetof(struct sockaddr_un, sun_path)) return PyUnicode_FromString("");
  // Abstract names have a NUL in front and any bytes behind.
  if (!local->sun_path[0]) return PyBytes_FromStringAndSize(local->sun_path, count);
  return PyUnicode_DecodeFSDefaultAndSize(local->sun_path, strnlen(local->sun_path, count));
}

PyObject *address_of_sender(const void *bytes, size_t length) {
  // A socket of Unix without a name, for which the system reports nothing.
  bool is_unnamed = ((const struct sockaddr *)bytes)->sa_family == AF_UNIX
                 && length <= offsetof(struct sockaddr_un, sun_path);
  if (is_unnamed) Py_RETURN_NONE;
  return address_make(bytes, length);
}

PyObject *address_make(const void *bytes, size_t length) {
  Address a;
  char text[INET6_ADDRSTRLEN];
  memset(&a, 0, sizeof a);
  memcpy(&a, bytes, length < sizeof a ? length : sizeof a);
  switch (a.any.sa_family) {
    case AF_INET:
      inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof text);
      return Py_BuildValue("si", text, ntohs(a.v4.sin_port));
    case AF_INET6:
      inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof text);
      return Py_BuildValue(
        "siII", text, ntohs(a.v6.sin6_port), (unsigned)ntohl(a.v6.sin6_flowinfo), (unsigned)a.v6.sin6_scope_id);
    case AF_UNIX: return local_name(&a.local, length);
    default: Py_RETURN_NONE;
  }
}

// MARK: From Python

static int read_local(PyObject *path, Address *a, size_t *length) {
  PyObject *bytes = NULL;
  // Abstract names have a NUL in front, which the converter refuses.
  if (PyBytes_Check(path)) {
    bytes = Py_NewRef(path);
  } else if (!PyUnicode_FSConverter(path, &bytes)) {
    if (!PyUnicode_Check(path) || !PyErr_ExceptionMatches(PyExc_ValueError)) return -1;
    PyErr_Clear();
    bytes = PyUnicode_EncodeFSDefault(path);
    if (!bytes) return -1;
  }
  size_t count = PyBytes_GET_SIZE(bytes);
  int abstract = count && !PyBytes_AS_STRING(bytes)[0];
  int fits = count <= sizeof a->local.sun_path - 1;
  if (!abstract && memchr(PyBytes_AS_STRING(bytes), 0, count)) {
    PyErr_SetString(PyExc_ValueError, "embedded null byte in the path of a Unix socket");
    fits = 0;
  } else if (fits) {
    a->local.sun_family = AF_UNIX;
    memcpy(a->local.sun_path, PyBytes_AS_STRING(bytes), count);
    *length = offsetof(struct sockaddr_un, sun_path) + count + (abstract ? 0 : 1);
  } else {
    PyErr_SetString(PyExc_OSError, "AF_UNIX path too long");
  }
  Py_DECREF(bytes);
  return fits ? 0 : -1;
}

/// 1: read. 0: not a literal address, so it has to be looked up. -1: an exception is set.
static int read_literal(int family, PyObject *address, Address *a, size_t *length) {
  const char *host;
  int port;
  unsigned flow = 0, scope = 0;
  if (!PyTuple_Check(address)) {
    PyErr_Format(PyExc_TypeError, "an address must be a tuple, not %s", Py_TYPE(address)->tp_name);
    return -1;
  }
  if (!PyArg_ParseTuple(address, family == AF_INET ? "si" : "si|II", &host, &port, &flow, &scope)) return -1;
  if (port < 0 || port > 0xffff) {
    PyErr_SetString(PyExc_OverflowError, "sendto(): port must be 0-65535.");
    return -1;
  }
  if (family == AF_INET) {
    a->v4.sin_family = AF_INET;
    a->v4.sin_port = htons(port);
    *length = sizeof a->v4;
    return inet_pton(AF_INET, host, &a->v4.sin_addr) == 1;
  }
  a->v6.sin6_family = AF_INET6;
  a->v6.sin6_port = htons(port);
  a->v6.sin6_flowinfo = htonl(flow);
  a->v6.sin6_scope_id = scope;
  *length = sizeof a->v6;
  return inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1;
}

/// Read an address of the transport's family. A name is looked up, which waits, as socket.sendto does.
static int read_address(TransportObject *t, PyObject *address, Address *a, size_t *length) {
  memset(a, 0, sizeof *a);
  if (t->family == AF_UNIX) return read_local(address, a, length);
  int status = read_literal(t->family, address, a, length);
  if (status) return status < 0 ? -1 : 0;
  PyObject *found = PyObject_CallFunction(names.resolve_datagram, "Oi", address, t->family);
  if (!found) return -1;
  status = read_literal(t->family, found, a, length);
  Py_DECREF(found);
  if (status == 1) return 0;
  if (status == 0) PyErr_Format(PyExc_OSError, "cannot resolve the address %R", address);
  return -1;
}

// MARK: Transports

void *datagram_start(TransportObject *t, void *loop, int fd) {
  Address remote;
  socklen_t room = sizeof remote;
  size_t length = 0;
  memset(&remote, 0, sizeof remote);
  t->family = getsockname(fd, &remote.any, &room) ? AF_UNSPEC : remote.any.sa_family;
  if (t->address && read_address(t, t->address, &remote, &length)) {
    end_hold(&t->held);
    Py_DECREF(t);
    return NULL;
  }
  return aioswift_datagram_new(loop, fd, t, t->waiter != NULL, length ? &remote : NULL, length);
}

static int read_arguments(
  PyObject *const *args, Py_ssize_t count, PyObject *keywords, PyObject **data, PyObject **address
) {
  Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  *data = count > 0 ? args[0] : NULL;
  *address = count > 1 ? args[1] : Py_None;
  for (Py_ssize_t i = 0; i < named; i++) {
    PyObject *name = PyTuple_GET_ITEM(keywords, i);
    if (PyUnicode_CompareWithASCIIString(name, "data") == 0 && count < 1) {
      *data = args[count + i];
    } else if (PyUnicode_CompareWithASCIIString(name, "addr") == 0 && count < 2) {
      *address = args[count + i];
    } else {
      PyErr_Format(PyExc_TypeError, "sendto() got an unexpected keyword argument %R", name);
      return -1;
    }
  }
  if (*data && count <= 2) return 0;
  PyErr_SetString(PyExc_TypeError, "sendto() takes data and, if there is no remote address, addr");
  return -1;
}

PyObject *datagram_sendto(TransportObject *t, PyObject *const *args, Py_ssize_t count, PyObject *keywords) {
  PyObject *data, *address;
  if (read_arguments(args, count, keywords, &data, &address) || !transport_admits(t)) return NULL;
  if (t->kind != AIOSWIFT_DATAGRAM) {
    PyErr_SetString(PyExc_AttributeError, "only transports for datagrams have sendto()");
    return NULL;
  }
  if (!PyBytes_Check(data) && !PyByteArray_Check(data) && !PyMemoryView_Check(data)) {
    PyErr_Format(PyExc_TypeError, "data argument must be a bytes-like object, not '%s'", Py_TYPE(data)->tp_name);
    return NULL;
  }
  Address a;
  size_t length = 0;
  if (t->address) {
    int same = address == Py_None ? 1 : PyObject_RichCompareBool(address, t->address, Py_EQ);
    if (same < 0) return NULL;
    if (!same) {
      PyErr_Format(PyExc_ValueError, "Invalid address: must be None or %S", t->address);
      return NULL;
    }
  } else if (address == Py_None) {
    PyErr_SetString(PyExc_ValueError, "sendto(): the transport has no remote address, so give addr");
    return NULL;
  } else if (read_address(t, address, &a, &length)) {
    return NULL;
  }
  Py_buffer buffer;
  if (PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)) return NULL;
  int status = aioswift_datagram_send(t->swift, buffer.buf, buffer.len, length ? &a : NULL, length);
  PyBuffer_Release(&buffer);
  if (status) return NULL;
  Py_RETURN_NONE;
}
