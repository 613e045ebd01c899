/* doctor_report.c - facts as text for people, or as JSON for programs, from the same rows.
 *
 * Each row has a key, which is stable and documented in README.md, a label for people, and a value. What was tried is
 * true or false in JSON, null if it was not tried, with "KEY_error" beside a false one. Text has short lines, one a
 * row, and colours on a terminal only. */
#include "doctor.h"
#include "base.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LABEL_WIDTH 20
#define LINE_WIDTH 100

typedef enum mark { MARK_NONE = 0, MARK_GOOD, MARK_FAIR, MARK_BAD } mark;

typedef struct out {
    bool colour;
    cJSON *root, *section; /* NULL: text */
} out;

/* ---- Rows ---- */

static void paint(const out *o, mark m, const char *text)
{
    static const char *const codes[] = { "", "\033[32m", "\033[33m", "\033[31m" };
    bool painted = o->colour && m != MARK_NONE;
    printf("%s%s%s", painted ? codes[m] : "", text, painted ? "\033[0m" : "");
}

static void section(out *o, const char *key, const char *title)
{
    if (o->root != NULL) {
        o->section = cJSON_AddObjectToObject(o->root, key);
        return;
    }
    printf(o->colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", title);
}

/* The text half of a row; label NULL: JSON only. */
static void row(const out *o, const char *label, mark m, const char *value)
{
    if (o->root == NULL && label != NULL) {
        printf("  %-*s ", LABEL_WIDTH, label);
        paint(o, m, value);
        printf("\n");
    }
}

static void row_text(const out *o, const char *key, const char *label, mark m, const char *value)
{
    row(o, label, m, value[0] != '\0' ? value : "not known");
    if (o->root != NULL) {
        cJSON_AddStringToObject(o->section, key, value);
    }
}

/* text NULL: the number itself. DOCTOR_UNKNOWN is null. */
static void row_number(const out *o, const char *key, const char *label, mark m, double number, const char *text)
{
    char digits[32];
    snprintf(digits, sizeof(digits), "%.10g", number);
    row(o, label, m, text != NULL ? text : number == DOCTOR_UNKNOWN ? "not known" : digits);
    if (o->root != NULL && number == DOCTOR_UNKNOWN) {
        cJSON_AddNullToObject(o->section, key);
    } else if (o->root != NULL) {
        cJSON_AddNumberToObject(o->section, key, number);
    }
}

static void row_bool(const out *o, const char *key, const char *label, mark m, bool value, const char *text)
{
    row(o, label, m, text != NULL ? text : value ? "yes" : "no");
    if (o->root != NULL) {
        cJSON_AddBoolToObject(o->section, key, value);
    }
}

/* detail follows "yes" or the error; may be "". */
static void row_try(const out *o, const char *key, const char *label, doctor_try t, const char *detail)
{
    char text[160];
    const char *name = t.tried && t.error != 0 ? strerrorname_np(t.error) : NULL;
    if (!t.tried) {
        snprintf(text, sizeof(text), "not tried");
    } else if (t.error == 0) {
        snprintf(text, sizeof(text), "yes%s%s", detail[0] != '\0' ? ", " : "", detail);
    } else {
        snprintf(text, sizeof(text), "no: %s (%s)%s%s", strerror(t.error), name != NULL ? name : "?",
                 detail[0] != '\0' ? ", " : "", detail);
    }
    row(o, label, !t.tried ? MARK_NONE : t.error == 0 ? MARK_GOOD : MARK_FAIR, text);
    if (o->root == NULL) {
        return;
    }
    if (!t.tried) {
        cJSON_AddNullToObject(o->section, key);
        return;
    }
    cJSON_AddBoolToObject(o->section, key, t.error == 0);
    if (t.error != 0) {
        char error_key[64];
        snprintf(error_key, sizeof(error_key), "%s_error", key);
        cJSON_AddStringToObject(o->section, error_key, name != NULL ? name : strerror(t.error));
    }
}

/* Bytes as people write them; "no limit". */
static const char *bytes_text(uint64_t bytes, char text[24])
{
    if (bytes == DOCTOR_UNLIMITED) {
        snprintf(text, 24, "no limit");
    } else if (bytes < MIB(1)) {
        snprintf(text, 24, "%" PRIu64 " KiB", bytes >> 10);
    } else if (bytes < MIB(8192)) {
        snprintf(text, 24, "%" PRIu64 " MiB", bytes >> 20);
    } else {
        snprintf(text, 24, "%" PRIu64 " GiB", bytes >> 30);
    }
    return text;
}

static double bytes_number(uint64_t bytes)
{
    return bytes == DOCTOR_UNLIMITED ? DOCTOR_UNKNOWN : (double)bytes; /* null: no limit */
}

/* Words into lines that end before LINE_WIDTH; the first one has the label. */
static void words_row(const out *o, const char *label, const char *const *words, const bool *chosen)
{
    uint32_t column = 0;
    for (uint32_t i = 0; words[i] != NULL; ++i) {
        if (!chosen[i]) {
            continue;
        }
        uint32_t size = (uint32_t)strlen(words[i]) + 1;
        if (column == 0 || column + size > LINE_WIDTH) {
            printf("%s  %-*s", column == 0 ? "" : "\n", LABEL_WIDTH, column == 0 ? label : "");
            column = LABEL_WIDTH + 2;
        }
        printf(" ");
        paint(o, MARK_NONE, words[i]);
        column += size;
    }
    printf(column == 0 ? "  %-*s none\n" : "\n", LABEL_WIDTH, label);
}

/* ---- Sections ---- */

static void report_machine(out *o, const doctor_machine *m)
{
    static const char *const modes[] = { "no", "strict", "a filter is in force" };
    char text[160], a[24], b[24];
    section(o, "machine", "Machine");
    row_text(o, "kernel", "kernel", MARK_NONE, m->kernel);
    row_text(o, "architecture", NULL, MARK_NONE, m->machine);
    row_text(o, "container", "container", MARK_NONE,
             m->container[0] != '\0' || o->root != NULL ? m->container : "nothing tells of one");
    row_number(o, "user_id", NULL, MARK_NONE, m->user, NULL);
    row_number(o, "seccomp_mode", "seccomp", m->seccomp_mode > 0 ? MARK_FAIR : MARK_NONE, m->seccomp_mode,
               m->seccomp_mode >= 0 && m->seccomp_mode <= 2 ? modes[m->seccomp_mode] : NULL);
    snprintf(text, sizeof(text), "%u of %u", m->cpus_allowed, m->cpus_online);
    row_number(o, "cpus_allowed", "CPUs", MARK_NONE, m->cpus_allowed, text);
    row_number(o, "cpus_online", NULL, MARK_NONE, m->cpus_online, NULL);
    snprintf(text, sizeof(text), "%.2f cores", m->cpu_quota);
    row_number(o, "cpu_quota", "CPU limit (cgroup)", m->cpu_quota > 0 && m->cpu_quota < 1.5 ? MARK_FAIR : MARK_NONE,
               m->cpu_quota > 0 ? m->cpu_quota : DOCTOR_UNKNOWN, m->cpu_quota > 0 ? text : "none");
    snprintf(text, sizeof(text), "%s, %s free", bytes_text(m->memory_total, a), bytes_text(m->memory_available, b));
    row_number(o, "memory_bytes", "memory", MARK_NONE, (double)m->memory_total, text);
    row_number(o, "memory_available_bytes", NULL, MARK_NONE, (double)m->memory_available, NULL);
    row_number(o, "memory_limit_bytes", "memory limit", MARK_NONE, bytes_number(m->memory_limit),
               m->memory_limit == DOCTOR_UNLIMITED ? "none" : bytes_text(m->memory_limit, a));
    snprintf(text, sizeof(text), "%s, may be raised to %s%s", bytes_text(m->memlock_soft, a),
             bytes_text(m->memlock_hard, b), m->ipc_lock ? "; does not bind this user" : "");
    row_number(o, "memlock_bytes", "locked memory", MARK_NONE, bytes_number(m->memlock_soft), text);
    row_number(o, "memlock_hard_bytes", NULL, MARK_NONE, bytes_number(m->memlock_hard), NULL);
    row_bool(o, "memlock_exempt", NULL, MARK_NONE, m->ipc_lock, NULL);
    row_text(o, "huge_page_mode", "huge pages", strcmp(m->huge_mode, "never") == 0 ? MARK_FAIR : MARK_NONE,
             m->huge_mode[0] != '\0' || o->root != NULL ? m->huge_mode : "not in this kernel");
    row_text(o, "huge_page_defrag", NULL, MARK_NONE, m->huge_defrag);
    snprintf(text, sizeof(text), "%s of %s", bytes_text(m->huge_got, a), bytes_text(m->huge_asked, b));
    row_number(o, "huge_page_trial_bytes", "  granted in a trial", m->huge_got >= m->huge_asked ? MARK_GOOD : MARK_FAIR,
               (double)m->huge_got, text);
    row_number(o, "huge_page_trial_asked_bytes", NULL, MARK_NONE, (double)m->huge_asked, NULL);
    row_number(o, "nr_hugepages", "  reserved pages", MARK_NONE, (double)m->huge_reserved, NULL);
    row_number(o, "hugepages_free", NULL, MARK_NONE, (double)m->huge_free, NULL);
}

static void report_features(const out *o, const doctor_uring *u)
{
    bool chosen[32] = { false };
    cJSON *list = o->root != NULL ? cJSON_AddArrayToObject(o->section, "features") : NULL;
    for (uint32_t i = 0; doctor_feature_names[i] != NULL; ++i) {
        chosen[i] = (u->features >> i & 1) != 0;
        if (list != NULL && chosen[i]) {
            cJSON_AddItemToArray(list, cJSON_CreateString(doctor_feature_names[i]));
        }
    }
    if (list == NULL) {
        words_row(o, "features", doctor_feature_names, chosen);
    }
}

static void report_opcodes(out *o, const doctor_uring *u)
{
    char text[64];
    row_number(o, "opcode_count", NULL, MARK_NONE, u->opcode_count, NULL);
    if (o->root != NULL) {
        cJSON *list = cJSON_AddObjectToObject(o->section, "opcodes");
        for (uint32_t i = 0; i < DOCTOR_OPCODE_COUNT; ++i) {
            cJSON_AddBoolToObject(list, doctor_opcode_names[i], u->opcodes[i]);
        }
        return;
    }
    snprintf(text, sizeof(text), "%u in all; of those that matter here:", u->opcode_count);
    row(o, "operations", MARK_NONE, text);
    const char *names[DOCTOR_OPCODE_COUNT + 1] = { NULL };
    memcpy(names, doctor_opcode_names, sizeof(doctor_opcode_names));
    words_row(o, "", names, u->opcodes);
}

static void report_uring(out *o, const doctor_uring *u)
{
    char text[160], a[24], b[24], key[64], label[64];
    section(o, "io_uring", "io_uring");
    row_try(o, "available", "available", u->setup, "");
    row_number(o, "disabled", "io_uring_disabled", u->disabled > 0 ? MARK_BAD : MARK_NONE, u->disabled,
               u->disabled == DOCTOR_UNKNOWN ? "no such sysctl" : NULL);
    if (u->setup.error != 0 && o->root == NULL) {
        return;
    }
    for (uint32_t i = 0; i < DOCTOR_FLAG_COUNT; ++i) {
        snprintf(key, sizeof(key), "setup_%s", doctor_flag_names[i]);
        snprintf(label, sizeof(label), "  %s", doctor_flag_names[i]);
        row_try(o, key, label, u->flags[i],
                strcmp(doctor_flag_names[i], "iopoll") == 0 ? "if the device polls: see below" : "");
    }
    report_features(o, u);
    report_opcodes(o, u);
    snprintf(text, sizeof(text), "%s of %s", bytes_text(u->fixed_bytes, a), bytes_text(u->fixed_bytes_wanted, b));
    row_try(o, "fixed_buffers", "registered buffers", u->fixed_buffers, text);
    row_number(o, "fixed_bytes", NULL, MARK_NONE, (double)u->fixed_bytes, NULL);
    row_number(o, "fixed_wanted_bytes", NULL, MARK_NONE, (double)u->fixed_bytes_wanted, NULL);
    row_try(o, "fixed_files", "registered files", u->fixed_files, "");
    row_try(o, "direct_descriptors", "direct descriptors", u->direct_descriptors, "");
    row_try(o, "multishot_poll", "multishot poll", u->multishot_poll, "");
    row_try(o, "worker_limit", "limit on workers", u->worker_limit, "");
    row_try(o, "sqpoll", "SQPOLL (a read)", u->sqpoll, "");
}

static void report_device(out *o, const doctor_device *d)
{
    char text[64];
    section(o, "device", "Device");
    row_text(o, "name", "name", MARK_NONE,
             d->found || o->root != NULL ? d->name : "none behind this file system that could be found");
    if (!d->found && o->root == NULL) {
        return;
    }
    if (d->below[0] != '\0' || o->root != NULL) {
        row_text(o, "made_of", "made of", MARK_NONE, d->below);
    }
    row_number(o, "rotational", "rotational", MARK_NONE, (double)d->rotational, NULL);
    row_text(o, "scheduler", "scheduler", MARK_NONE, d->scheduler);
    row_number(o, "io_poll", "polls", MARK_NONE, (double)d->poll, d->poll == 1 ? "yes" : d->poll == 0 ? "no" : NULL);
    row_number(o, "poll_queues", "poll queues", MARK_NONE, (double)d->poll_queues, NULL);
    row_number(o, "nr_requests", "requests queued", MARK_NONE, (double)d->request_count, NULL);
    snprintf(text, sizeof(text), "%" PRId64 " KiB", d->read_ahead_kib);
    row_number(o, "read_ahead_kib", "readahead", MARK_NONE, (double)d->read_ahead_kib,
               d->read_ahead_kib >= 0 ? text : NULL);
    row_number(o, "sector_bytes", "sector", MARK_NONE, (double)d->sector_bytes, NULL);
}

static void report_path(out *o, const doctor_path *p)
{
    static const char *const kinds[] = { "pack", "file", "folder" };
    char text[160];
    section(o, "path", "Path");
    row_text(o, "path", "path", MARK_NONE, p->path);
    row_text(o, "kind", "kind", MARK_NONE, kinds[p->kind]);
    row_text(o, "file_system", "file system", MARK_NONE, p->type);
    row_text(o, "source", "mounted from", MARK_NONE, p->source);
    row_text(o, "mount_options", NULL, MARK_NONE, p->options);
    row_bool(o, "read_only", "read-only", MARK_NONE, p->read_only, NULL);
    row_bool(o, "in_memory", NULL, MARK_NONE, p->in_memory, NULL);
    row_bool(o, "network", NULL, MARK_NONE, p->network, NULL);
    row_bool(o, "compressed", "compressed", p->compressed ? MARK_FAIR : MARK_NONE, p->compressed, NULL);
    row_text(o, "read_from", p->fd >= 0 ? "tried with" : NULL, MARK_NONE, p->fd >= 0 ? p->trial : "");
    if (p->trial_error[0] != '\0' || o->root != NULL) {
        row_text(o, "trial_error", "not tried", p->fd < 0 ? MARK_BAD : MARK_FAIR, p->trial_error);
    }
    snprintf(text, sizeof(text), "memory to %" PRId64 ", offsets to %" PRId64, p->direct_memory_align,
             p->direct_offset_align);
    row_try(o, "direct", "O_DIRECT (a read)", p->direct, "");
    row_number(o, "direct_memory_align", "  alignment (statx)", MARK_NONE, (double)p->direct_memory_align,
               p->direct_memory_align >= 0 ? text : NULL);
    row_number(o, "direct_offset_align", NULL, MARK_NONE, (double)p->direct_offset_align, NULL);
    row_try(o, "cachestat", "cachestat", p->cachestat, "");
    row_try(o, "rwf_nowait", "RWF_NOWAIT", p->nowait, "");
    row_try(o, "rwf_dontcache", "RWF_DONTCACHE", p->dontcache, "");
    row_try(o, "uring_read", "io_uring, buffered", p->uring_read, "");
    row_try(o, "uring_read_fixed", "io_uring, registered", p->uring_fixed, "");
    row_try(o, "uring_iopoll", "IOPOLL (a read)", p->iopoll, "");
}

/* Each mode of io_uring: granted, off, or refused, with the reason and what happens instead. */
static void report_modes(const out *o, const leat_info *info)
{
    const char *names[LEAT_MODE_COUNT + 1] = { NULL };
    bool granted[LEAT_MODE_COUNT], off[LEAT_MODE_COUNT];
    cJSON *list = o->root != NULL ? cJSON_AddObjectToObject(o->section, "modes") : NULL;
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        const leat_mode_info *m = &info->modes[i];
        names[i] = leat_mode_text((leat_mode)i);
        granted[i] = m->granted;
        off[i] = !m->asked && !m->granted;
        if (list != NULL) {
            cJSON *item = cJSON_AddObjectToObject(list, names[i]);
            cJSON_AddBoolToObject(item, "asked", m->asked);
            cJSON_AddBoolToObject(item, "granted", m->granted);
            cJSON_AddStringToObject(item, "why", m->why);
        }
    }
    if (list != NULL || info->backend != LEAT_BACKEND_URING) {
        return;
    }
    words_row(o, "modes granted", names, granted);
    words_row(o, "off by default", names, off);
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        char text[400];
        bool spare = i == LEAT_MODE_COOP_TASKRUN && info->defer_taskrun; /* the better one is in its place */
        if (info->modes[i].asked && !info->modes[i].granted && !spare) {
            snprintf(text, sizeof(text), "no: %s; %s", info->modes[i].why, leat_mode_fallback_text((leat_mode)i));
            row(o, names[i], MARK_FAIR, text);
        }
    }
}

