// The seam between Python's side, in C (CPythonBridge), and the loop's side, in Swift (PythonBridge).
//
// Everything is called with the GIL held, except where it says otherwise. Python objects cross as `void *`. What
// returns an int returns 0, or -1 with a Python exception set; what returns a pointer returns NULL then.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: Offered by C

/// Release the GIL, and take it back with what the first call returned.
void *aiopy_gil_release(void);
void aiopy_gil_acquire(void *state);
/// Run the Python handlers of signals that have come. False if one raised: the loop has the exception then.
bool aiopy_check_signals(void *loop);

/// Run a callback and release it. False if it ends the run; the loop has the exception then.
bool aiopy_run(void *handle);
/// Release a callback that will not run. Any thread, with the GIL or without it.
void aiopy_drop(void *handle);
/// Release the callback of a watch that was replaced or removed: it counts as cancelled. Any thread.
void aiopy_end_watch(void *handle);
/// Run a callback that stays: of a watch, and of a timer.
bool aiopy_run_kept(void *handle);
/// Take the exception that ends the run.
void *aiopy_take_interrupt(void *loop);

void aiopy_retain(void *object);
/// Any thread, with the GIL or without it.
void aiopy_release(void *object);

enum aiopy_error {
  AIOPY_RUNTIME_ERROR = 0, AIOPY_VALUE_ERROR, AIOPY_CLOSED, AIOPY_ALREADY_RUNNING, AIOPY_ANOTHER_RUNNING,
  AIOPY_WRONG_THREAD, AIOPY_OS_ERROR, AIOPY_NAME_ERROR, AIOPY_NOT_OFFERED, AIOPY_CANCELLED, AIOPY_EXCEPTION,
  AIOPY_SEVERAL
};
/// An error on its way from Swift to Python.
typedef struct {
  int32_t kind;
  int32_t number;       // of the system
  const char *message;
  void *exception;      // kind AIOPY_EXCEPTION: borrowed
  const int32_t *numbers;       // kind AIOPY_SEVERAL, with `messages`
  const char *const *messages;
  size_t count;
} aiopy_failure;
/// Set the exception of an error.
void aiopy_raise(const aiopy_failure *failure);
/// Tell the loop's exception handler. `exception` may be NULL.
void aiopy_report(void *loop, const char *message, void *exception);
/// Log a line of the library's; level 0 debug to 3 error. Any thread.
void aiopy_log(int level, const char *message);

/// Resolve the future of an operation, and release it. `value`: NULL is None, consumed otherwise.
void aiopy_resolve(void *operation, void *value, const aiopy_failure *failure);
void *aiopy_number(int64_t value);

// Transports call their protocols. `transport` is the Python object; Swift's protocol object has a reference to it.
// -1: an exception ends the connection; it was reported, and is taken by aiopy_take_exception. -2: it ends the run.
/// The Python transport takes a reference to Swift's, if it does not have it.
int aiopy_made(void *transport, void *swift);
int aiopy_data(void *transport, const void *bytes, size_t count);
int aiopy_get_buffer(void *transport, size_t hint, void **base, size_t *count);
int aiopy_buffer_updated(void *transport, size_t count);
int aiopy_eof(void *transport);                 // 1: stays open, 0: closes
int aiopy_lost(void *transport, const aiopy_failure *failure);
int aiopy_pause(void *transport, bool pause);
int aiopy_datagram(void *transport, const void *bytes, size_t count, const void *address, size_t length);
int aiopy_error_received(void *transport, const aiopy_failure *failure);
/// The number of its socket is closed, or will be at once. Any thread, with the GIL or without it; releases it.
void aiopy_gone(void *transport);
void *aiopy_take_exception(void);               // owned
/// Release a server's Python object. Any thread, with the GIL or without it.
void aiopy_acceptor_gone(void *acceptor);
/// Make the Python side of an accepted connection; `buffered` says what its protocol is.
void *aiopy_accept(void *server, bool *buffered);
/// Make the protocol of a connection that was asked for.
void *aiopy_connected(void *operation, bool *buffered);

