/* io_sim.c - a simulated device on a virtual clock: see leat/sim.h.
 *
 * sim_device.c says when a read completes. Completions come in the order of their times; equal times in the order of
 * submission. The bytes are read from the real file when the read completes.
 *
 * Every random draw comes from one generator, in the order of submission, so that one seed is one run. */
#include "io.h"

#include "file.h"
#include "sim_device.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define OUT_BYTE 0xdb

typedef struct sim_read {
    io_read item;
    uint64_t due_ns;
    uint64_t order;
    int32_t fault; /* 0, or -errno */
    uint32_t size_real; /* less than item.size: a short read */
    bool flip, end_of_file;
} sim_read;

struct io_backend {
    memory *memory;
    leat_uring_desc uring; /* what was asked of a ring, for info */
    sim_device device;
    uint64_t order;
    uint32_t capacity;
    sim_read *reads; /* binary heap by due_ns, order */
    uint32_t count;
    uint32_t file_count_max;
    io_file_desc *files;
};

/* ---- The queue of what is under way ---- */

static bool before(const sim_read *a, const sim_read *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_push(io_backend *io, const sim_read *r)
{
    uint32_t i = io->count++;
    while (i > 0 && before(r, &io->reads[(i - 1) / 2])) {
        io->reads[i] = io->reads[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    io->reads[i] = *r;
}

static sim_read heap_pop(io_backend *io)
{
    sim_read best = io->reads[0];
    sim_read last = io->reads[--io->count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= io->count) {
            break;
        }
        child += child + 1 < io->count && before(&io->reads[child + 1], &io->reads[child]);
        if (!before(&io->reads[child], &last)) {
            break;
        }
        io->reads[i] = io->reads[child];
        i = child;
    }
    io->reads[i] = last;
    return best;
}

/* File and offset in one number; of a path, its hash, so that a run does not depend on which number a file got. */
static uint64_t place_of(const io_read *item)
{
    uint64_t file = item->op != IO_OP_READ ? leat_name_hash(item->path, strlen(item->path)) : item->file;
    return file << 48 | item->offset;
}

/* Read number `order` is one of those that the desc names. */
static bool is_named(const leat_sim_desc *d, uint64_t order)
{
    return d->fault_first != 0 && order >= d->fault_first &&
           (d->fault_count == 0 || order - d->fault_first < d->fault_count);
}

static int32_t named_error(leat_sim_fault fault)
{
    return fault == LEAT_SIM_FAULT_EIO      ? -EIO
           : fault == LEAT_SIM_FAULT_EAGAIN ? -EAGAIN
           : fault == LEAT_SIM_FAULT_EINTR  ? -EINTR
                                            : 0;
}

/* The ring is gone: what was not complete by now is served again, in the order of the heap, which is the same for the
 * same seed. */
static void become_serial(io_backend *io, uint64_t now_ns)
{
    if (!sim_device_becomes_serial(&io->device, now_ns)) {
        return;
    }
    uint32_t count = io->count;
    io->count = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sim_read r = io->reads[i]; /* the new heap has i entries, all of them before this one */
        if (r.due_ns > now_ns) {
            r.due_ns = sim_device_due_ns(&io->device, place_of(&r.item), r.item.size, now_ns);
            ++io->device.counts->begun_anew;
        }
        heap_push(io, &r);
    }
}

static uint32_t sim_submit(io_backend *io, const io_read *reads, uint32_t count, uint64_t now_ns)
{
    const leat_sim_desc *d = &io->device.desc;
    uint32_t taken = 0;
    become_serial(io, now_ns);
    for (; taken < count && io->count < io->capacity; ++taken) {
        sim_read r = { .item = reads[taken], .order = ++io->order, .size_real = reads[taken].size };
        r.due_ns = sim_device_due_ns(&io->device, place_of(&r.item), r.item.size, now_ns);
        bool eio = sim_device_happens(&io->device, d->eio_rate),
             eagain = sim_device_happens(&io->device, d->eagain_rate);
        bool eintr = sim_device_happens(&io->device, d->eintr_rate),
             is_short = sim_device_happens(&io->device, d->short_read_rate);
        r.flip = sim_device_happens(&io->device, d->bit_flip_rate);
        r.end_of_file = sim_device_happens(&io->device, d->end_of_file_rate);
        r.fault = d->fail_all || eio ? -EIO : eagain ? -EAGAIN : eintr ? -EINTR : 0;
        uint64_t cut = sim_device_draw(&io->device);
        if (is_named(d, r.order)) {
            r.fault = r.fault != 0 ? r.fault : named_error(d->fault);
            is_short |= d->fault == LEAT_SIM_FAULT_SHORT;
            r.end_of_file |= d->fault == LEAT_SIM_FAULT_END_OF_FILE;
            r.flip |= d->fault == LEAT_SIM_FAULT_BIT_FLIP;
        }
        if (is_short) { /* a device stops at its blocks, a file system anywhere */
            uint64_t unit = r.item.flags & IO_READ_DIRECT ? 512 : 1;
            r.size_real = (uint32_t)u64_max(align_down(cut % r.item.size, unit), u64_min(unit, r.item.size));
        }
        if (d->scribbles) {
            memset(r.item.memory, OUT_BYTE, r.item.size);
        }
        heap_push(io, &r);
    }
    return taken;
}

static void count_answer(leat_sim_counts *counts, const sim_read *r, int32_t result, bool flipped)
{
    ++counts->reads;
    counts->eio += result == -EIO;
    counts->eagain += result == -EAGAIN;
    counts->eintr += result == -EINTR;
    counts->ends_of_file += result == 0;
    counts->short_reads += result > 0 && (uint32_t)result < r->item.size;
    counts->bit_flips += flipped;
}

static int32_t read_bytes(const io_read *item, int fd, uint32_t size)
{
    uint32_t done = 0;
    while (done < size) {
        ssize_t got = file_read_at(fd, (uint8_t *)item->memory + done, size - done, item->offset + done);
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        done += (uint32_t)got;
    }
    return (int32_t)done;
}

static io_completion perform(io_backend *io, const sim_read *r)
{
    io_completion done = { .user_data = r->item.user_data };
    bool by_path = r->item.op == IO_OP_READ_PATH;
    int fd = by_path ? file_open_beneath(r->item.folder_fd, r->item.path) : io->files[r->item.file].fd_buffered;
    if (by_path && fd < 0) {
        done.result = fd;
        return done;
    }
    if (r->fault != 0) {
        done.result = r->fault;
    } else if (!r->end_of_file) {
        done.result = read_bytes(&r->item, fd, r->size_real);
    }
    bool flipped = r->flip && done.result > 0;
    count_answer(io->device.counts, r, done.result, flipped);
    if (flipped) {
        uint64_t bit = sim_device_draw(&io->device) % ((uint64_t)done.result * 8);
        ((uint8_t *)r->item.memory)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    if (by_path) {
        close(fd);
    }
    return done;
}

static uint32_t sim_reap(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns)
{
    uint32_t taken = 0;
    become_serial(io, now_ns);
    while (taken < count && io->count > 0 && io->reads[0].due_ns <= now_ns) {
        sim_read r = heap_pop(io);
        completions[taken++] = perform(io, &r);
    }
    return taken;
}

static uint64_t sim_next_completion_ns(const io_backend *io)
{
    return io->count > 0 ? io->reads[0].due_ns : IO_WAIT_FOREVER;
}

/* ---- The rest of the table ---- */

static void sim_close(io_backend *io)
{
    memory *m = io->memory;
    memory_free(m, io->files, io->file_count_max, sizeof(*io->files));
    memory_free(m, io->reads, io->capacity, sizeof(*io->reads));
    memory_free(m, io, 1, sizeof(*io));
}

static leat_result sim_open(const io_desc *desc, io_backend **out, leat_error *error)
{
    *out = NULL;
    if (!desc->desc->stepped) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0,
                         "the simulated device needs leat_desc.stepped: its time is virtual");
    }
    memory *m = desc->memory;
    io_backend *io = memory_allocate(m, 1, sizeof(*io), CACHE_LINE_SIZE);
    if (io == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for the simulated device");
    }
    io->memory = m;
    io->uring = desc->desc->uring;
    leat_sim_desc none = { 0 };
    sim_device_init(&io->device, desc->desc->sim != NULL ? desc->desc->sim : &none);
    io->capacity = desc->read_count_max;
    io->file_count_max = desc->file_count_max;
    io->reads = memory_allocate(m, io->capacity, sizeof(*io->reads), CACHE_LINE_SIZE);
    io->files = memory_allocate(m, io->file_count_max, sizeof(*io->files), CACHE_LINE_SIZE);
    if (io->reads == NULL || io->files == NULL) {
        sim_close(io);
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for the simulated device");
    }
    for (uint32_t i = 0; i < io->file_count_max; ++i) {
        io->files[i].fd_buffered = -1;
    }
    *out = io;
    return LEAT_OK;
}

