// The operations of CompletionPort.h, in the terms of a function `start` that each port has for itself. A port includes
// this once, below that function, which the compiler can then inline: these are on the path of each message.

void casyncio_port_accept(casyncio_port *port, casyncio_record *record, casyncio_handle handle) {
  start(port, record, CASYNCIO_KIND_ACCEPT, handle, NULL, 0);
}

void casyncio_port_connect(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *address, uint32_t length) {
  start(port, record, CASYNCIO_KIND_CONNECT, handle, address, length);
}

void casyncio_port_receive(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, void *buffer, size_t count) {
  start(port, record, CASYNCIO_KIND_RECEIVE, handle, buffer, count);
}

void casyncio_port_receive_lent(casyncio_port *port, casyncio_record *record, casyncio_handle handle) {
  start(port, record, CASYNCIO_KIND_RECEIVE_LENT, handle, NULL, 0);
}

void casyncio_port_send(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *bytes, size_t count) {
  start(port, record, CASYNCIO_KIND_SEND, handle, bytes, count);
}

void casyncio_port_read(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, void *buffer, size_t count) {
  start(port, record, CASYNCIO_KIND_READ, handle, buffer, count);
}

void casyncio_port_write(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *bytes, size_t count) {
  start(port, record, CASYNCIO_KIND_WRITE, handle, bytes, count);
}

void casyncio_port_watch(casyncio_port *port, casyncio_record *record, casyncio_handle handle, uint32_t events) {
  start(port, record, CASYNCIO_KIND_WATCH, handle, NULL, events);
}