static void report_leat(out *o, const doctor_leat *l)
{
    static const char *const backends[] = { "auto", "io_uring", "threads", "simulated" };
    char text[160];
    section(o, "leat", "Leat");
    row_text(o, "backend", NULL, MARK_NONE, l->created ? backends[l->info.backend & 3] : "");
    row_text(o, "backend_text", "reads with", l->info.backend == LEAT_BACKEND_URING ? MARK_GOOD : MARK_FAIR,
             l->created ? l->info.backend_text : l->error.text);
    row_number(o, "worker_count", "decode threads", MARK_NONE, l->info.worker_count, NULL);
    bool part = l->info.fixed_buffers && l->info.fixed_bytes < l->info.pool_bytes;
    snprintf(text, sizeof(text), "yes, %u MiB of %u MiB", (unsigned)(l->info.fixed_bytes >> 20),
             (unsigned)(l->info.pool_bytes >> 20));
    row_bool(o, "fixed_buffers", "registered buffers", MARK_NONE, l->info.fixed_buffers, part ? text : NULL);
    row_bool(o, "fixed_files", NULL, MARK_NONE, l->info.fixed_files, NULL);
    row_bool(o, "defer_taskrun", NULL, MARK_NONE, l->info.defer_taskrun, NULL);
    report_modes(o, &l->info);
    row_number(o, "fixed_bytes", NULL, MARK_NONE, (double)l->info.fixed_bytes, NULL);
    row_bool(o, "huge_pages", "huge pages", MARK_NONE, l->info.huge_pages, NULL);
    row_bool(o, "read_tried", NULL, MARK_NONE, l->read_tried, NULL);
    row_bool(o, "direct", "direct reads", MARK_NONE, l->direct, l->read_tried ? NULL : "not tried");
    snprintf(text, sizeof(text),
             "%.1f MiB in %.2f ms: %" PRIu64 " reads (%" PRIu64 " cached), %" PRIu64 " system calls",
             (double)l->read_bytes / (double)MIB(1), (double)l->read_ns / 1e6, l->reads, l->reads_cached, l->io_calls);
    row_number(o, "read_bytes", "a read through it", l->failure[0] != '\0' ? MARK_BAD : MARK_NONE,
               (double)l->read_bytes,
               l->failure[0] != '\0' ? l->failure
               : l->read_tried       ? text
                                     : "not tried");
    row_number(o, "read_ms", NULL, MARK_NONE, (double)l->read_ns / 1e6, NULL);
    row_number(o, "reads", NULL, MARK_NONE, (double)l->reads, NULL);
    row_number(o, "reads_cached", NULL, MARK_NONE, (double)l->reads_cached, NULL);
    row_number(o, "io_calls", NULL, MARK_NONE, (double)l->io_calls, NULL);
    row_text(o, "failure", NULL, MARK_NONE, l->failure);
    cJSON *list = o->root != NULL ? cJSON_AddArrayToObject(o->section, "log") : NULL;
    for (uint32_t i = 0; i < l->log_count; ++i) {
        if (list != NULL) {
            cJSON_AddItemToArray(list, cJSON_CreateString(l->log[i]));
        }
        if (strncmp(l->log[i], "reading with", strlen("reading with")) != 0) { /* is said above */
            row(o, "it says", MARK_NONE, l->log[i]);
        }
    }
}

