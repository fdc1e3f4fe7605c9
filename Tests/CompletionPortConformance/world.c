#include "conformance.h"

#include <errno.h>

// What is the same in every world: numbers, and streams of bytes whose every place can be told.

uint32_t random_number(uint32_t *state) {
  uint32_t x = *state ? *state : 1;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

void close_both(const int ends[2]) {
  close_handle(ends[0]);
  close_handle(ends[1]);
}

void tcp_pair(int ends[2]) {
  address address;
  int listener = tcp_listener(&address, 1);
  ends[0] = tcp_socket();
  set_non_blocking(ends[0], 0);
  CHECK(connect_to(ends[0], &address), ==, 0);
  set_non_blocking(ends[0], 1);
  set_non_blocking(listener, 0);
  ends[1] = accept_from(listener);
  CHECK(ends[1], >=, 0);
  set_non_blocking(ends[1], 1);
  close_handle(listener);
}

// MARK: Bytes

uint8_t pattern(uint32_t stream, uint64_t offset) {
  uint64_t x = (offset >> 3) + stream * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9u;
  return (uint8_t)(x >> (offset & 7) * 8);
}

void fill_pattern(uint8_t *bytes, size_t count, uint32_t stream, uint64_t offset) {
  for (size_t i = 0; i < count; i++) bytes[i] = pattern(stream, offset + i);
}

int64_t pattern_breaks(const uint8_t *bytes, size_t count, uint32_t stream, uint64_t offset) {
  for (size_t i = 0; i < count; i++) {
    if (bytes[i] != pattern(stream, offset + i)) return (int64_t)i;
  }
  return -1;
}

uint64_t put(int handle, uint32_t stream, uint64_t offset, uint64_t limit) {
  uint8_t bytes[4096];
  uint64_t total = 0;
  while (total < limit) {
    size_t count = limit - total < sizeof bytes ? (size_t)(limit - total) : sizeof bytes;
    fill_pattern(bytes, count, stream, offset + total);
    int64_t n = write_to(handle, bytes, count);
    if (n < 0) {
      CHECK(n, ==, -EAGAIN);
      break;
    }
    total += (uint64_t)n;
  }
  return total;
}

uint64_t take(int handle, uint32_t stream, uint64_t offset) {
  uint8_t bytes[4096];
  uint64_t total = 0;
  int64_t n;
  while ((n = read_from(handle, bytes, sizeof bytes)) > 0) {
    CHECK(pattern_breaks(bytes, (size_t)n, stream, offset + total), ==, -1);
    total += (uint64_t)n;
  }
  return total;
}
