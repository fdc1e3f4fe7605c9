// Comes before everything else in the C files for Windows when they are compiled into a program of the host (see
// README): its types, and the names under which numbers.c and crt.c stand between them and the rest of the program.
#ifndef WINELIB_H
#define WINELIB_H

// The host has these types.
#define _SSIZE_T_DEFINED
#define _MODE_T_
#define _PID_T_

// Winsock has to come before the host's headers, whose select(2) it is not.
#include <winsock2.h>
#include <ws2tcpip.h>

#include <stdint.h>
#include <time.h>
#include <strings.h>
#include <wchar.h>

#define SIGBREAK 21
#define PIPE_REJECT_REMOTE_CLIENTS 8

// What crt.c has of Microsoft's C library. The host's functions for wide text take letters of 32 bits.
#define _stricmp strcasecmp
#define wcslen crt_wcslen
#define wcscpy crt_wcscpy
#define wcschr crt_wcschr
#define wcspbrk crt_wcspbrk
size_t crt_wcslen(const WCHAR *text);
WCHAR *crt_wcscpy(WCHAR *place, const WCHAR *text);
WCHAR *crt_wcschr(const WCHAR *text, WCHAR letter);
WCHAR *crt_wcspbrk(const WCHAR *text, const WCHAR *letters);
WCHAR *_wcsdup(const WCHAR *text);
int _wcsicmp(const WCHAR *first, const WCHAR *second);
int64_t _mkgmtime64(struct tm *time);
char **crt_environment(void);
#define _environ crt_environment()
// A folder that both worlds have under one name.
DWORD crt_temporary_path(DWORD size, char *path);
#undef GetTempPath
#define GetTempPathA crt_temporary_path
// Also for files that the host has opened, of which wine does not know the name.
BOOL crt_file_information(HANDLE handle, BY_HANDLE_FILE_INFORMATION *information);
#define GetFileInformationByHandle crt_file_information
// The file of this program, which has another name than wine says.
DWORD crt_program_a(HMODULE module, char *path, DWORD size);
DWORD crt_program_w(HMODULE module, WCHAR *path, DWORD size);
#define GetModuleFileNameA crt_program_a
#define GetModuleFileNameW crt_program_w
int _putenv_s(const char *name, const char *value);

// Wine's headers lack it.
static inline LONG64 InterlockedExchange64(volatile LONG64 *place, LONG64 value) {
  return __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST);
}

// The functions that take or return numbers which the host has otherwise: numbers.c has them for the host.
#define casyncio_socket windows_casyncio_socket
#define casyncio_bind windows_casyncio_bind
#define casyncio_connect windows_casyncio_connect
#define casyncio_local_name windows_casyncio_local_name
#define casyncio_peer_name windows_casyncio_peer_name
#define casyncio_get_option windows_casyncio_get_option
#define casyncio_set_option windows_casyncio_set_option
#define casyncio_receive_message windows_casyncio_receive_message
#define casyncio_send_message windows_casyncio_send_message
#define casyncio_parse_address windows_casyncio_parse_address
#define casyncio_print_address windows_casyncio_print_address
#define casyncio_interface_name windows_casyncio_interface_name
#define casyncio_resolve windows_casyncio_resolve
#define casyncio_free_addresses windows_casyncio_free_addresses
#define casyncio_look_up_names windows_casyncio_look_up_names
#define casyncio_resolver_error windows_casyncio_resolver_error
#define casyncio_poll windows_casyncio_poll
#define casyncio_is_ready windows_casyncio_is_ready
#define casyncio_port_connect windows_casyncio_port_connect

#endif
