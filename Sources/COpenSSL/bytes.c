#include "COpenSSL.h"

#include <stdlib.h>
#include <string.h>

// A session's input and output as memory: OpenSSL reads from where the bytes were received and writes into one block
// that is sent from. (Its own memory BIO copies once more, and grows by pieces.) The block puts small records together
// for one system call. A large record is sent from where OpenSSL has it, as its copy costs more than a call. Where the
// system gives bytes when it is asked, they are received into OpenSSL's buffer, which spares a copy as well.
//
// OpenSSL reads ahead: it asks once for a record, head and body, and not twice. It may then be given more than the
// record, and nobody gets that back from it: bytes after the peer's goodbye would be lost to a connection that goes on
// without protection. So it is given no byte after the end of a record, which its head tells.

enum {
  BIO_FLAG_READ = 1,
  BIO_FLAG_WRITE = 2,
  BIO_FLAG_RETRY = 8,
  BIO_FLAGS_RETRY = 15,
  BIO_CONTROL_EOF = 2,
  BIO_CONTROL_PENDING = 10,
  BIO_CONTROL_FLUSH = 11,
  BIO_CONTROL_WRITE_PENDING = 13,
  // BIO_TYPE_SOURCE_SINK and a number that no method of the library has.
  BIO_KIND = 0x0400 | 100,
  // Of a record that is sent by itself.
  LARGE = 4096,
  RECORD_HEAD = 5,
};

// The methods are called without a word of ours, so the functions are here. Written once, before the first session.
static const casyncio_openssl *openssl;

// Count bytes of the peer as given to OpenSSL, as far as the end of the first record among them. Returns how many that
// are.
static size_t give_record(casyncio_tls_bytes *bytes, const uint8_t *in, size_t size) {
  size_t given = 0;
  if (bytes->head_count < RECORD_HEAD) {
    while (given < size && bytes->head_count < RECORD_HEAD) bytes->head[bytes->head_count++] = in[given++];
    if (bytes->head_count < RECORD_HEAD) return given;
    bytes->record_left = (size_t)bytes->head[3] << 8 | bytes->head[4];
  }
  size_t body = size - given < bytes->record_left ? size - given : bytes->record_left;
  bytes->record_left -= body;
  if (bytes->record_left == 0) bytes->head_count = 0;
  return given + body;
}

// Receive where OpenSSL wants it. Returns the number of bytes that it may have; the others become the input.
static size_t receive(casyncio_tls_bytes *bytes, uint8_t *out, size_t size) {
  size_t received = bytes->receive(bytes->link, out, size);
  size_t given = give_record(bytes, out, received);
  if (given < received) bytes->keep(bytes->link, out + given, received - given);
  return given;
}

static int read_bytes(BIO *bio, char *out, size_t size, size_t *count) {
  casyncio_tls_bytes *bytes = openssl->BIO_get_data(bio);
  openssl->BIO_clear_flags(bio, BIO_FLAGS_RETRY);
  *count = 0;
  if (!bytes || size == 0) return 0;
  if (bytes->input_count > 0) {
    *count = give_record(bytes, bytes->input, size < bytes->input_count ? size : bytes->input_count);
    memcpy(out, bytes->input, *count);
    bytes->input += *count;
    bytes->input_count -= *count;
  } else if (bytes->receive) {
    *count = receive(bytes, (uint8_t *)out, size);
  }
  if (*count > 0) return 1;
  if (!bytes->input_ended) openssl->BIO_set_flags(bio, BIO_FLAG_READ | BIO_FLAG_RETRY);
  return 0;
}

// Make room for as many bytes more. Returns 0 if there is no memory.
static int reserve(casyncio_tls_bytes *bytes, size_t count) {
  if (bytes->output_capacity - bytes->output_count >= count) return 1;
  size_t capacity = bytes->output_capacity ? bytes->output_capacity : 1024;
  while (capacity - bytes->output_count < count) capacity *= 2;
  uint8_t *larger = realloc(bytes->output, capacity);
  if (!larger) return 0;
  bytes->output = larger;
  bytes->output_capacity = capacity;
  return 1;
}

static int write_bytes(BIO *bio, const char *in, size_t size, size_t *count) {
  casyncio_tls_bytes *bytes = openssl->BIO_get_data(bio);
  openssl->BIO_clear_flags(bio, BIO_FLAGS_RETRY);
  *count = 0;
  if (!bytes) return 0;
  size_t sent = 0;
  if (size >= LARGE && bytes->output_count == 0 && bytes->send) {
    sent = bytes->send(bytes->link, (const uint8_t *)in, size);
    if (sent == size) {
      *count = size;
      return 1;
    }
  }
  if (!reserve(bytes, size - sent)) return 0;
  memcpy(bytes->output + bytes->output_count, in + sent, size - sent);
  bytes->output_count += size - sent;
  *count = size;
  return 1;
}

// OpenSSL asks some ten times for each message, mostly for what is not there, as a kernel that encrypts. So the bytes
// are looked up only where they are needed.
static long control(BIO *bio, int command, long number, void *argument) {
  casyncio_tls_bytes *bytes;
  (void)number;
  (void)argument;
  switch (command) {
  case BIO_CONTROL_FLUSH:
    return 1;
  case BIO_CONTROL_EOF:
    bytes = openssl->BIO_get_data(bio);
    return bytes && bytes->input_ended && bytes->input_count == 0;
  case BIO_CONTROL_PENDING:
    bytes = openssl->BIO_get_data(bio);
    return bytes ? (long)bytes->input_count : 0;
  case BIO_CONTROL_WRITE_PENDING:
    return 0;
  default:
    return 0;
  }
}

static int create(BIO *bio) {
  openssl->BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD *casyncio_openssl_method(const casyncio_openssl *functions) {
  openssl = functions;
  BIO_METHOD *method = functions->BIO_meth_new(BIO_KIND, "swift-asyncio");
  if (!method) return NULL;
  functions->BIO_meth_set_read_ex(method, read_bytes);
  functions->BIO_meth_set_write_ex(method, write_bytes);
  functions->BIO_meth_set_ctrl(method, control);
  functions->BIO_meth_set_create(method, create);
  return method;
}

int casyncio_openssl_attach(
    const casyncio_openssl *functions, BIO_METHOD *method, SSL *ssl, casyncio_tls_bytes *bytes) {
  BIO *bio = functions->BIO_new(method);
  if (!bio) return 0;
  functions->BIO_set_data(bio, bytes);
  // The session owns the one BIO for both directions from here on.
  functions->SSL_set_bio(ssl, bio, bio);
  return 1;
}
