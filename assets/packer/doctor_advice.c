/* doctor_advice.c - what the facts mean: which path is taken, and what to change, the largest gain first. Pure.
 *
 * Gains with a figure were measured while Leat was designed, on a virtual disk with two cores; others say what kind it
 * is. */
#include "doctor.h"
#include "base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KERNEL_TEXT "Linux 5.6 or later has all that Leat needs, 6.1 what makes it cheapest"

const char *const doctor_verdict_names[DOCTOR_VERDICT_COUNT] = { "fast", "reduced", "slow", "broken", "unknown" };

static bool past_the_cache(const doctor_facts *f)
{
    return f->path.in_memory || doctor_works(f->path.direct);
}

doctor_verdict doctor_judge(const doctor_facts *f, char *why, uint32_t why_size)
{
    const doctor_leat *l = &f->leat;
    const char *text = "io_uring, registered memory, reads past the page cache";
    doctor_verdict verdict = DOCTOR_FAST;
    if (!l->created || l->failure[0] != '\0' || f->path.fd < 0) {
        text = !l->created ? l->error.text : l->failure[0] != '\0' ? l->failure : f->path.trial_error;
        bool nothing = l->created && l->failure[0] == '\0' && f->path.kind == DOCTOR_FOLDER;
        verdict = nothing ? DOCTOR_UNTRIED : DOCTOR_BROKEN;
    } else if (l->info.backend != LEAT_BACKEND_URING) {
        text = l->info.backend_text;
        verdict = DOCTOR_SLOW;
    } else if (!past_the_cache(f)) {
        text = "io_uring, but through the page cache: this file system takes no direct reads";
        verdict = DOCTOR_REDUCED;
    } else if (!l->info.fixed_buffers) {
        text = "io_uring, but no memory can be registered: the kernel pins it anew for each read";
        verdict = DOCTOR_REDUCED;
    } else if (f->machine.huge_got == 0) {
        text = "io_uring, but on small pages";
        verdict = DOCTOR_REDUCED;
    } else if (f->path.in_memory) {
        text = "io_uring and registered memory; the file system is in memory, so there is no device to wait for";
    }
    snprintf(why, why_size, "%s", text);
    return verdict;
}

/* ---- Advice ---- */

typedef struct advice_list {
    doctor_advice *items;
    uint32_t count;
} advice_list;

