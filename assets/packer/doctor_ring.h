/* doctor_ring.h - a ring by plain system calls, one entry at a time: enough to try things on, in any build of Leat.
 *
 * No liburing: doctor must be able to say what the kernel has that the library at hand is too old to know, and what the
 * build of Leat lacks. Constants newer than the headers of Debian 12 stand here. One thread. */
#ifndef LEAT_PACKER_DOCTOR_RING_H
#define LEAT_PACKER_DOCTOR_RING_H

#include <linux/io_uring.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SETUP_NO_SQARRAY (1u << 16) /* 6.6 */
#define RING_SETUP_HYBRID_IOPOLL (1u << 17) /* 6.13 */
#define RING_SETUP_CQE_MIXED (1u << 18) /* 6.18 */
#define RING_OP_READ_MULTISHOT 49 /* 6.7 */

typedef struct doctor_ring {
    int fd; /* -1: none */
    struct io_uring_params params;
    uint8_t *sq, *cq;
    struct io_uring_sqe *entries;
    size_t sq_size, cq_size, entries_size;
} doctor_ring;

/* 0 or an errno; after an error the ring holds nothing. */
int doctor_ring_open(uint32_t entry_count, uint32_t flags, doctor_ring *ring);
void doctor_ring_close(doctor_ring *ring);

/* io_uring_register. 0 or an errno. */
int doctor_ring_register(const doctor_ring *ring, unsigned opcode, void *argument, unsigned count);

/* Hands over one entry and waits for its completion, two seconds at most where the kernel can limit the wait. 0, and
 * *result is what the operation returned (bytes or -errno) and *flags (may be NULL) IORING_CQE_F_*; or an errno. */
int doctor_ring_do(doctor_ring *ring, const struct io_uring_sqe *entry, int32_t *result, uint32_t *flags);

#endif
