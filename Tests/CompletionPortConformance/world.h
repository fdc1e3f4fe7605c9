// What the cases use of the system beside the port: handles, threads, signals, processes. Files that end in _posix and
// _windows have it, each for its systems; what is the same everywhere is in world.c.
#ifndef WORLD_H
#define WORLD_H

#include <stddef.h>
#include <stdint.h>

// MARK: What there is

// What a system may lack. A case that needs it says so first, and is skipped with the reason.
enum need { SIGNALS, PROCESSES, FILES, LOCAL_SOCKETS, PIPES_WITH_ROOM };
void needs_of_system(enum need need);
// True if a socket says that it was reset as often as it is asked; else it says so once.
int resets_repeat(void);
// True if so many handles can be open.
int may_open(int count);
// How many are open now: sockets and pipes at least.
int open_handles(void);
// End the program in this number of seconds, and say which case it was in; 0: not any more.
void limit_case(const char *name, unsigned seconds);

// MARK: Time and threads

enum { MILLISECOND = 1000000, SECOND = 1000000000 };

int64_t now(void);
void pause_for(int64_t nanoseconds);

struct thread;
struct thread *start_thread(void *(*body)(void *), void *argument);
void join_thread(struct thread *thread);

// MARK: Signals

// Call the handler for the signals of the next three; null: as it was before.
void handle_signals(void (*handler)(int));
void signal_this_thread(void);
struct thread *signal_this_thread_after(int64_t nanoseconds);
void signal_every_millisecond(int on);
// A write into a pipe without a reader is only an error meanwhile.
void ignore_broken_pipes(int on);

// MARK: Processes

// A child that waits for its gate, and ends with status 7.
struct child {
  int handle;
  int64_t gate, number;
};

void start_child(struct child *child);
void open_gate(struct child *child);
// The status of a child that has ended. Its handle is closed.
int end_child(struct child *child);
// What the program does if it is such a child: it does not come back then.
void be_child(int count, char **arguments);

// MARK: Handles

typedef struct address {
  _Alignas(16) uint8_t bytes[128];
  uint32_t length;
} address;

// Calls that do not go through the port. They return the number of bytes, or a negated errno.
int64_t read_from(int handle, void *bytes, size_t count);
int64_t write_to(int handle, const void *bytes, size_t count);
int64_t write_message(int handle, const address *address, const void *bytes, size_t count);
// 0 or a negated errno.
int connect_to(int handle, const address *address);
// A new handle, or a negated errno. The first one is of a connected socket that blocks, for any thread.
int tcp_client(const address *address);
int accept_from(int listener);
void close_handle(int handle);
void close_both(const int ends[2]);
// Close so that the peer sees a reset.
void close_with_reset(int handle);
// Close the second end so that the first sees a reset.
void reset_pair(const int ends[2]);
void end_writing(int handle);

void set_non_blocking(int handle, int on);
void set_buffers(int handle, int size);
// Of a socket with nothing to read.
int is_non_blocking(int handle);
int is_inherited(int handle);
int is_connected(int handle);
// Wait for what CASYNCIO_READABLE or CASYNCIO_WRITABLE names, up to a number of milliseconds. True if it is there.
int wait_until_ready(int handle, uint32_t events, int milliseconds);

// Two connected ends. Non-blocking.
void local_pair(int ends[2]);
void tcp_pair(int ends[2]);
void datagram_pair(int ends[2]);
// Read end, write end.
void pipe_pair(int ends[2], int is_non_blocking);
int tcp_listener(address *address, int backlog);
int tcp_socket(void);
// Bound to the address; one of length 0 is chosen by the system.
int datagram_socket(address *address);
// A socket and an address of a kind that has names in the file system; nothing has this name.
int local_socket(address *address);
void address_of_nobody(address *address);
// An empty file without a name.
int temporary_file(void);
void rewind_file(int handle);

#endif
