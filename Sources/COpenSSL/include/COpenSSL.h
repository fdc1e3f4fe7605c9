// OpenSSL's libssl, found while the program runs: no header, no library and no package is needed for the build.
//
// Each function that is used is declared here by hand, as OpenSSL 1.1.1 and 3.x document it, and bound by name. The
// traps:
//
// - No compiler checks these declarations against a header. `openssl_functions.def` is the one list;
//   `Scripts/check-openssl` compares it, and the numbers below, with OpenSSL's headers where those are installed.
// - What OpenSSL's headers spell as macros are calls of `SSL_ctrl` and `SSL_CTX_ctrl` with numbers. They are named in
//   the enumerations below and have not changed since 1.1.0.
// - A function that changed its name with 3.0 is found under either name.
// - LibreSSL and BoringSSL install libraries of the same name, without being the same. The version says so.
#ifndef CASYNCIO_OPENSSL_H
#define CASYNCIO_OPENSSL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(nullability)
#pragma clang assume_nonnull begin
#define OPENSSL_NULLABLE _Nullable
#define OPENSSL_NONNULL _Nonnull
#else
#define OPENSSL_NULLABLE
#define OPENSSL_NONNULL
#endif

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct ssl_session_st SSL_SESSION;
typedef struct ssl_cipher_st SSL_CIPHER;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;
typedef struct x509_st X509;
typedef struct X509_name_st X509_NAME;
typedef struct X509_extension_st X509_EXTENSION;
typedef struct x509_store_st X509_STORE;
typedef struct x509_store_ctx_st X509_STORE_CTX;
typedef struct X509_VERIFY_PARAM_st X509_VERIFY_PARAM;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct stack_st OPENSSL_STACK;
typedef struct stack_st_X509_NAME X509_NAME_STACK;
typedef struct asn1_string_st ASN1_STRING;
typedef struct ossl_init_settings_st OPENSSL_INIT_SETTINGS;

typedef int (*openssl_password_callback)(char *buffer, int size, int is_writing, void *OPENSSL_NULLABLE argument);
typedef int (*openssl_verify_callback)(int is_good, X509_STORE_CTX *store);
typedef int (*openssl_alpn_callback)(
    SSL *ssl, const unsigned char *OPENSSL_NULLABLE *OPENSSL_NULLABLE out, unsigned char *out_length,
    const unsigned char *in, unsigned int in_length, void *OPENSSL_NULLABLE argument);
typedef int (*openssl_session_callback)(SSL *ssl, SSL_SESSION *session);
typedef void (*openssl_log_callback)(const SSL *ssl, const char *line);
typedef int (*openssl_servername_callback)(SSL *ssl, int *alert, void *OPENSSL_NULLABLE argument);

#if __has_feature(nullability)
#pragma clang assume_nonnull end
#endif
// All functions, once bound.
typedef struct casyncio_openssl {
#define FUNCTION(result, name, parameters) result (*OPENSSL_NONNULL name) parameters;
#define RENAMED(result, name, old, parameters) result (*OPENSSL_NONNULL name) parameters;
#include "../openssl_functions.def"
#undef FUNCTION
#undef RENAMED
  // OPENSSL_VERSION_NUMBER of the library.
  unsigned long version;
  // The file that was opened, as it was asked for.
  const char *OPENSSL_NULLABLE library;
} casyncio_openssl;
#if __has_feature(nullability)
#pragma clang assume_nonnull begin
#endif

// What came of the search for the library.
enum {
  CASYNCIO_OPENSSL_OK = 0,
  // No file of the known names could be opened.
  CASYNCIO_OPENSSL_NOT_FOUND,
  // A library lacks a function; the detail names it.
  CASYNCIO_OPENSSL_LACKS,
  // It is LibreSSL, BoringSSL, or older than 1.1.1.
  CASYNCIO_OPENSSL_WRONG_VERSION,
};

// Bind the functions. `path` names libssl, or is NULL for the known names. Returns one of the numbers above, and puts
// a text for people into `detail` if it is not OK. For one thread; the caller keeps the result.
int casyncio_openssl_bind(
    casyncio_openssl *functions, const char *OPENSSL_NULLABLE path, char *detail, size_t detail_size);

