#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "metadata.h"

#include <errno.h>
#include <string.h>

// Of linux/udp.h, which the C library's header may be older than.
enum { LEVEL_UDP = 17, SEGMENT_SIZE = 103, RECEIVE_OFFLOAD = 104 };
// The part of the type of service, or of the traffic class, that is about congestion.
enum { CONGESTION_BITS = 3 };

int casyncio_metadata_option(int what, int family, int *level, int *name) {
  if (family != AF_INET && family != AF_INET6) return -EOPNOTSUPP;
  int is_ipv4 = family == AF_INET;
  *level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
  switch (what) {
    case CASYNCIO_METADATA_CONGESTION: *name = is_ipv4 ? IP_RECVTOS : IPV6_RECVTCLASS; return 0;
    case CASYNCIO_METADATA_PACKET_INFO: *name = is_ipv4 ? IP_PKTINFO : IPV6_RECVPKTINFO; return 0;
    case CASYNCIO_METADATA_SEGMENT_SIZE: *name = SEGMENT_SIZE; break;
    case CASYNCIO_METADATA_RECEIVE_OFFLOAD: *name = RECEIVE_OFFLOAD; break;
    default: return -EINVAL;
  }
  *level = LEVEL_UDP;
  return 0;
}

// MARK: Receiving

void casyncio_control_await(struct msghdr *header, casyncio_control *room) {
  header->msg_control = room;
  header->msg_controllen = sizeof *room;
}

// The contents have any alignment, and the size that the system gives them.
static int copy(const struct cmsghdr *part, void *value, size_t size) {
  if (part->cmsg_len < CMSG_LEN(size)) return 0;
  memcpy(value, CMSG_DATA(part), size);
  return 1;
}

static void set_destination(casyncio_metadata *metadata, const void *address, socklen_t length, unsigned int index) {
  memcpy(&metadata->destination, address, length);
  metadata->destination_length = length;
  metadata->interface_index = index;
}

static void read_ipv4(const struct cmsghdr *part, casyncio_metadata *metadata) {
  unsigned char service;
  struct in_pktinfo info;
  if (part->cmsg_type == IP_TOS && copy(part, &service, sizeof service)) {
    metadata->congestion = service & CONGESTION_BITS;
  } else if (part->cmsg_type == IP_PKTINFO && copy(part, &info, sizeof info)) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = info.ipi_addr};
    set_destination(metadata, &address, sizeof address, (unsigned int)info.ipi_ifindex);
  }
}

static void read_ipv6(const struct cmsghdr *part, casyncio_metadata *metadata) {
  int class;
  struct in6_pktinfo info;
  if (part->cmsg_type == IPV6_TCLASS && copy(part, &class, sizeof class)) {
    metadata->congestion = class & CONGESTION_BITS;
  } else if (part->cmsg_type == IPV6_PKTINFO && copy(part, &info, sizeof info)) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr};
    set_destination(metadata, &address, sizeof address, info.ipi6_ifindex);
  }
}

void casyncio_control_read(struct msghdr *header, casyncio_metadata *metadata) {
  metadata->destination_length = 0;
  metadata->interface_index = 0;
  metadata->congestion = 0;
  metadata->segment_size = 0;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level == IPPROTO_IP) read_ipv4(part, metadata);
    if (part->cmsg_level == IPPROTO_IPV6) read_ipv6(part, metadata);
    int size;
    int is_size = part->cmsg_level == LEVEL_UDP && part->cmsg_type == RECEIVE_OFFLOAD;
    if (is_size && copy(part, &size, sizeof size)) metadata->segment_size = size;
  }
}

// MARK: Sending

static void add(struct msghdr *header, int level, int type, const void *value, size_t size) {
  // Right because two small parts fit into the room, and it is empty before the first.
  struct cmsghdr *part = (struct cmsghdr *)((char *)header->msg_control + header->msg_controllen);
  part->cmsg_level = level;
  part->cmsg_type = type;
  part->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(part), value, size);
  header->msg_controllen += CMSG_SPACE(size);
}

void casyncio_control_write(struct msghdr *header, casyncio_control *room, const casyncio_metadata *metadata) {
  memset(room, 0, sizeof *room);
  header->msg_control = room;
  header->msg_controllen = 0;
  int bits = metadata->congestion;
  if (metadata->family == AF_INET) add(header, IPPROTO_IP, IP_TOS, &bits, sizeof bits);
  if (metadata->family == AF_INET6) add(header, IPPROTO_IPV6, IPV6_TCLASS, &bits, sizeof bits);
  uint16_t size = (uint16_t)metadata->segment_size;
  if (size > 0) add(header, LEVEL_UDP, SEGMENT_SIZE, &size, sizeof size);
}
#endif
