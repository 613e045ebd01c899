/* doctor.h - what `leat doctor` found out, and the steps that find it, judge it and tell it.
 *
 *     doctor_machine.c  the kernel, the container, limits, memory           \
 *     doctor_uring.c    io_uring: each flag, registration and mode, tried    |
 *     doctor_file.c     the path: its file system, ways to read              |  facts
 *     doctor_device.c   the device behind it                                 |
 *     doctor_leat.c     a streamer on it, and a read through it             /
 *     doctor_advice.c   facts -> the path that is taken, and what to change (pure)
 *     doctor_report.c   facts -> rows -> text or JSON
 *
 * Probes only fill facts; nothing but doctor_report.c prints. Nothing needs a privilege. What a probe could not try is
 * "not tried", never "no". One thread. */
#ifndef LEAT_PACKER_DOCTOR_H
#define LEAT_PACKER_DOCTOR_H

#include <leat/leat.h>

#include <stdbool.h>
#include <stdint.h>

/* Something that was tried. */
typedef struct doctor_try {
    bool tried;
    int32_t error; /* errno; 0: it works */
} doctor_try;

static inline doctor_try doctor_tried(int error)
{
    return (doctor_try){ .tried = true, .error = error };
}
static inline bool doctor_works(doctor_try t)
{
    return t.tried && t.error == 0;
}

#define DOCTOR_UNLIMITED UINT64_MAX
#define DOCTOR_UNKNOWN (-1) /* of numbers that the kernel may not tell */

typedef struct doctor_machine {
    char kernel[72], machine[72];
    char container[48]; /* what tells of one; "": nothing does */
    uint32_t user;
    bool ipc_lock; /* CAP_IPC_LOCK: RLIMIT_MEMLOCK does not count */
    int32_t seccomp_mode; /* 0 none, 1 strict, 2 filter */
    uint32_t cpus_online, cpus_allowed;
    double cpu_quota; /* cores' worth by cgroup; 0: no limit */
    uint64_t memory_total, memory_available, memory_limit; /* bytes; limit by cgroup, DOCTOR_UNLIMITED */
    uint64_t memlock_soft, memlock_hard; /* bytes, DOCTOR_UNLIMITED */
    char huge_mode[16], huge_defrag[16]; /* always, madvise, never; "": the kernel has none */
    int64_t huge_reserved, huge_free; /* pages of hugetlbfs */
    uint64_t huge_asked, huge_got; /* bytes of a trial with MADV_HUGEPAGE */
} doctor_machine;

#define DOCTOR_FLAG_COUNT 11u
#define DOCTOR_OPCODE_COUNT 12u

typedef struct doctor_uring {
    doctor_try setup; /* a ring at all */
    int32_t disabled; /* kernel.io_uring_disabled; DOCTOR_UNKNOWN where there is no such sysctl */
    uint32_t features; /* IORING_FEAT_* */
    doctor_try flags[DOCTOR_FLAG_COUNT]; /* by doctor_flag_names */
    doctor_try probe; /* of opcodes */
    bool opcodes[DOCTOR_OPCODE_COUNT]; /* by doctor_opcode_names */
    uint32_t opcode_count; /* that the kernel supports, of all */
    doctor_try fixed_buffers;
    uint64_t fixed_bytes, fixed_bytes_wanted; /* registered, of the pool that Leat has by default */
    doctor_try fixed_files, direct_descriptors, worker_limit, multishot_poll;
    doctor_try sqpoll; /* a read through it */
} doctor_uring;

extern const char *const doctor_flag_names[DOCTOR_FLAG_COUNT]; /* lower case, as in JSON */
extern const char *const doctor_opcode_names[DOCTOR_OPCODE_COUNT];
extern const char *const doctor_feature_names[]; /* by bit; NULL ends */

typedef enum doctor_kind { DOCTOR_PACK = 0, DOCTOR_FILE, DOCTOR_FOLDER } doctor_kind;

