#if !defined(__linux__) && !defined(_WIN32)
#include "CompletionPort.h"

#include <errno.h>
#include <stdlib.h>

// A system without a completion port of this package: none can be made, so nothing else is ever called.

int casyncio_port_detect(int *step, uint32_t *features) {
  *step = CASYNCIO_STEP_PLATFORM;
  *features = 0;
  return -ENOSYS;
}

int casyncio_port_create(const casyncio_port_options *options, casyncio_port **port) { return -ENOSYS; }
int casyncio_port_begin(casyncio_port *port, int *step) { abort(); }
void casyncio_port_end(casyncio_port *port, int abandon) { abort(); }
void casyncio_port_destroy(casyncio_port *port) { abort(); }
uint32_t casyncio_port_features(const casyncio_port *port) { abort(); }
uint64_t casyncio_port_in_flight(const casyncio_port *port) { abort(); }
void casyncio_port_accept(casyncio_port *port, casyncio_record *record, casyncio_handle handle) { abort(); }
void casyncio_port_connect(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *address, uint32_t length) {
  abort();
}
void casyncio_port_receive(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, void *buffer, size_t count) {
  abort();
}
void casyncio_port_receive_lent(casyncio_port *port, casyncio_record *record, casyncio_handle handle) { abort(); }
void casyncio_port_send(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *bytes, size_t count) {
  abort();
}
void casyncio_port_read(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, void *buffer, size_t count) {
  abort();
}
void casyncio_port_write(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *bytes, size_t count) {
  abort();
}
void casyncio_port_watch(casyncio_port *port, casyncio_record *record, casyncio_handle handle, uint32_t events) {
  abort();
}
void casyncio_port_cancel(casyncio_port *port, casyncio_record *record) { abort(); }
void casyncio_port_cancel_all(casyncio_port *port) { abort(); }
int casyncio_port_withdraw(casyncio_port *port, casyncio_record *record) { abort(); }
int casyncio_port_settle(casyncio_port *port) { abort(); }
int casyncio_port_reap(casyncio_port *port, casyncio_event *events, uint32_t capacity, int64_t nanoseconds) {
  abort();
}
void casyncio_port_wake(casyncio_port *port) { abort(); }

// What would be the way on such a system is not written.
const char *casyncio_port_name(void) { return "completions"; }
const char *casyncio_port_title(void) { return "a completion port"; }
const char *casyncio_port_step_name(int step) { return "the platform"; }
const char *casyncio_port_advice(int step, int error) { return "It needs Linux or Windows; use the selector loop."; }

casyncio_lent *casyncio_port_lent(casyncio_port *port) { abort(); }
void casyncio_lent_return(casyncio_lent *lent, uint32_t lease) { abort(); }
uint32_t casyncio_lent_leases(const casyncio_lent *lent) { abort(); }
int casyncio_lent_is_low(const casyncio_lent *lent) { abort(); }
int casyncio_lent_is_sound(const casyncio_lent *lent) { abort(); }
#endif
