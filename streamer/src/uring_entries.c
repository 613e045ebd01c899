/* uring_entries.c - reads become entries of the ring, and completions become results.
 *
 * A read of a file is one entry. A read by path is three, linked: openat2 into a descriptor that exists in the ring's
 * own table only, read, close. Each slot has its place in that table, so nothing is searched and nothing can be lost.
 * The link to the close is a hard one: a read that fails or comes short does not leave the file open.
 *
 * What the ring cannot do goes to the reserve, a thread backend that sleeps until it is needed: reads by path where
 * they cannot be chained, buffered reads in a polled ring, reads that the kernel has cancelled. */
#include "uring.h"

#ifdef LEAT_HAVE_URING

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Linux 6.14; newer than the headers of Debian 12. */
#define READ_DONT_CACHE 0x00000080

/* Room for `count` entries in a row, which go out together. */
static bool make_room(io_backend *io, uint32_t count)
{
    if (!io->dead && io_uring_sq_space_left(&io->ring) < count) {
        ring_submit(io);
    }
    return !io->dead && io_uring_sq_space_left(&io->ring) >= count;
}

struct io_uring_sqe *entry_take(io_backend *io)
{
    return make_room(io, 1) ? io_uring_get_sqe(&io->ring) : NULL;
}

/* Into the registered buffer where the memory is part of it. */
static void prepare_read(const io_backend *io, struct io_uring_sqe *sqe, int fd, const io_read *item)
{
    uint64_t offset = (uint64_t)((uint8_t *)item->memory - io->pool);
    if (offset < io->fixed_size && item->size <= io->fixed_size - offset) {
        io_uring_prep_read_fixed(sqe, fd, item->memory, item->size, item->offset, 0);
    } else {
        io_uring_prep_read(sqe, fd, item->memory, item->size, item->offset);
    }
}

static void mark(struct io_uring_sqe *sqe, uint32_t slot, ring_entry entry, uint32_t flags)
{
    sqe->user_data = (uint64_t)entry << 32 | slot;
    sqe->flags |= (uint8_t)flags;
}

/* ---- The two kinds ---- */

static bool fill_read(io_backend *io, uint32_t slot)
{
    const io_read *item = &io->slots[slot].item;
    struct io_uring_sqe *sqe = entry_take(io);
    if (sqe == NULL) {
        return false;
    }
    const ring_file *file = &io->files[item->file];
    bool direct = (item->flags & IO_READ_DIRECT) != 0;
    int fd = io->fixed_files ? (int)(item->file * 2 + direct) : direct ? file->fds.fd_direct : file->fds.fd_buffered;
    prepare_read(io, sqe, fd, item);
    sqe->rw_flags = !direct && file->dont_cache ? READ_DONT_CACHE : 0;
    mark(sqe, slot, ENTRY_READ, io->fixed_files ? IOSQE_FIXED_FILE : 0);
    io->slots[slot].entries_out = 1;
    return true;
}

static uint32_t chain_place(const io_backend *io, uint32_t slot)
{
    return io->file_count_max * 2 + slot;
}

/* A chain that is cut by a submission would lose its links: it goes in whole or not at all. */
static bool fill_chain(io_backend *io, uint32_t slot)
{
    if (!make_room(io, CHAIN_LENGTH)) {
        return false;
    }
    const io_read *item = &io->slots[slot].item;
    uint32_t place = chain_place(io, slot);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    io_uring_prep_openat2_direct(sqe, item->folder_fd, item->path, &io->chain_how, place);
    mark(sqe, slot, ENTRY_OPEN, IOSQE_IO_LINK);
    sqe = io_uring_get_sqe(&io->ring);
    prepare_read(io, sqe, (int)place, item);
    mark(sqe, slot, ENTRY_READ, IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK);
    sqe = io_uring_get_sqe(&io->ring);
    io_uring_prep_close_direct(sqe, place);
    mark(sqe, slot, ENTRY_CLOSE, 0);
    io->slots[slot].entries_out = CHAIN_LENGTH;
    return true;
}

