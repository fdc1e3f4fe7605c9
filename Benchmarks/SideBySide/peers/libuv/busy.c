// libuv's echo server with callbacks on the same loop: `libuv_busy SHAPE PORT`.
//
// hog is an idle handle, which libuv calls once in each turn; while one is active it looks at its descriptors without
// waiting. slow is a timer that repeats.
#include "serving.h"

#include "../../common/busy.h"

static void on_idle(uv_idle_t *idle) {
  (void)idle;
  compute(HOG_NS);
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
  compute(SLOW_NS);
}

int main(int count, char **arguments) {
  enum shape shape = shape_of(count, arguments);
  uv_loop_t *loop = uv_default_loop();
  uv_idle_t idle;
  uv_timer_t timer;
  uv_idle_init(loop, &idle);
  uv_timer_init(loop, &timer);
  if (shape == HOG) {
    uv_idle_start(&idle, on_idle);
  } else {
    uv_timer_start(&timer, on_timer, 0, SLOW_EVERY_NS / 1000000);
  }
  return serve(loop, arguments[2]);
}
