// libuv's echo server without its main, in the way of its guide: a loop, and callbacks to allocate, to read, and after
// a write.
//
// Each chunk gets 64 KiB from malloc, as libuv suggests. It goes on to the write and is freed after it.
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct write {
  uv_write_t request;
  uv_buf_t buffer;
};

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)handle;
  *buffer = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void on_closed(uv_handle_t *handle) { free(handle); }

static void on_written(uv_write_t *request, int status) {
  struct write *write = (struct write *)request;
  if (status < 0 && !uv_is_closing((uv_handle_t *)request->handle)) {
    uv_close((uv_handle_t *)request->handle, on_closed);
  }
  free(write->buffer.base);
  free(write);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
  if (length > 0) {
    struct write *write = malloc(sizeof *write);
    write->buffer = uv_buf_init(buffer->base, (unsigned)length);
    uv_write(&write->request, stream, &write->buffer, 1, on_written);
    return;
  }
  free(buffer->base);
  if (length < 0 && !uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, on_closed);
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status < 0) return;
  uv_tcp_t *client = malloc(sizeof *client);
  uv_tcp_init(listener->loop, client);
  if (uv_accept(listener, (uv_stream_t *)client) != 0) {
    uv_close((uv_handle_t *)client, on_closed);
    return;
  }
  uv_tcp_nodelay(client, 1);
  uv_read_start((uv_stream_t *)client, on_allocate, on_read);
}

static int serve(uv_loop_t *loop, const char *port) {
  // libuv writes with write(2): a client that is gone would end the server.
  signal(SIGPIPE, SIG_IGN);
  static uv_tcp_t listener;
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", atoi(port), &address);
  uv_tcp_init(loop, &listener);
  uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
  if (uv_listen((uv_stream_t *)&listener, 4096, on_connection) != 0) return 1;
  return uv_run(loop, UV_RUN_DEFAULT);
}
