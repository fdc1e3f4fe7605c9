#if defined(_WIN32)
#include "win32.h"

#include <iphlpapi.h>
#include <netioapi.h>

// Names and texts of addresses. The traps:
//
// - The system's resolver takes names in UTF-16, and in its other form takes bytes for those of the machine's code
//   page. So names go through the first, and what comes back is copied into the form that all systems share.
// - The system has texts for its errors that are put together in memory that all threads share.

// MARK: Addresses

int casyncio_parse_address(int family, const char *text, void *address) {
  return win32_prepare() == 0 && inet_pton(family, text, address) == 1;
}

int casyncio_print_address(int family, const void *address, char *text, socklen_t capacity) {
  return win32_prepare() == 0 && inet_ntop(family, address, text, (size_t)capacity) != NULL;
}

uint32_t casyncio_interface_number(const char *name) { return if_nametoindex(name); }

int casyncio_interface_name(uint32_t number, char *name) { return if_indextoname(number, name) != NULL; }

// MARK: The resolver

// An entry, and what it points to but its name.
struct entry {
  struct addrinfo info;
  struct sockaddr_storage address;
};

static struct addrinfo *copy_of(const ADDRINFOW *found) {
  struct entry *entry = calloc(1, sizeof *entry);
  if (!entry) return NULL;
  entry->info.ai_flags = found->ai_flags;
  entry->info.ai_family = found->ai_family;
  entry->info.ai_socktype = found->ai_socktype;
  entry->info.ai_protocol = found->ai_protocol;
  if (found->ai_addr && found->ai_addrlen <= sizeof entry->address) {
    memcpy(&entry->address, found->ai_addr, found->ai_addrlen);
    entry->info.ai_addr = (struct sockaddr *)&entry->address;
    entry->info.ai_addrlen = found->ai_addrlen;
  }
  if (found->ai_canonname) entry->info.ai_canonname = win32_narrow(found->ai_canonname);
  return &entry->info;
}

void casyncio_free_addresses(struct addrinfo *list) {
  while (list) {
    struct addrinfo *next = list->ai_next;
    free(list->ai_canonname);
    // The address of an entry is that of its first field.
    free(list);
    list = next;
  }
}

static int copy_all(const ADDRINFOW *found, struct addrinfo **list) {
  struct addrinfo **place = list;
  for (; found; found = found->ai_next) {
    *place = copy_of(found);
    if (!*place) {
      casyncio_free_addresses(*list);
      *list = NULL;
      return EAI_MEMORY;
    }
    place = &(*place)->ai_next;
  }
  return 0;
}

static int resolve(const WCHAR *host, const WCHAR *service, const struct addrinfo *hints, struct addrinfo **list) {
  ADDRINFOW wanted = {0}, *found = NULL;
  if (hints) {
    wanted.ai_flags = hints->ai_flags;
    wanted.ai_family = hints->ai_family;
    wanted.ai_socktype = hints->ai_socktype;
    wanted.ai_protocol = hints->ai_protocol;
  }
  int status = GetAddrInfoW(host, service, hints ? &wanted : NULL, &found);
  if (status == 0) status = copy_all(found, list);
  if (found) FreeAddrInfoW(found);
  return status;
}

int casyncio_resolve(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  *list = NULL;
  if (win32_prepare() < 0) return EAI_FAIL;
  WCHAR *wide_host = host ? win32_wide(host) : NULL, *wide_service = service ? win32_wide(service) : NULL;
  int is_text = (!host || wide_host) && (!service || wide_service);
  int status = is_text ? resolve(wide_host, wide_service, hints, list) : EAI_NONAME;
  free(wide_host);
  free(wide_service);
  return status;
}

// Copy a name into the caller's memory. Returns 1, or 0 if it does not fit.
static int give(const WCHAR *wide, char *place, socklen_t capacity) {
  if (capacity == 0) return 1;
  char *name = win32_narrow(wide);
  int fits = name && strlen(name) < (size_t)capacity;
  if (fits) strcpy(place, name);
  free(name);
  return fits;
}

int casyncio_look_up_names(
    const struct sockaddr *address, socklen_t length, char *host, socklen_t host_capacity, char *service,
    socklen_t service_capacity, int flags) {
  WCHAR wide_host[NI_MAXHOST], wide_service[NI_MAXSERV];
  if (win32_prepare() < 0) return EAI_FAIL;
  int status = GetNameInfoW(address, length, wide_host, NI_MAXHOST, wide_service, NI_MAXSERV, flags);
  if (status != 0) return status;
  return give(wide_host, host, host_capacity) && give(wide_service, service, service_capacity) ? 0 : EAI_MEMORY;
}

const char *casyncio_resolver_error(int status) {
  switch (status) {
    case EAI_AGAIN: return "Temporary failure in name resolution";
    case EAI_BADFLAGS: return "Bad flags";
    case EAI_FAIL: return "Failure in name resolution that will stay";
    case EAI_FAMILY: return "Address family not supported";
    case EAI_MEMORY: return "Out of memory, or a name that is too long";
    case EAI_NONAME: return "Name or service not known";
    case EAI_SERVICE: return "Service not known for this type of socket";
    case EAI_SOCKTYPE: return "Type of socket not supported";
    case WSANO_DATA: return "The name has no address of this family";
    default: return "Unknown error of the resolver";
  }
}
#endif
