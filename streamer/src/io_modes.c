/* io_modes.c - the modes of io_uring by name, and what backends have in common. Pure. */
#include "io.h"

#include <stdio.h>
#include <string.h>

typedef struct mode_row {
    const char *name;
    size_t field; /* of the switch in leat_uring_desc */
    bool by_default;
    const char *fallback;
} mode_row;

#define ROW(mode, text, member, on, fallback_text)                                                                     \
    [LEAT_MODE_##mode] = {                                                                                             \
        .name = (text), .field = offsetof(leat_uring_desc, member), .by_default = (on), .fallback = (fallback_text)    \
    }

static const mode_row rows[LEAT_MODE_COUNT] = {
    ROW(BATCH, "batch", batch, true, "one system call for each read"),
    ROW(FIXED_BUFFERS, "fixed_buffers", fixed_buffers, true, "pages are mapped for each read"),
    ROW(FIXED_FILES, "fixed_files", fixed_files, true, "descriptors are looked up for each read"),
    ROW(DIRECT_DESCRIPTORS, "direct_descriptors", direct_descriptors, true,
        "loose files by open, pread and close of a thread"),
    ROW(LINKS, "links", links, true, "loose files by open, pread and close of a thread"),
    ROW(DEFER_TASKRUN, "defer_taskrun", defer_taskrun, true, "coop_taskrun"),
    ROW(COOP_TASKRUN, "coop_taskrun", coop_taskrun, true, "completions interrupt the thread"),
    ROW(SQPOLL, "sqpoll", sqpoll, false, "the I/O thread submits"),
    ROW(IOPOLL, "iopoll", iopoll, false, "completions by interrupt"),
    ROW(MULTISHOT_POLL, "multishot_poll", multishot_poll, true, "a poll that is armed again after each wake"),
    ROW(OPENAT2, "openat2", openat2, true, "loose files by open, pread and close of a thread"),
    ROW(CLOSE, "close", close, true, "loose files by open, pread and close of a thread"),
    ROW(FADVISE, "fadvise", fadvise, false, "the kernel's read-ahead"),
    ROW(TIMEOUTS, "timeouts", timeouts, true, "a timeout entry goes along with each wait"),
    ROW(MIN_WAIT, "min_wait", min_wait, true, "batch_wait_us by a timeout"),
    ROW(WORKER_LIMIT, "worker_limit", worker_limit, true, "the kernel's limit of worker threads"),
    ROW(DONT_CACHE, "dont_cache", dont_cache, false, "buffered reads stay in the page cache"),
};

const char *leat_mode_text(leat_mode mode)
{
    return (uint32_t)mode < LEAT_MODE_COUNT ? rows[mode].name : "?";
}

const char *leat_mode_fallback_text(leat_mode mode)
{
    return (uint32_t)mode < LEAT_MODE_COUNT ? rows[mode].fallback : "?";
}

leat_switch *io_mode_switch(leat_uring_desc *desc, leat_mode mode)
{
    return (leat_switch *)(void *)((char *)desc + rows[mode].field);
}

leat_switch io_mode_get(const leat_uring_desc *desc, leat_mode mode)
{
    leat_switch value;
    memcpy(&value, (const char *)desc + rows[mode].field, sizeof(value));
    return value;
}

bool io_mode_asked(const leat_uring_desc *desc, leat_mode mode)
{
    leat_switch value = io_mode_get(desc, mode);
    return value == LEAT_DEFAULT ? rows[mode].by_default : value == LEAT_ON;
}

void io_no_ring(leat_info *info, const leat_uring_desc *desc, const char *why)
{
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        info->modes[i] = (leat_mode_info){ .asked = io_mode_asked(desc, (leat_mode)i) };
        snprintf(info->modes[i].why, sizeof(info->modes[i].why), "%s", why);
    }
    info->uring_features = info->uring_setup_flags = 0;
    info->uring_entries = info->uring_completion_entries = 0;
    info->fixed_bytes = 0;
    info->fixed_buffers = info->fixed_files = info->sqpoll = info->iopoll = info->defer_taskrun = false;
}
