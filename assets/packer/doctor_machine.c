/* doctor_machine.c - the kernel, the container, limits and memory: what /proc and /sys tell, and one trial of huge
 * pages.
 *
 * All of it is read, nothing is changed. A file that is not there leaves its fact unknown. */
#include "doctor.h"
#include "base.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define HUGE_TRIAL_BYTES MIB(8)
#define CAPABILITY_IPC_LOCK 14
#define CGROUP_DEPTH_MAX 32u
#define CGROUP_ROOT "/sys/fs/cgroup"

/* The first line of a file without its end. False: there is none. */
static bool line_read(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    bool ok = file != NULL && fgets(line, (int)size, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    if (ok) {
        line[strcspn(line, "\n")] = '\0';
    }
    return ok;
}

static int64_t number_read(const char *path)
{
    char line[64], *end = line;
    if (!line_read(path, line, sizeof(line))) {
        return DOCTOR_UNKNOWN;
    }
    long long number = strtoll(line, &end, 10);
    return end != line ? number : DOCTOR_UNKNOWN;
}

/* "always [madvise] never" -> "madvise" */
static void choice_read(const char *path, char *choice, size_t size)
{
    char line[128];
    choice[0] = '\0';
    if (!line_read(path, line, sizeof(line))) {
        return;
    }
    char *begin = strchr(line, '['), *end = begin != NULL ? strchr(begin, ']') : NULL;
    if (end != NULL) {
        snprintf(choice, size, "%.*s", (int)(end - begin - 1), begin + 1);
    }
}

/* The value of "Key:   123 kB" in a file like /proc/meminfo, by the base; DOCTOR_UNKNOWN if it is not there. */
static int64_t field_read(const char *path, const char *key, int base)
{
    FILE *file = fopen(path, "re");
    char line[256];
    int64_t value = DOCTOR_UNKNOWN;
    while (file != NULL && value == DOCTOR_UNKNOWN && fgets(line, sizeof(line), file) != NULL) {
        size_t size = strlen(key);
        if (strncmp(line, key, size) == 0 && line[size] == ':') {
            value = (int64_t)strtoull(line + size + 1, NULL, base);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return value;
}

/* ---- Containers and their limits ---- */

static void container_look(doctor_machine *m)
{
    char line[512];
    const char *named = getenv("container"); /* set by systemd-nspawn, podman, lxc */
    if (strstr(m->kernel, "microsoft") != NULL || strstr(m->kernel, "WSL") != NULL) {
        snprintf(m->container, sizeof(m->container), "WSL");
    } else if (line_read("/proc/version", line, sizeof(line)) && strstr(line, "gVisor") != NULL) {
        snprintf(m->container, sizeof(m->container), "gVisor");
    } else if (access("/.dockerenv", F_OK) == 0) {
        snprintf(m->container, sizeof(m->container), "Docker (/.dockerenv)");
    } else if (access("/run/.containerenv", F_OK) == 0) {
        snprintf(m->container, sizeof(m->container), "Podman (/run/.containerenv)");
    } else if (getenv("KUBERNETES_SERVICE_HOST") != NULL) {
        snprintf(m->container, sizeof(m->container), "Kubernetes");
    } else if (access("/.flatpak-info", F_OK) == 0) {
        snprintf(m->container, sizeof(m->container), "Flatpak");
    } else if (getenv("SNAP") != NULL) {
        snprintf(m->container, sizeof(m->container), "Snap");
    } else if (named != NULL && named[0] != '\0') {
        snprintf(m->container, sizeof(m->container), "%.40s", named);
    }
}

/* One group's limits; the tightest of all on the way up counts. */
static void cgroup_apply(const char *folder, doctor_machine *m)
{
    char path[640], line[64];
    unsigned long long quota, period;
    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (line_read(path, line, sizeof(line)) && sscanf(line, "%llu %llu", &quota, &period) == 2 && period > 0) {
        double cores = (double)quota / (double)period;
        m->cpu_quota = m->cpu_quota == 0 || cores < m->cpu_quota ? cores : m->cpu_quota;
    }
    static const char *const limits[] = { "memory.max", "memory.high" };
    for (uint32_t i = 0; i < COUNT_OF(limits); ++i) {
        snprintf(path, sizeof(path), "%s/%s", folder, limits[i]);
        int64_t bytes = number_read(path); /* "max" is no number */
        m->memory_limit = bytes >= 0 ? u64_min(m->memory_limit, (uint64_t)bytes) : m->memory_limit;
    }
}

/* Version 1 has a tree for each controller. What is no limit is written as one near 2^63. */
static void cgroup_v1_apply(const char *controller, const char *group, doctor_machine *m)
{
    char path[700];
    snprintf(path, sizeof(path), CGROUP_ROOT "/%.60s%s/cpu.cfs_quota_us", controller, group);
    int64_t quota = number_read(path);
    snprintf(path, sizeof(path), CGROUP_ROOT "/%.60s%s/cpu.cfs_period_us", controller, group);
    int64_t period = number_read(path);
    if (quota > 0 && period > 0) {
        double cores = (double)quota / (double)period;
        m->cpu_quota = m->cpu_quota == 0 || cores < m->cpu_quota ? cores : m->cpu_quota;
    }
    snprintf(path, sizeof(path), CGROUP_ROOT "/%.60s%s/memory.limit_in_bytes", controller, group);
    int64_t bytes = number_read(path);
    if (bytes > 0 && (uint64_t)bytes < m->memory_total) {
        m->memory_limit = u64_min(m->memory_limit, (uint64_t)bytes);
    }
}

/* From the group itself up to the root. */
static void cgroup_v2_walk(const char *group, doctor_machine *m)
{
    char folder[600];
    snprintf(folder, sizeof(folder), CGROUP_ROOT "%.500s", strcmp(group, "/") == 0 ? "" : group);
    for (uint32_t i = 0; i < CGROUP_DEPTH_MAX && strlen(folder) >= strlen(CGROUP_ROOT); ++i) {
        cgroup_apply(folder, m);
        *strrchr(folder, '/') = '\0';
    }
}

/* Lines of "number:controllers:group"; version 2 has no controllers there. */
static void cgroup_look(doctor_machine *m)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) {
            continue;
        }
        *group++ = '\0';
        if (*++controllers == '\0') {
            cgroup_v2_walk(group, m);
        } else {
            cgroup_v1_apply(controllers, strcmp(group, "/") == 0 ? "" : group, m);
            cgroup_v1_apply(controllers, "", m); /* a container sees its own group as the root */
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* ---- Memory ---- */

/* How much of the mapping lies on huge pages, by /proc/self/smaps. */
static uint64_t huge_bytes_of(const void *mapping)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool inside = false;
    uint64_t bytes = 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        unsigned long long begin, end, kib;
        if (isxdigit((unsigned char)line[0]) && sscanf(line, "%llx-%llx ", &begin, &end) == 2) {
            inside = (uintptr_t)mapping >= begin && (uintptr_t)mapping < end;
        } else if (inside && sscanf(line, "AnonHugePages: %llu kB", &kib) == 1) {
            bytes = KIB(kib);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

static void huge_try(doctor_machine *m)
{
    uint64_t mapped = HUGE_TRIAL_BYTES + HUGE_PAGE_SIZE;
    uint8_t *raw = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) {
        return;
    }
    uint8_t *begin = (uint8_t *)align_up((uint64_t)(uintptr_t)raw, HUGE_PAGE_SIZE);
    m->huge_asked = HUGE_TRIAL_BYTES;
    if (madvise(begin, HUGE_TRIAL_BYTES, MADV_HUGEPAGE) == 0) {
        for (uint64_t at = 0; at < HUGE_TRIAL_BYTES; at += KIB(4)) {
            *(volatile uint8_t *)(begin + at) = 0;
        }
        m->huge_got = huge_bytes_of(begin);
    }
    munmap(raw, mapped);
}

static uint64_t limit_bytes(rlim_t limit)
{
    return limit == RLIM_INFINITY ? DOCTOR_UNLIMITED : limit;
}

static void memory_look(doctor_machine *m)
{
    int64_t total = field_read("/proc/meminfo", "MemTotal", 10),
            available = field_read("/proc/meminfo", "MemAvailable", 10);
    m->memory_total = KIB(total > 0 ? total : 0);
    m->memory_available = KIB(available > 0 ? available : 0);
    struct rlimit limit = { 0 };
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        m->memlock_soft = limit_bytes(limit.rlim_cur);
        m->memlock_hard = limit_bytes(limit.rlim_max);
    }
    choice_read("/sys/kernel/mm/transparent_hugepage/enabled", m->huge_mode, sizeof(m->huge_mode));
    choice_read("/sys/kernel/mm/transparent_hugepage/defrag", m->huge_defrag, sizeof(m->huge_defrag));
    m->huge_reserved = number_read("/proc/sys/vm/nr_hugepages");
    m->huge_free = field_read("/proc/meminfo", "HugePages_Free", 10);
    huge_try(m);
}

void doctor_probe_machine(doctor_machine *m)
{
    *m = (doctor_machine){ .memory_limit = DOCTOR_UNLIMITED };
    struct utsname name;
    if (uname(&name) == 0) {
        snprintf(m->kernel, sizeof(m->kernel), "%.70s", name.release);
        snprintf(m->machine, sizeof(m->machine), "%.70s", name.machine);
    }
    m->user = (uint32_t)geteuid();
    int64_t capabilities = field_read("/proc/self/status", "CapEff", 16);
    m->ipc_lock = capabilities != DOCTOR_UNKNOWN && ((uint64_t)capabilities >> CAPABILITY_IPC_LOCK & 1) != 0;
    m->seccomp_mode = (int32_t)field_read("/proc/self/status", "Seccomp", 10);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    m->cpus_online = online > 0 ? (uint32_t)online : 1;
    m->cpus_allowed = sched_getaffinity(0, sizeof(set), &set) == 0 ? (uint32_t)CPU_COUNT(&set) : m->cpus_online;
    container_look(m);
    memory_look(m);
    cgroup_look(m);
}
