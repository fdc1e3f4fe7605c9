#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "CAsyncIO.h"

int casyncio_parse_address(int family, const char *text, void *address) {
  return inet_pton(family, text, address) == 1;
}

int casyncio_print_address(int family, const void *address, char *text, socklen_t capacity) {
  return inet_ntop(family, address, text, capacity) != NULL;
}

uint32_t casyncio_interface_number(const char *name) { return if_nametoindex(name); }

int casyncio_interface_name(uint32_t number, char *name) { return if_indextoname(number, name) != NULL; }

int casyncio_resolve(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  return getaddrinfo(host, service, hints, list);
}

void casyncio_free_addresses(struct addrinfo *list) { freeaddrinfo(list); }

int casyncio_look_up_names(
    const struct sockaddr *address, socklen_t length, char *host, socklen_t host_capacity, char *service,
    socklen_t service_capacity, int flags) {
  return getnameinfo(address, length, host, host_capacity, service, service_capacity, flags);
}

const char *casyncio_resolver_error(int status) { return gai_strerror(status); }
#endif
