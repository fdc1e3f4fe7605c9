// Stands between Swift code, which was compiled with the numbers of Linux, and the files for Windows, which have those
// of Windows: families of addresses, options, flags, statuses of the resolver. Errors need nothing: the files for
// Windows are compiled with the host's errno.h.
#include "CAsyncIO.h"

// The names that winelib.h gave to the functions of the files for Windows: from here on they are the host's.
#undef casyncio_socket
#undef casyncio_bind
#undef casyncio_connect
#undef casyncio_local_name
#undef casyncio_peer_name
#undef casyncio_get_option
#undef casyncio_set_option
#undef casyncio_receive_message
#undef casyncio_send_message
#undef casyncio_parse_address
#undef casyncio_print_address
#undef casyncio_interface_name
#undef casyncio_resolve
#undef casyncio_free_addresses
#undef casyncio_look_up_names
#undef casyncio_resolver_error
#undef casyncio_poll
#undef casyncio_is_ready
#undef casyncio_port_connect

// Two numbers for one thing. A list ends with an entry of zeros.
struct pair {
  int linux_number, windows_number;
};

static int to_windows(const struct pair *pairs, int number, int other) {
  for (; pairs->linux_number || pairs->windows_number; pairs++) {
    if (pairs->linux_number == number) return pairs->windows_number;
  }
  return other;
}

static int flags_to_windows(const struct pair *pairs, int flags) {
  int result = 0;
  for (; pairs->linux_number; pairs++) {
    if (flags & pairs->linux_number) result |= pairs->windows_number;
  }
  return result;
}

static int flags_to_linux(const struct pair *pairs, int flags) {
  int result = 0;
  for (; pairs->windows_number; pairs++) {
    if (flags & pairs->windows_number) result |= pairs->linux_number;
  }
  return result;
}

// MARK: Addresses

enum { LINUX_INET6 = 10 };

static int family_to_windows(int family) { return family == LINUX_INET6 ? AF_INET6 : family; }
static int family_to_linux(int family) { return family == AF_INET6 ? LINUX_INET6 : family; }

static const struct sockaddr *address_to_windows(
    const struct sockaddr *address, uint32_t length, struct sockaddr_storage *place) {
  memset(place, 0, sizeof *place);
  memcpy(place, address, length < sizeof *place ? length : sizeof *place);
  place->ss_family = (ADDRESS_FAMILY)family_to_windows(place->ss_family);
  return (struct sockaddr *)place;
}

static int name_to_linux(int length, struct sockaddr_storage *name) {
  if (length > 0) name->ss_family = (ADDRESS_FAMILY)family_to_linux(name->ss_family);
  return length;
}

int casyncio_socket(int family, int type, int protocol) {
  return windows_casyncio_socket(family_to_windows(family), type, protocol);
}

int casyncio_bind(int socket, const struct sockaddr *address, uint32_t length) {
  struct sockaddr_storage place;
  return windows_casyncio_bind(socket, address_to_windows(address, length, &place), (int)length);
}

int casyncio_connect(int socket, const struct sockaddr *address, uint32_t length) {
  struct sockaddr_storage place;
  return windows_casyncio_connect(socket, address_to_windows(address, length, &place), (int)length);
}

int casyncio_local_name(int socket, struct sockaddr_storage *name) {
  return name_to_linux(windows_casyncio_local_name(socket, name), name);
}

int casyncio_peer_name(int socket, struct sockaddr_storage *name) {
  return name_to_linux(windows_casyncio_peer_name(socket, name), name);
}

// The caller's address has to stay until the event, and so must its copy: a place is used again after as many others.
void casyncio_port_connect(
    casyncio_port *port, casyncio_record *record, casyncio_handle handle, const void *address, uint32_t length) {
  enum { PLACES = 4096 };
  static struct sockaddr_storage places[PLACES];
  static volatile LONG next;
  struct sockaddr_storage *place = &places[(ULONG)InterlockedIncrement(&next) % PLACES];
  windows_casyncio_port_connect(port, record, handle, address_to_windows(address, length, place), length);
}

