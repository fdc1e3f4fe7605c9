// What each work costs in bare C with nothing around it. A function for each work; `count` is N.

#ifndef FLOOR_WORKS_H
#define FLOOR_WORKS_H

// dispatch.c
void chain(long count);
void chain_poll(long count);
void batch(long count);
void spawn(long count);
// wakes.c
void pingpong(long count);
void pingpong_same(long count);
void burst1(long count);
void burst4(long count);
// timers.c
void timer_cancel(long count);
void timer_cancel_heap(long count);
void timer_fire(long count);
void timer_fire_heap(long count);
void timer_rearm(long count);
void timer_rearm_heap(long count);
// others.c
void process(long count);
void literal(long count);
void udp(long count, int port);

#endif