// MARK: Offered by Swift

void *aioswift_loop_new(const char *kind, void *loop);
void aioswift_loop_free(void *loop);
int aioswift_loop_run(void *loop);
void aioswift_loop_stop(void *loop);
int aioswift_loop_close(void *loop);
double aioswift_loop_time(void *loop);
/// The name of the loop's mechanism: "epoll", "io_uring". Released by free().
char *aioswift_loop_mechanism(void *loop);
/// Why io_uring is not available; NULL if it is. Released by free().
char *aioswift_proactor_refusal(void);

/// Show the callbacks that wait in a loop that does not run, until `visit` does not return 0; return that.
int aioswift_loop_visit(void *loop, int (*visit)(void *handle, void *arg), void *arg);

int aioswift_call_soon(void *loop, void *handle);
void *aioswift_call_at(void *loop, void *handle, double when);
void aioswift_timer_cancel(void *timer);
void aioswift_timer_release(void *timer);
int aioswift_watch(void *loop, int32_t fd, bool writer, void *handle);
int aioswift_unwatch(void *loop, int32_t fd, bool writer); // 1: there was one, 0: there was none

/// True if the number belongs to a transport of the loop.
bool aioswift_is_taken(void *loop, int32_t fd);

enum aioswift_kind { AIOSWIFT_STREAM, AIOSWIFT_READ_PIPE, AIOSWIFT_WRITE_PIPE, AIOSWIFT_DATAGRAM };
/// Give a descriptor a transport, with a reference for the caller. `transport` comes with a reference, which these take
/// whatever happens.
void *aioswift_transport_new(void *loop, int kind, int32_t fd, void *transport, bool buffered, bool awaited);
void *aioswift_datagram_new(
  void *loop, int32_t fd, void *transport, bool awaited, const void *remote, size_t length);
void aioswift_transport_retain(void *transport);
void aioswift_transport_release(void *transport);
void aioswift_transport_begin_input(void *transport);
void aioswift_transport_close(void *transport);
/// Drop what waits; `exception` is what the protocol is told, or NULL.
void aioswift_transport_end(void *transport, void *exception);
bool aioswift_transport_is_closing(void *transport);
int aioswift_transport_set_protocol(void *transport, void *python, bool buffered);
int aioswift_stream_write(void *transport, const void *bytes, size_t count);
int aioswift_stream_write_eof(void *transport);
int aioswift_pipe_write(void *transport, const void *bytes, size_t count);
int aioswift_pipe_write_eof(void *transport);
int aioswift_datagram_send(void *transport, const void *bytes, size_t count, const void *address, size_t length);
void aioswift_pause_reading(void *transport, int kind, bool pause);
size_t aioswift_buffer_size(void *transport, int kind);
void aioswift_limits(void *transport, int kind, size_t *low, size_t *high);
int aioswift_set_limits(void *transport, int kind, int64_t low, int64_t high); // -1: not given
int32_t aioswift_stream_number(void *transport);
size_t aioswift_stream_name(void *transport, bool peer, void *address, size_t room);

void *aioswift_server_new(void *loop, int32_t fd, int32_t backlog, void *server);
void aioswift_server_close(void *server);
void aioswift_server_release(void *server);
/// Do what was posted, if the loop does not run.
void aioswift_settle(void *loop);

typedef struct {
  const char *host, *local_host; // local_host may be NULL
  uint16_t port, local_port;
  int32_t family, protocol, flags;
  double delay;                  // of happy eyeballs, in seconds; negative: none
  int64_t interleave;            // negative: not given
} aioswift_connect_request;
/// Connect; the operation is resolved with the Python transport. Returns a task to cancel.
void *aioswift_connect(void *loop, const aioswift_connect_request *request, void *operation);
/// Send a file; the operation is resolved with the number of bytes. count < 0: to the end.
void *aioswift_sendfile(void *loop, void *transport, int32_t fd, int64_t offset, int64_t count, void *operation);
void aioswift_task_cancel(void *task);
void aioswift_task_release(void *task);