// MARK: Messages

ptrdiff_t casyncio_receive_message(int socket, void *buffer, size_t count, casyncio_message *message) {
  ptrdiff_t n = windows_casyncio_receive_message(socket, buffer, count, message);
  if (n >= 0 && message) name_to_linux((int)message->address_length, &message->address);
  return n;
}

ptrdiff_t casyncio_send_message(int socket, const void *bytes, size_t count, const casyncio_message *message) {
  if (!message || message->address_length == 0) return windows_casyncio_send_message(socket, bytes, count, message);
  casyncio_message translated = *message;
  translated.address.ss_family = (ADDRESS_FAMILY)family_to_windows(translated.address.ss_family);
  return windows_casyncio_send_message(socket, bytes, count, &translated);
}

// MARK: Options

enum { LINUX_SOL_SOCKET = 1, LINUX_IPPROTO_IPV6 = 41 };

// What Linux has and Windows has not keeps its number, which Windows refuses.
static void option_to_windows(int *level, int *name) {
  static const struct pair of_socket[] = {
      {2, SO_REUSEADDR}, {3, SO_TYPE}, {4, SO_ERROR}, {6, SO_BROADCAST}, {7, SO_SNDBUF}, {8, SO_RCVBUF},
      {9, SO_KEEPALIVE}, {13, SO_LINGER}, {15, SO_REUSEPORT}, {30, SO_ACCEPTCONN}, {0, 0}};
  static const struct pair of_ipv6[] = {{26, IPV6_V6ONLY}, {0, 0}};
  if (*level == LINUX_SOL_SOCKET) {
    *level = SOL_SOCKET;
    *name = to_windows(of_socket, *name, SO_REUSEPORT);
  } else if (*level == LINUX_IPPROTO_IPV6) {
    *name = to_windows(of_ipv6, *name, *name);
  }
}

int casyncio_get_option(int socket, int level, int name, void *value, uint32_t size) {
  option_to_windows(&level, &name);
  return windows_casyncio_get_option(socket, level, name, value, (int)size);
}

int casyncio_set_option(int socket, int level, int name, const void *value, uint32_t size) {
  option_to_windows(&level, &name);
  return windows_casyncio_set_option(socket, level, name, value, (int)size);
}

// MARK: Texts and names

int casyncio_parse_address(int family, const char *text, void *address) {
  return windows_casyncio_parse_address(family_to_windows(family), text, address);
}

int casyncio_print_address(int family, const void *address, char *text, uint32_t capacity) {
  return windows_casyncio_print_address(family_to_windows(family), address, text, (int)capacity);
}

int casyncio_interface_name(uint32_t number, char *name) {
  enum { LINUX_IF_NAMESIZE = 16 };
  char whole[IF_NAMESIZE];
  int is_found = windows_casyncio_interface_name(number, whole) && strlen(whole) < LINUX_IF_NAMESIZE;
  if (is_found) strcpy(name, whole);
  return is_found;
}

// An entry of a list as the host's <netdb.h> has it.
struct linux_addrinfo {
  int flags, family, type, protocol;
  uint32_t length;
  struct sockaddr *address;
  char *name;
  struct linux_addrinfo *next;
};

static const struct pair query_flags[] = {
    {0x1, AI_PASSIVE}, {0x2, AI_CANONNAME}, {0x4, AI_NUMERICHOST}, {0x8, AI_V4MAPPED}, {0x10, AI_ALL},
    {0x20, AI_ADDRCONFIG}, {0x400, AI_NUMERICSERV}, {0, 0}};
static const struct pair name_flags[] = {
    {1, NI_NUMERICHOST}, {2, NI_NUMERICSERV}, {4, NI_NOFQDN}, {8, NI_NAMEREQD}, {16, NI_DGRAM}, {0, 0}};
