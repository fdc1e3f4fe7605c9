#include "platform.h"

static void literals(void) {
  struct in6_addr six;
  struct in_addr four;
  char text[INET6_ADDRSTRLEN];
  CHECK(casyncio_parse_address(AF_INET, "127.0.0.1", &four), ==, 1);
  CHECK(ntohl(four.s_addr), ==, 0x7F000001);
  CHECK(casyncio_parse_address(AF_INET6, "fe80::1", &six), ==, 1);
  CHECK(casyncio_print_address(AF_INET6, &six, text, sizeof text), ==, 1);
  CHECK(strcmp(text, "fe80::1"), ==, 0);
  CHECK(casyncio_print_address(AF_INET6, &six, text, 3), ==, 0);
  const char *const bad[] = {"", "127.1", "1.2.3.4.5", "256.0.0.1", "0x7f.0.0.1", "localhost", "127.0.0.1 "};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK(casyncio_parse_address(AF_INET, bad[i], &four), ==, 0);
    CHECK(casyncio_parse_address(AF_INET6, bad[i], &six), ==, 0);
  }
  CHECK(casyncio_interface_number("no-such-interface"), ==, 0);
}

static void resolver(void) {
  struct addrinfo hints, *list = NULL;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_INET;
  hints.ai_socktype = casyncio_stream_type;
  hints.ai_flags = AI_NUMERICHOST | AI_CANONNAME;
  CHECK(casyncio_resolve("127.0.0.1", "80", &hints, &list), ==, 0);
  CHECK(list != NULL && list->ai_addr != NULL, ==, 1);
  CHECK(list->ai_addrlen, ==, (int)sizeof(struct sockaddr_in));
  CHECK(ntohs(((struct sockaddr_in *)list->ai_addr)->sin_port), ==, 80);
  char host[1025], service[256];
  int flags = NI_NUMERICHOST | NI_NUMERICSERV;
  CHECK(
      casyncio_look_up_names(
          list->ai_addr, (socklen_t)list->ai_addrlen, host, sizeof host, service, sizeof service, flags),
      ==, 0);
  CHECK(strcmp(host, "127.0.0.1"), ==, 0);
  CHECK(strcmp(service, "80"), ==, 0);
  casyncio_free_addresses(list);
  CHECK(casyncio_resolve("no address", "80", &hints, &list), ==, EAI_NONAME);
  CHECK(strlen(casyncio_resolver_error(EAI_NONAME)), >, 10);
  hints.ai_flags = 0;
  CHECK(casyncio_resolve("localhost", NULL, &hints, &list), ==, 0);
  CHECK(ntohl(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr) >> 24, ==, 127);
  casyncio_free_addresses(list);
}

const struct test_case names[] = {{"names:literals", literals}, {"names:resolver", resolver}, {NULL, NULL}};