static uint32_t sim_file_add(io_backend *io, const io_file_desc *file)
{
    for (uint32_t i = 0; i < io->file_count_max; ++i) {
        if (io->files[i].fd_buffered < 0) {
            io->files[i] = *file;
            return i;
        }
    }
    return IO_FILE_NONE;
}

static void sim_file_remove(io_backend *io, uint32_t file)
{
    io->files[file].fd_buffered = -1;
}

static void sim_nap(io_backend *io)
{
    (void)io;
}

static void sim_wait(io_backend *io, uint64_t deadline_ns)
{
    (void)io;
    (void)deadline_ns; /* a stepped streamer moves its own clock */
}

static void sim_gather(io_backend *io, uint64_t deadline_ns, uint64_t gather_ns)
{
    (void)gather_ns;
    sim_wait(io, deadline_ns);
}

static bool sim_wake(io_backend *io)
{
    (void)io;
    return true;
}

static void sim_stats(const io_backend *io, io_stats *stats)
{
    (void)io;
    *stats = (io_stats){ 0 };
}

static void sim_info(const io_backend *io, leat_info *info)
{
    info->backend = LEAT_BACKEND_SIM;
    io_no_ring(info, &io->uring, "the device is simulated");
}

const io_ops io_sim_ops = {
    .open = sim_open,
    .file_add = sim_file_add,
    .file_remove = sim_file_remove,
    .submit = sim_submit,
    .reap = sim_reap,
    .wait = sim_wait,
    .gather = sim_gather,
    .nap = sim_nap,
    .wake = sim_wake,
    .next_completion_ns = sim_next_completion_ns,
    .stats = sim_stats,
    .info = sim_info,
    .close = sim_close,
};
