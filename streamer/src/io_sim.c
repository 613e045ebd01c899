/* io_sim.c - a simulated device on a virtual clock: see leat/sim.h.
 *
 * The device has channels that serve one read each. A read waits for the channel that is free first, pays its latency
 * there (and a seek, if it does not follow the last read), and then its share of the bandwidth, which all channels have
 * together: the transfers go one after the other over one bus. Completions come in the order of their times; equal
 * times in the order of submission. The bytes are read from the real file when the read completes.
 *
 * Every random draw comes from one generator, in the order of submission, so that one seed is one run. */
#include "io.h"

#include <leat/sim.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL_COUNT_MAX 64u
#define SPIKE_FACTOR 50u

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
    leat_sim_desc desc;
    uint64_t random;
    uint64_t channels[CHANNEL_COUNT_MAX]; /* when each is free */
    uint64_t bus_free_ns;
    uint64_t begin_ns; /* of the device's life: the first submit */
    uint64_t order;
    uint64_t last_end; /* of the last read, for seeks: file and offset */
    uint32_t capacity;
    sim_read *reads; /* binary heap by due_ns, order */
    uint32_t count;
    uint32_t file_count_max;
    io_file_desc *files;
};

static uint64_t draw(io_backend *io)
{
    uint64_t z = (io->random += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool happens(io_backend *io, uint32_t rate_per_mille)
{
    return draw(io) % 1000 < rate_per_mille;
}

leat_sim_desc leat_sim_preset(const char *name)
{
    static const struct {
        const char *name;
        leat_sim_desc desc;
    } presets[] = {
        { "sd", { .latency_ns = 5000000, .bytes_per_second = 20000000, .channel_count = 1 } },
        { "hdd",
          { .latency_ns = 500000,
            .bytes_per_second = 160000000,
            .channel_count = 1,
            .seek_ns = 8000000,
            .jitter_per_mille = 500 } },
        { "sata",
          { .latency_ns = 100000, .bytes_per_second = 500000000, .channel_count = 4, .jitter_per_mille = 100 } },
        { "nvme",
          { .latency_ns = 80000, .bytes_per_second = 3500000000, .channel_count = 8, .jitter_per_mille = 100 } },
        { "nvme7",
          { .latency_ns = 80000, .bytes_per_second = 7000000000, .channel_count = 16, .jitter_per_mille = 100 } },
        { "stall", { .stall_at_ns = 1000000000, .stall_ns = 2000000000, .jitter_per_mille = 100 } },
        { "halve", { .halve_at_ns = 1000000000, .jitter_per_mille = 100 } },
    };
    for (size_t i = 0; i < COUNT_OF(presets); ++i) {
        if (strcmp(presets[i].name, name) == 0) {
            return presets[i].desc;
        }
    }
    return (leat_sim_desc){ 0 };
}

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

/* ---- The device ---- */

/* Nothing happens during the stall: what would begin or end within it does so after it. */
static uint64_t after_stall(const io_backend *io, uint64_t time_ns)
{
    uint64_t begin_ns = io->begin_ns + io->desc.stall_at_ns;
    bool stalled = io->desc.stall_at_ns != 0 && time_ns >= begin_ns && time_ns < begin_ns + io->desc.stall_ns;
    return stalled ? begin_ns + io->desc.stall_ns : time_ns;
}

static uint64_t transfer_ns(const io_backend *io, uint64_t size, uint64_t at_ns)
{
    uint64_t rate = io->desc.bytes_per_second;
    if (io->desc.halve_at_ns != 0 && at_ns >= io->begin_ns + io->desc.halve_at_ns) {
        rate = u64_max(rate / 2, 1);
    }
    return size * NS_PER_S / rate;
}

static uint64_t due_time(io_backend *io, const io_read *item, uint64_t now_ns)
{
    const leat_sim_desc *d = &io->desc;
    uint32_t channel = 0;
    for (uint32_t i = 1; i < d->channel_count; ++i) {
        channel = io->channels[i] < io->channels[channel] ? i : channel;
    }
    uint64_t latency_ns = d->latency_ns;
    uint64_t jitter = draw(io) % 1001; /* drawn in any case: the sequence must not depend on the settings */
    latency_ns += latency_ns * d->jitter_per_mille / 1000 * jitter / 1000;
    latency_ns *= happens(io, d->spike_rate) ? SPIKE_FACTOR : 1;
    uint64_t place = (uint64_t)item->file << 48 | item->offset;
    latency_ns += place == io->last_end ? 0 : d->seek_ns;
    io->last_end = place + item->size;
    uint64_t begin_ns = after_stall(io, u64_max(now_ns, io->channels[channel]));
    uint64_t bus_ns = after_stall(io, u64_max(begin_ns + latency_ns, io->bus_free_ns));
    uint64_t due_ns = after_stall(io, bus_ns + transfer_ns(io, item->size, bus_ns));
    io->bus_free_ns = due_ns;
    io->channels[channel] = due_ns;
    return due_ns;
}

static uint32_t sim_submit(io_backend *io, const io_read *reads, uint32_t count, uint64_t now_ns)
{
    if (io->order == 0) {
        io->begin_ns = now_ns;
    }
    uint32_t taken = 0;
    for (; taken < count && io->count < io->capacity; ++taken) {
        sim_read r = { .item = reads[taken], .order = ++io->order, .size_real = reads[taken].size };
        r.due_ns = due_time(io, &r.item, now_ns);
        bool eio = happens(io, io->desc.eio_rate), eagain = happens(io, io->desc.eagain_rate);
        bool eintr = happens(io, io->desc.eintr_rate), is_short = happens(io, io->desc.short_read_rate);
        r.flip = happens(io, io->desc.bit_flip_rate);
        r.end_of_file = happens(io, io->desc.end_of_file_rate);
        r.fault = io->desc.fail_all || eio ? -EIO : eagain ? -EAGAIN : eintr ? -EINTR : 0;
        uint64_t cut = draw(io);
        if (is_short) { /* a device stops at its blocks, a file system anywhere */
            uint64_t unit = r.item.flags & IO_READ_DIRECT ? 512 : 1;
            r.size_real = (uint32_t)u64_max(align_down(cut % r.item.size, unit), u64_min(unit, r.item.size));
        }
        heap_push(io, &r);
    }
    return taken;
}

static int32_t perform(io_backend *io, const sim_read *r)
{
    if (r->fault != 0) {
        return r->fault;
    }
    if (r->end_of_file) {
        return 0;
    }
    uint32_t done = 0;
    while (done < r->size_real) {
        ssize_t got = pread(io->files[r->item.file].fd_buffered, (uint8_t *)r->item.memory + done, r->size_real - done,
                            (off_t)(r->item.offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        done += (uint32_t)got;
    }
    if (r->flip && done > 0) {
        uint64_t bit = draw(io) % ((uint64_t)done * 8);
        ((uint8_t *)r->item.memory)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    return (int32_t)done;
}

static uint32_t sim_reap(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns)
{
    uint32_t taken = 0;
    while (taken < count && io->count > 0 && io->reads[0].due_ns <= now_ns) {
        sim_read r = heap_pop(io);
        completions[taken++] = (io_completion){ .user_data = r.item.user_data, .result = perform(io, &r) };
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
    io->desc = desc->desc->sim != NULL ? *desc->desc->sim : (leat_sim_desc){ 0 };
    leat_sim_desc *d = &io->desc;
    d->latency_ns = d->latency_ns == 0 ? 80 * NS_PER_US : d->latency_ns;
    d->bytes_per_second = d->bytes_per_second == 0 ? UINT64_C(3500000000) : d->bytes_per_second;
    d->channel_count = d->channel_count == 0 ? 8 : u32_min(d->channel_count, CHANNEL_COUNT_MAX);
    io->random = d->seed;
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

static void sim_wait(io_backend *io, uint64_t deadline_ns)
{
    (void)io;
    (void)deadline_ns; /* a stepped streamer moves its own clock */
}

static void sim_wake(io_backend *io)
{
    (void)io;
}

static void sim_stats(const io_backend *io, io_stats *stats)
{
    (void)io;
    *stats = (io_stats){ 0 };
}

static void sim_info(const io_backend *io, leat_info *info)
{
    (void)io;
    info->fixed_buffers = info->fixed_files = info->sqpoll = info->iopoll = info->defer_taskrun = false;
}

const io_ops io_sim_ops = {
    .open = sim_open,
    .file_add = sim_file_add,
    .file_remove = sim_file_remove,
    .submit = sim_submit,
    .reap = sim_reap,
    .wait = sim_wait,
    .wake = sim_wake,
    .next_completion_ns = sim_next_completion_ns,
    .stats = sim_stats,
    .info = sim_info,
    .close = sim_close,
};