static void advice_json(const out *o, const doctor_advice *a, cJSON *list)
{
    cJSON *item = cJSON_CreateObject(), *commands;
    cJSON_AddStringToObject(item, "key", a->key);
    cJSON_AddStringToObject(item, "what", a->what);
    cJSON_AddStringToObject(item, "gain", a->gain);
    commands = cJSON_AddArrayToObject(item, "commands");
    for (uint32_t i = 0; i < COUNT_OF(a->commands) && a->commands[i][0] != '\0'; ++i) {
        cJSON_AddItemToArray(commands, cJSON_CreateString(a->commands[i]));
    }
    cJSON_AddItemToArray(list, item);
    (void)o;
}

static void report_advice(out *o, const doctor_facts *f)
{
    doctor_advice advice[DOCTOR_ADVICE_MAX];
    uint32_t count = doctor_advise(f, advice);
    if (o->root != NULL) {
        cJSON *list = cJSON_AddArrayToObject(o->root, "advice");
        for (uint32_t i = 0; i < count; ++i) {
            advice_json(o, &advice[i], list);
        }
        return;
    }
    section(o, "advice", count == 0 ? "Nothing to change" : "What to change, the largest gain first");
    for (uint32_t i = 0; i < count; ++i) {
        printf("  %u. %s\n     gains: %s\n", i + 1, advice[i].what, advice[i].gain);
        for (uint32_t k = 0; k < COUNT_OF(advice[i].commands) && advice[i].commands[k][0] != '\0'; ++k) {
            printf("       %s\n", advice[i].commands[k]);
        }
    }
}

void doctor_print(const doctor_facts *f, bool json)
{
    static const mark marks[] = { MARK_GOOD, MARK_FAIR, MARK_FAIR, MARK_BAD, MARK_FAIR };
    const char *no_colour = getenv("NO_COLOR");
    out o = { .colour = !json && isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0') };
    char why[512];
    doctor_verdict verdict = doctor_judge(f, why, sizeof(why));
    if (json) {
        o.root = cJSON_CreateObject();
        cJSON_AddNumberToObject(o.root, "version", 1);
        cJSON_AddStringToObject(o.root, "verdict", doctor_verdict_names[verdict]);
        cJSON_AddStringToObject(o.root, "why", why);
    } else {
        printf("%s: ", f->path.path);
        paint(&o, marks[verdict], doctor_verdict_names[verdict]);
        printf(": %s\n", why);
    }
    report_leat(&o, &f->leat);
    report_path(&o, &f->path);
    report_device(&o, &f->path.device);
    report_uring(&o, &f->uring);
    report_machine(&o, &f->machine);
    report_advice(&o, f);
    if (json) {
        json_print(o.root);
    }
}