/* Can this ring do what the item asks? */
static bool ring_can(const io_backend *io, const io_read *item)
{
    if (io->dead) {
        return false;
    }
    if (item->op == IO_OP_READ) {
        return !io->iopoll || ((item->flags & IO_READ_DIRECT) && io->files[item->file].polled);
    }
    return io->chains;
}

bool entries_fill(io_backend *io, uint32_t slot)
{
    const io_read *item = &io->slots[slot].item;
    io->slots[slot].entries_out = 0;
    bool filled = ring_can(io, item) && (item->op == IO_OP_READ ? fill_read(io, slot) : fill_chain(io, slot));
    if (!filled && ring_can(io, item)) {
        return false;
    }
    if (!filled) {
        slot_to_reserve(io, slot);
    }
    return true;
}

void slot_to_reserve(io_backend *io, uint32_t slot)
{
    io_read item = io->slots[slot].item;
    item.user_data = slot;
    io->slots[slot].in_reserve = true;
    io->slots[slot].entries_out = 0;
    ++io->reserve_outstanding;
    io_threads_ops.submit(io->reserve, &item, 1, 0);
}

/* ---- Completions ---- */

void slot_end(io_backend *io, uint32_t slot, int32_t result, io_completion *completion)
{
    ring_slot *s = &io->slots[slot];
    ASSERT(slot < io->slot_count && s->busy);
    *completion = (io_completion){ .user_data = s->item.user_data, .result = result };
    s->busy = s->in_reserve = false;
    s->next_free = io->slot_free;
    io->slot_free = slot;
    --io->outstanding;
}

/* The place of a file that the chain has opened but not closed is freed by hand. */
static void chain_clean(io_backend *io, uint32_t slot)
{
    const int32_t *results = io->slots[slot].results;
    if (results[ENTRY_OPEN] >= 0 && results[ENTRY_CLOSE] < 0 && !io->dead) {
        int none = -1;
        io_uring_register_files_update(&io->ring, chain_place(io, slot), &none, 1);
    }
}

/* Answers that say something of this ring rather than of the file: asked of the reserve again, they are the file's. */
static bool is_rings_fault(io_backend *io, const ring_slot *s)
{
    int32_t opened = s->item.op == IO_OP_READ_PATH ? s->results[ENTRY_OPEN] : 0;
    int32_t result = opened < 0 ? opened : s->results[ENTRY_READ];
    if (result == -ECANCELED) {
        return true; /* the kernel's worker was ended under it */
    }
    if (opened == -EINVAL) {
        io->chains = false;
        mode_set(io, LEAT_MODE_LINKS, "openat2 into the ring's table is refused (EINVAL)");
        return true;
    }
    if (io->iopoll && s->item.op == IO_OP_READ && (result == -EOPNOTSUPP || result == -EINVAL)) {
        io->files[s->item.file].polled = false;
        log_line(io->log, LEAT_LOG_INFO, "io_uring: a file's device has no queues to poll; reading it with threads");
        return true;
    }
    /* Descriptors of the chain never block, and some file systems take that for an order. */
    return s->item.op == IO_OP_READ_PATH && result == -EAGAIN;
}

bool entry_completed(io_backend *io, const struct io_uring_cqe *cqe, io_completion *completion)
{
    uint32_t slot = (uint32_t)cqe->user_data;
    ring_entry entry = (ring_entry)(cqe->user_data >> 32);
    ASSERT(slot < io->slot_count && entry < CHAIN_LENGTH);
    ring_slot *s = &io->slots[slot];
    ASSERT(s->busy && s->entries_out > 0);
    s->results[entry] = cqe->res;
    if (--s->entries_out > 0) {
        return false;
    }
    int32_t opened = 0;
    if (s->item.op == IO_OP_READ_PATH) {
        chain_clean(io, slot);
        opened = s->results[ENTRY_OPEN];
    }
    if (is_rings_fault(io, s)) {
        slot_to_reserve(io, slot);
        return false;
    }
    slot_end(io, slot, opened < 0 ? opened : s->results[ENTRY_READ], completion);
    return true;
}

#endif