typedef struct doctor_device {
    bool found;
    char name[64]; /* of the whole disk: vda, nvme0n1, dm-0 */
    char below[128]; /* for dm and md: what it is made of */
    char scheduler[32];
    int64_t rotational, poll, request_count, read_ahead_kib, sector_bytes, poll_queues; /* DOCTOR_UNKNOWN */
} doctor_device;

typedef struct doctor_path {
    const char *path;
    doctor_kind kind;
    int fd; /* what the trials read; -1: nothing could be read */
    char trial[64]; /* how it was got, for people: "the file itself", "a temporary file", a name in the folder */
    char trial_error[160]; /* why there is none */
    char trial_pack[64]; /* a path to open a trial pack by; "": none. Held by pack_fd */
    int pack_fd;
    uint64_t size;
    char type[32], source[128], options[256];
    bool read_only, in_memory, network, compressed; /* compressed: by the mount or by the file's flag */
    doctor_try direct; /* O_DIRECT, a block equal to the buffered one */
    int64_t direct_memory_align, direct_offset_align; /* statx; DOCTOR_UNKNOWN */
    doctor_try cachestat, nowait, dontcache;
    doctor_try uring_read, uring_fixed, iopoll; /* reads of this file through a ring; iopoll: polled */
    doctor_device device;
} doctor_path;

#define DOCTOR_LOG_LINES_MAX 12u

typedef struct doctor_leat {
    bool created;
    leat_error error;
    leat_info info;
    bool read_tried;
    bool direct; /* the pack has an O_DIRECT descriptor */
    uint64_t read_bytes, read_ns;
    uint64_t reads, reads_cached, io_calls;
    char failure[256]; /* of the read; "": none */
    char log[DOCTOR_LOG_LINES_MAX][200]; /* what the streamer said while it was made: each step back */
    uint32_t log_count;
} doctor_leat;

typedef struct doctor_facts {
    doctor_machine machine;
    doctor_uring uring;
    doctor_path path;
    doctor_leat leat;
} doctor_facts;

/* ---- Probes ---- */
void doctor_probe_machine(doctor_machine *m);
/* Raises the soft limit on locked memory to the hard one first, as Leat does. */
void doctor_probe_uring(doctor_uring *u);
/* False: the path is not there or of no kind that holds assets; error says it. Opens; doctor_path_close closes. */
bool doctor_probe_path(const char *path, bool ring, doctor_path *p, leat_error *error);
void doctor_path_close(doctor_path *p);
void doctor_probe_device(int fd, const char *source, doctor_device *d);
void doctor_probe_leat(const doctor_path *p, doctor_leat *l);

/* A pack of one stored asset of random bytes, made in memory; malloc'ed. NULL: no memory. */
uint8_t *doctor_trial_pack(uint64_t *size);

/* ---- Judgement (pure) ---- */
typedef enum doctor_verdict {
    DOCTOR_FAST = 0, /* a ring, registered memory, reads past the page cache (or a file system in memory) */
    DOCTOR_REDUCED, /* a ring, but without one of these */
    DOCTOR_SLOW, /* threads */
    DOCTOR_BROKEN, /* it could not be read */
    DOCTOR_UNTRIED, /* a folder in which there is nothing to read, and nothing can be written */
    DOCTOR_VERDICT_COUNT
} doctor_verdict;
extern const char *const doctor_verdict_names[DOCTOR_VERDICT_COUNT];

typedef struct doctor_advice {
    const char *key; /* stable, for JSON */
    char gain[120]; /* what it brings */
    char what[160]; /* what is wrong, and what to do */
    char commands[3][160]; /* exact, to be typed or put into a file; "": none */
} doctor_advice;
#define DOCTOR_ADVICE_MAX 12u

doctor_verdict doctor_judge(const doctor_facts *f, char *why, uint32_t why_size);
/* Ordered by gain; returns how many. */
uint32_t doctor_advise(const doctor_facts *f, doctor_advice advice[DOCTOR_ADVICE_MAX]);

/* ---- Report ---- */
void doctor_print(const doctor_facts *f, bool json);

#endif