static const struct pair statuses[] = {
    {-1, EAI_BADFLAGS}, {-2, EAI_NONAME}, {-3, EAI_AGAIN}, {-4, EAI_FAIL}, {-6, EAI_FAMILY}, {-7, EAI_SOCKTYPE},
    {-8, EAI_SERVICE}, {-10, EAI_MEMORY}, {-5, WSANO_DATA}, {0, 0}};

static int status_to_linux(int status) {
  for (const struct pair *pair = statuses; pair->linux_number; pair++) {
    if (pair->windows_number == status) return pair->linux_number;
  }
  return status == 0 ? 0 : -4;
}

void casyncio_free_addresses(struct addrinfo *list) {
  for (struct linux_addrinfo *entry = (struct linux_addrinfo *)list, *next; entry; entry = next) {
    next = entry->next;
    free(entry->address);
    free(entry->name);
    free(entry);
  }
}

static struct linux_addrinfo *copy_of(const struct addrinfo *found) {
  struct linux_addrinfo *entry = calloc(1, sizeof *entry);
  struct sockaddr_storage *address = calloc(1, sizeof *address);
  if (!entry || !address) abort();
  memcpy(address, found->ai_addr, found->ai_addrlen);
  name_to_linux((int)found->ai_addrlen, address);
  *entry = (struct linux_addrinfo){
      .flags = found->ai_flags, .family = family_to_linux(found->ai_family), .type = found->ai_socktype,
      .protocol = found->ai_protocol, .length = (uint32_t)found->ai_addrlen, .address = (struct sockaddr *)address,
      .name = found->ai_canonname ? strdup(found->ai_canonname) : NULL};
  return entry;
}

int casyncio_resolve(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  const struct linux_addrinfo *wanted = (const struct linux_addrinfo *)hints;
  struct addrinfo translated = {0}, *found = NULL;
  *list = NULL;
  if (wanted) {
    translated.ai_flags = flags_to_windows(query_flags, wanted->flags);
    translated.ai_family = family_to_windows(wanted->family);
    translated.ai_socktype = wanted->type;
    translated.ai_protocol = wanted->protocol;
  }
  int status = windows_casyncio_resolve(host, service, wanted ? &translated : NULL, &found);
  struct linux_addrinfo **place = (struct linux_addrinfo **)list;
  for (struct addrinfo *entry = found; entry; entry = entry->ai_next, place = &(*place)->next) *place = copy_of(entry);
  windows_casyncio_free_addresses(found);
  return status_to_linux(status);
}

int casyncio_look_up_names(
    const struct sockaddr *address, uint32_t length, char *host, uint32_t host_capacity, char *service,
    uint32_t service_capacity, int flags) {
  struct sockaddr_storage place;
  return status_to_linux(windows_casyncio_look_up_names(
      address_to_windows(address, length, &place), (int)length, host, (int)host_capacity, service,
      (int)service_capacity, flags_to_windows(name_flags, flags)));
}

const char *casyncio_resolver_error(int status) {
  return windows_casyncio_resolver_error(to_windows(statuses, status, EAI_FAIL));
}

// MARK: Waiting

static const struct pair poll_flags[] = {
    {0x1, POLLRDNORM}, {0x4, POLLWRNORM}, {0x8, POLLERR}, {0x10, POLLHUP}, {0x20, POLLNVAL}, {0, 0}};

int casyncio_poll(casyncio_poll_entry *entries, size_t count, int64_t nanoseconds) {
  for (size_t i = 0; i < count; i++) entries[i].events = (short)flags_to_windows(poll_flags, entries[i].events);
  int n = windows_casyncio_poll(entries, count, nanoseconds);
  for (size_t i = 0; i < count; i++) {
    entries[i].events = (short)flags_to_linux(poll_flags, entries[i].events);
    entries[i].returned = n < 0 ? 0 : (short)flags_to_linux(poll_flags, entries[i].returned);
  }
  return n;
}

int casyncio_is_ready(int fd, int events) {
  return windows_casyncio_is_ready(fd, flags_to_windows(poll_flags, events));
}