static doctor_advice *add(advice_list *list, const char *key, const char *gain, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static doctor_advice *add(advice_list *list, const char *key, const char *gain, const char *format, ...)
{
    doctor_advice *a = &list->items[list->count < DOCTOR_ADVICE_MAX - 1 ? list->count++ : DOCTOR_ADVICE_MAX - 1];
    *a = (doctor_advice){ .key = key };
    snprintf(a->gain, sizeof(a->gain), "%s", gain);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(a->what, sizeof(a->what), format, arguments);
    va_end(arguments);
    return a;
}

static void command(doctor_advice *a, uint32_t position, const char *text)
{
    snprintf(a->commands[position], sizeof(a->commands[position]), "%s", text);
}

static void advise_forbidden(const doctor_facts *f, advice_list *list)
{
    static const char gain[] = "half the CPU time of reading; 1.9 times the speed of small reads";
    doctor_advice *a;
    if (f->uring.disabled > 0) {
        a = add(list, "io_uring_disabled", gain, "kernel.io_uring_disabled is %d: %s", f->uring.disabled,
                f->uring.disabled == 1 ? "only root and the group kernel.io_uring_group may" : "nobody may");
        command(a, 0, "sudo sysctl -w kernel.io_uring_disabled=0");
        command(a, 1, "echo kernel.io_uring_disabled=0 | sudo tee /etc/sysctl.d/60-io_uring.conf");
        return;
    }
    a = add(list, "seccomp", gain,
            f->machine.seccomp_mode == 2 ? "a seccomp filter forbids io_uring%s%s"
                                         : "io_uring is forbidden, though no seccomp filter is to be seen here%s%s",
            f->machine.container[0] != '\0' ? ": " : "", f->machine.container);
    command(a, 0,
            "docker run --security-opt seccomp=PROFILE.json ...  # Docker's, plus io_uring_setup, _enter, _register");
    command(a, 1, "docker run --security-opt seccomp=unconfined ...    # or without any filter");
    command(a, 2,
            "systemd: SystemCallFilter=@system-service @io-event io_uring_setup io_uring_enter io_uring_register");
}

static void advise_ring(const doctor_facts *f, advice_list *list)
{
    static const char gain[] = "half the CPU time of reading; 1.9 times the speed of small reads";
    int error = f->uring.setup.error;
    bool filtered = f->machine.seccomp_mode == 2;
    doctor_advice *a;
    if (error == EPERM || (error == ENOSYS && filtered)) {
        advise_forbidden(f, list);
    } else if (error == ENOSYS) {
        add(list, "kernel", gain, "kernel %s has no io_uring (or it was left out); " KERNEL_TEXT, f->machine.kernel);
    } else if (error == EACCES) {
        a = add(list, "security_module", gain,
                "a security module (SELinux, AppArmor) forbids io_uring; its log says which rule");
        command(a, 0, "sudo journalctl -k -g 'avc|apparmor' --since -5min");
    } else if (error == 0 && f->leat.created && f->leat.info.backend == LEAT_BACKEND_THREADS) {
        a = add(list, "build", gain,
                "this kernel has io_uring, this build of Leat has not: it was built without liburing");
        command(a, 0, "sudo apt-get install liburing-dev && cmake --build build --clean-first");
    }
}

/* What is no disk of its own: its host, or the device below, knows better than the flag. */
static bool turns(const doctor_device *d)
{
    static const char *const virtual_names[] = { "vd", "xvd", "loop", "zram", "ram", "nbd" };
    bool virtual = false;
    for (uint32_t i = 0; i < COUNT_OF(virtual_names); ++i) {
        virtual |= strncmp(d->name, virtual_names[i], strlen(virtual_names[i])) == 0;
    }
    return d->rotational == 1 && !virtual;
}

static void advise_place(const doctor_facts *f, advice_list *list)
{
    const doctor_path *p = &f->path;
    doctor_advice *a;
    if (p->network || strncmp(p->type, "fuse", 4) == 0) {
        add(list, "file_system", "no round trip per read", "%s is %s: keep packs on a local disk (ext4, xfs)", p->path,
            p->network ? "on the network" : "served by a process (FUSE)");
    } else if (p->compressed && strcmp(p->type, "btrfs") == 0) {
        a = add(list, "compression", "twice the speed of what is not cached",
                "what btrfs has compressed is not read directly, and packs are compressed already; write them again "
                "after");
        command(a, 0, "chattr +m FOLDER            # or: btrfs property set FOLDER compression none");
        command(a, 1, "cp --reflink=never OLD NEW  # what was compressed stays so until it is written again");
    } else if (p->direct.tried && !doctor_works(p->direct) && !p->in_memory) {
        add(list, "direct", "twice the speed of what is not cached",
            "no direct reads on %s: keep packs on ext4, xfs or btrfs without compression",
            p->type[0] != '\0' ? p->type : "this file system");
    }
    if (turns(&p->device)) {
        add(list, "rotational", "no seek for each read", "%s turns: keep packs on an SSD", p->device.name);
    }
}

static void advise_huge(const doctor_facts *f, advice_list *list)
{
    const doctor_machine *m = &f->machine;
    if (m->huge_got >= m->huge_asked && m->huge_asked > 0) {
        return;
    }
    doctor_advice *a = add(list, "huge_pages", "twice the speed of large direct reads, a sixth of their CPU time",
                           m->huge_mode[0] == '\0' ? "this kernel has no transparent huge pages"
                           : strcmp(m->huge_mode, "never") == 0
                               ? "transparent huge pages are switched off"
                               : "huge pages were granted in part only: memory is fragmented or short");
    if (strcmp(m->huge_mode, "never") == 0) {
        command(a, 0, "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
        command(a, 1, "kernel command line: transparent_hugepage=madvise   # for good");
    } else if (m->huge_mode[0] != '\0') {
        command(a, 0, "echo 1 | sudo tee /proc/sys/vm/compact_memory");
    }
}

static void advise_memlock(const doctor_facts *f, advice_list *list)
{
    const doctor_uring *u = &f->uring;
    bool short_of = u->fixed_buffers.tried && u->fixed_bytes < u->fixed_bytes_wanted;
    if (u->setup.error != ENOMEM && !short_of) {
        return;
    }
    doctor_advice *a =
        add(list, "memlock", "no pinning of memory for each read",
            "RLIMIT_MEMLOCK lets %llu of %llu KiB of Leat's pool be registered; log in again after",
            (unsigned long long)(u->fixed_bytes >> 10), (unsigned long long)(u->fixed_bytes_wanted >> 10));
    command(a, 0, "printf '* - memlock 131072\\n' | sudo tee /etc/security/limits.d/leat.conf   # KiB");
    command(a, 1, "systemd: LimitMEMLOCK=128M    # in the unit's [Service]");
    command(a, 2, "docker run --ulimit memlock=134217728 ...");
}

static void advise_kernel(const doctor_facts *f, advice_list *list)
{
    bool defers = false;
    for (uint32_t i = 0; i < DOCTOR_FLAG_COUNT; ++i) {
        defers |= strcmp(doctor_flag_names[i], "defer_taskrun") == 0 && doctor_works(f->uring.flags[i]);
    }
    if (doctor_works(f->uring.setup) && !defers) {
        add(list, "kernel", "no interruptions of the I/O thread", "kernel %s has no DEFER_TASKRUN: use 6.1 or later",
            f->machine.kernel);
    }
    if (f->path.cachestat.tried && f->path.cachestat.error == ENOSYS && f->machine.seccomp_mode != 2) {
        add(list, "cachestat", "what is cached is known without trying", "kernel %s has no cachestat: use 6.5 or later",
            f->machine.kernel);
    }
}

static void advise_limits(const doctor_facts *f, advice_list *list)
{
    const doctor_machine *m = &f->machine;
    if (m->cpu_quota > 0 && m->cpu_quota < 1.5) {
        doctor_advice *a = add(list, "cpu", "decoding beside the game",
                               "the container may use %.2f cores: decoding and the game share them", m->cpu_quota);
        command(a, 0, "docker run --cpus 4 ...    # systemd: CPUQuota=400%");
    }
    if (m->memory_limit < MIB(320)) {
        add(list, "memory", "no reclaim while streaming",
            "the container may use %llu MiB of memory, Leat takes 160 by default: lower leat_desc.memory_bytes_max",
            (unsigned long long)(m->memory_limit >> 20));
    }
}

static void advise_device(const doctor_facts *f, advice_list *list)
{
    const doctor_device *d = &f->path.device;
    char line[160];
    if (d->found && d->scheduler[0] != '\0' && strcmp(d->scheduler, "none") != 0 && !turns(d)) {
        doctor_advice *a = add(list, "scheduler", "a little CPU time per read (measure it: leat-bench methods)",
                               "%s is scheduled by %s; Leat orders its reads itself", d->name, d->scheduler);
        snprintf(line, sizeof(line), "echo none | sudo tee /sys/block/%.60s/queue/scheduler", d->name);
        command(a, 0, line);
    }
    if (d->found && d->poll == 0 && strncmp(d->name, "nvme", 4) == 0) {
        doctor_advice *a =
            add(list, "poll_queues", "a few microseconds per small read, for a core that polls; off in Leat by default",
                "%s has no poll queues", d->name);
        command(a, 0, "echo options nvme poll_queues=2 | sudo tee /etc/modprobe.d/nvme-poll.conf   # and start anew");
    }
}

uint32_t doctor_advise(const doctor_facts *f, doctor_advice advice[DOCTOR_ADVICE_MAX])
{
    advice_list list = { .items = advice };
    advise_place(f, &list);
    advise_huge(f, &list);
    advise_ring(f, &list);
    advise_memlock(f, &list);
    advise_kernel(f, &list);
    advise_limits(f, &list);
    advise_device(f, &list);
    return list.count;
}