// The bytes of one session. `input` is lent during a call and read from its beginning; `output` collects what the
// session wants to send. The functions may be NULL, and are called while the session is at work.
typedef struct casyncio_tls_bytes {
  const uint8_t *OPENSSL_NULLABLE input;
  size_t input_count;
  uint8_t *OPENSSL_NULLABLE output;
  size_t output_count;
  size_t output_capacity;
  // The peer has ended its stream: nothing comes after `input`.
  uint8_t input_ended;
  // Of the record that is being read: its first bytes, and how many more belong to it once all five are known.
  uint8_t head_count;
  uint8_t head[5];
  size_t record_left;
  // The first argument of the functions.
  void *OPENSSL_NULLABLE link;
  // Sends a large record from where it was made, if nothing is in front of it. Returns how much of it was taken; the
  // rest is collected in `output`. NULL to collect everything.
  size_t (*OPENSSL_NULLABLE send)(void *OPENSSL_NULLABLE link, const uint8_t *record, size_t size);
  // Receives whatever has arrived, without waiting, once the input is used up. Returns 0 if nothing has arrived;
  // `input_ended` is set by then if nothing more will. NULL if all input comes as `input`.
  size_t (*OPENSSL_NULLABLE receive)(void *OPENSSL_NULLABLE link, uint8_t *memory, size_t size);
  // Copies what was received after the end of a record, and makes the copy the input. Set with `receive`.
  void (*OPENSSL_NULLABLE keep)(void *OPENSSL_NULLABLE link, const uint8_t *bytes, size_t size);
} casyncio_tls_bytes;

// Make the method by which OpenSSL gets at such bytes. Returns NULL if there is no memory.
BIO_METHOD *OPENSSL_NULLABLE casyncio_openssl_method(const casyncio_openssl *functions);
// Give a session its bytes, which stay until the session is freed. Returns 0 if there is no memory.
int casyncio_openssl_attach(
    const casyncio_openssl *functions, BIO_METHOD *method, SSL *ssl, casyncio_tls_bytes *bytes);

// The macros of ssl.h, tls1.h, bio.h and x509_vfy.h that are used, under the names they have there.
enum {

  OPENSSL_CTRL_MODE = 33,
  OPENSSL_CTRL_SET_READ_AHEAD = 41,
  OPENSSL_CTRL_SET_SESS_CACHE_MODE = 44,
  OPENSSL_CTRL_SET_TLSEXT_SERVERNAME_CB = 53,
  OPENSSL_CTRL_SET_TLSEXT_SERVERNAME_ARG = 54,
  OPENSSL_CTRL_SET_TLSEXT_HOSTNAME = 55,
  OPENSSL_CTRL_SET_GROUPS_LIST = 92,
  OPENSSL_CTRL_CHAIN_CERT = 89,
  OPENSSL_CTRL_SET_MIN_PROTO_VERSION = 123,
  OPENSSL_CTRL_SET_MAX_PROTO_VERSION = 124,

  OPENSSL_MODE_ENABLE_PARTIAL_WRITE = 1,
  OPENSSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 2,
  OPENSSL_MODE_RELEASE_BUFFERS = 0x10,

  OPENSSL_SESS_CACHE_OFF = 0,
  OPENSSL_SESS_CACHE_CLIENT = 1,
  OPENSSL_SESS_CACHE_NO_INTERNAL = 0x300,

  OPENSSL_ERROR_WANT_READ = 2,
  OPENSSL_ERROR_SYSCALL = 5,
  OPENSSL_ERROR_ZERO_RETURN = 6,

  OPENSSL_VERIFY_NONE = 0,
  OPENSSL_VERIFY_PEER = 1,
  OPENSSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2,

  OPENSSL_TLSEXT_ERR_OK = 0,
  OPENSSL_TLSEXT_ERR_ALERT_FATAL = 2,
  OPENSSL_TLSEXT_ERR_NOACK = 3,
  OPENSSL_TLSEXT_NAMETYPE_HOST_NAME = 0,

  OPENSSL_NID_SUBJECT_ALT_NAME = 85,

  OPENSSL_X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4,
};

// Options of a context, which do not fit into an enumeration.
#define OPENSSL_INIT_NO_ATEXIT 0x00080000ULL
#define OPENSSL_OP_NO_RENEGOTIATION 0x40000000ULL
#define OPENSSL_OP_NO_COMPRESSION 0x00020000ULL
#define OPENSSL_OP_NO_TICKET 0x00004000ULL
#define OPENSSL_OP_CIPHER_SERVER_PREFERENCE 0x00400000ULL

#if __has_feature(nullability)
#pragma clang assume_nonnull end
#endif

#endif
