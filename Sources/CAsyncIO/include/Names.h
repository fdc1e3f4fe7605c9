// Names and texts of addresses.
#ifndef CASYNCIO_NAMES_H
#define CASYNCIO_NAMES_H

#include "CompletionPort.h"
#include "Platform.h"

// Read an IP address (`struct in_addr`, `struct in6_addr`). Returns 1, or 0 if the text is none.
int casyncio_parse_address(int family, const char *CASYNCIO_NONNULL text, void *CASYNCIO_NONNULL address);
// Write an IP address as text. Returns 1, or 0 if there is no room or no such family.
int casyncio_print_address(
    int family, const void *CASYNCIO_NONNULL address, char *CASYNCIO_NONNULL text, socklen_t capacity);
// Return the number of an interface; 0 if there is none of this name.
uint32_t casyncio_interface_number(const char *CASYNCIO_NONNULL name);
// Write the name of an interface into IF_NAMESIZE bytes. Returns 1, or 0 if there is none with this number.
int casyncio_interface_name(uint32_t number, char *CASYNCIO_NONNULL name);

// MARK: The resolver. Blocks its thread.

// Look up addresses by getaddrinfo(3). Returns its status; the list is to be freed.
int casyncio_resolve(
    const char *CASYNCIO_NULLABLE host, const char *CASYNCIO_NULLABLE service,
    const struct addrinfo *CASYNCIO_NULLABLE hints, struct addrinfo *CASYNCIO_NULLABLE *CASYNCIO_NONNULL list);
void casyncio_free_addresses(struct addrinfo *CASYNCIO_NULLABLE list);
// Look up the names of an address by getnameinfo(3). Returns its status.
int casyncio_look_up_names(
    const struct sockaddr *CASYNCIO_NONNULL address, socklen_t length, char *CASYNCIO_NONNULL host,
    socklen_t host_capacity, char *CASYNCIO_NONNULL service, socklen_t service_capacity, int flags);
// Say what a status of the two means, in text that stays.
const char *CASYNCIO_NONNULL casyncio_resolver_error(int status);

#endif
