// The parts of the kernel's io_uring interface that the completion port uses, as this package needs them: the headers
// of the distributions lag behind the kernels in use, and what a kernel can do is asked at run time anyway.
#ifndef CASYNCIO_URING_ABI_H
#define CASYNCIO_URING_ABI_H

#include <stdint.h>

enum {
  URING_SYS_SETUP = 425,
  URING_SYS_ENTER = 426,
  URING_SYS_REGISTER = 427,
};

// A submission: 64 bytes.
struct uring_sqe {
  uint8_t opcode;
  uint8_t flags;
  uint16_t ioprio;
  int32_t fd;
  uint64_t off;  // connect: the length of the address
  uint64_t addr;
  uint32_t len;
  uint32_t op_flags;  // msg_flags, poll32_events, accept_flags, cancel_flags
  uint64_t user_data;
  uint16_t buf_group;
  uint16_t personality;
  int32_t file_index;
  uint64_t addr3;
  uint64_t reserved;
};
_Static_assert(sizeof(struct uring_sqe) == 64, "the kernel's submission has 64 bytes");

// A completion: 16 bytes.
struct uring_cqe {
  uint64_t user_data;
  int32_t res;
  uint32_t flags;
};
_Static_assert(sizeof(struct uring_cqe) == 16, "the kernel's completion has 16 bytes");

struct uring_sq_offsets {
  uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, reserved;
  uint64_t user_addr;
};
struct uring_cq_offsets {
  uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags, reserved;
  uint64_t user_addr;
};
struct uring_params {
  uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd, reserved[3];
  struct uring_sq_offsets sq_off;
  struct uring_cq_offsets cq_off;
};
_Static_assert(sizeof(struct uring_params) == 120, "the kernel's parameters have 120 bytes");

// A buffer in a provided-buffer ring; the ring's tail lies over the last field of the first one.
struct uring_buf {
  uint64_t addr;
  uint32_t len;
  uint16_t bid;
  uint16_t tail;
};
struct uring_buf_reg {
  uint64_t ring_addr;
  uint32_t ring_entries;
  uint16_t bgid;
  uint16_t flags;
  uint64_t reserved[3];
};

struct uring_sync_cancel {
  uint64_t addr;
  int32_t fd;
  uint32_t flags;
  int64_t seconds, nanoseconds;
  uint8_t opcode, reserved[7];
  uint64_t reserved2[3];
};
_Static_assert(sizeof(struct uring_sync_cancel) == 64, "the kernel's synchronous cancel has 64 bytes");

struct uring_probe_op {
  uint8_t op, reserved;
  uint16_t flags;
  uint32_t reserved2;
};
struct uring_probe {
  uint8_t last_op, ops_len;
  uint16_t reserved;
  uint32_t reserved2[3];
  struct uring_probe_op ops[256];
};

struct uring_timespec {
  int64_t seconds;
  int64_t nanoseconds;
};
struct uring_getevents_arg {
  uint64_t sigmask;
  uint32_t sigmask_size;
  uint32_t min_wait_usec;
  uint64_t timespec;
};

enum {
  URING_OFF_SQ_RING = 0,
  URING_OFF_CQ_RING = 0x8000000,
  URING_OFF_SQES = 0x10000000,
};

enum {
  URING_SETUP_CQSIZE = 1u << 3,
  URING_SETUP_CLAMP = 1u << 4,
  URING_SETUP_SUBMIT_ALL = 1u << 7,
  URING_SETUP_COOP_TASKRUN = 1u << 8,
  URING_SETUP_TASKRUN_FLAG = 1u << 9,
  URING_SETUP_SINGLE_ISSUER = 1u << 12,
  URING_SETUP_DEFER_TASKRUN = 1u << 13,
  URING_SETUP_NO_SQARRAY = 1u << 16,
};

enum {
  URING_FEAT_SINGLE_MMAP = 1u << 0,
  URING_FEAT_NODROP = 1u << 1,
  URING_FEAT_EXT_ARG = 1u << 8,
  URING_FEAT_NO_IOWAIT = 1u << 17,
};

enum {
  URING_ENTER_GETEVENTS = 1u << 0,
  URING_ENTER_EXT_ARG = 1u << 3,
  URING_ENTER_NO_IOWAIT = 1u << 7,
};

enum {
  URING_SQ_CQ_OVERFLOW = 1u << 1,
  URING_SQ_TASKRUN = 1u << 2,
};

enum {
  URING_CQE_BUFFER = 1u << 0,
  URING_CQE_MORE = 1u << 1,
  URING_CQE_BUF_MORE = 1u << 4,
};

enum { URING_SQE_BUFFER_SELECT = 1u << 5 };

enum {
  URING_OP_NOP = 0,
  URING_OP_POLL_ADD = 6,
  URING_OP_ACCEPT = 13,
  URING_OP_ASYNC_CANCEL = 14,
  URING_OP_CONNECT = 16,
  URING_OP_READ = 22,
  URING_OP_WRITE = 23,
  URING_OP_SEND = 26,
  URING_OP_RECV = 27,
};

enum {
  URING_ACCEPT_MULTISHOT = 1u << 0,
  URING_RECV_MULTISHOT = 1u << 1,
  URING_POLL_ADD_MULTI = 1u << 0,
  URING_CANCEL_ALL = 1u << 0,
  URING_CANCEL_ANY = 1u << 2,
};

// The flags of poll(2) as a submission has them: two halves, the lower one first in memory.
static inline uint32_t uring_poll_mask(uint32_t events) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return events << 16 | events >> 16;
#else
  return events;
#endif
}

enum {
  URING_REGISTER_PROBE = 8,
  URING_REGISTER_PBUF_RING = 22,
  URING_UNREGISTER_PBUF_RING = 23,
  URING_REGISTER_SYNC_CANCEL = 24,
};

enum {
  URING_PROBE_SUPPORTED = 1u << 0,
  URING_PBUF_RING_INC = 1u << 1,
};

#endif
