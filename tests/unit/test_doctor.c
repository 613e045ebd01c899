/* test_doctor.c - what `leat doctor` concludes from facts: which path is taken, and what it says to change, in order.
 * Facts are made up here, so machines are judged that no test runs on. */
#include "unit.h"

#include "base.h"
#include "doctor.h"

#include <errno.h>
#include <string.h>

/* A machine and a path where nothing is amiss. */
static doctor_facts healthy(void)
{
    doctor_facts f = {
        .machine = { .kernel = "6.12.1",
                     .cpus_online = 8,
                     .cpus_allowed = 8,
                     .memory_total = MIB(16384),
                     .memory_limit = DOCTOR_UNLIMITED,
                     .huge_mode = "madvise",
                     .huge_asked = MIB(8),
                     .huge_got = MIB(8) },
        .uring = { .setup = { .tried = true },
                   .fixed_buffers = { .tried = true },
                   .fixed_bytes = MIB(32),
                   .fixed_bytes_wanted = MIB(32) },
        .path = { .path = "packs", .type = "ext4", .direct = { .tried = true }, .cachestat = { .tried = true } },
        .leat = { .created = true,
                  .info = { .backend = LEAT_BACKEND_URING, .fixed_buffers = true, .backend_text = "io_uring" } },
    };
    for (uint32_t i = 0; i < DOCTOR_FLAG_COUNT; ++i) {
        f.uring.flags[i].tried = true;
    }
    return f;
}

static doctor_verdict judge(const doctor_facts *f)
{
    char why[512] = "";
    doctor_verdict verdict = doctor_judge(f, why, sizeof(why));
    assert_true(why[0] != '\0');
    return verdict;
}

/* The keys of all advice, in order, one blank between. */
static const char *advice_keys(const doctor_facts *f, char keys[512])
{
    doctor_advice advice[DOCTOR_ADVICE_MAX];
    uint32_t count = doctor_advise(f, advice);
    keys[0] = '\0';
    for (uint32_t i = 0; i < count; ++i) {
        assert_true(advice[i].what[0] != '\0' && advice[i].gain[0] != '\0');
        strcat(keys, i == 0 ? "" : " ");
        strcat(keys, advice[i].key);
    }
    return keys;
}

static void test_healthy(void **state)
{
    (void)state;
    char keys[512];
    doctor_facts f = healthy();
    assert_int_equal(judge(&f), DOCTOR_FAST);
    assert_string_equal(advice_keys(&f, keys), "");
    f.path.in_memory = true;
    f.path.direct.error = EINVAL;
    assert_int_equal(judge(&f), DOCTOR_FAST);
}

static void test_forbidden(void **state)
{
    (void)state;
    char keys[512];
    doctor_advice advice[DOCTOR_ADVICE_MAX];
    doctor_facts f = healthy();
    f.uring = (doctor_uring){ .setup = { .tried = true, .error = EPERM }, .disabled = 2 };
    f.leat.info = (leat_info){ .backend = LEAT_BACKEND_THREADS, .backend_text = "threads (forbidden)" };
    assert_int_equal(judge(&f), DOCTOR_SLOW);
    assert_string_equal(advice_keys(&f, keys), "io_uring_disabled");
    doctor_advise(&f, advice);
    assert_non_null(strstr(advice[0].commands[0], "sysctl -w kernel.io_uring_disabled=0"));

    f.uring.disabled = DOCTOR_UNKNOWN;
    f.machine.seccomp_mode = 2;
    doctor_advise(&f, advice);
    assert_string_equal(advice[0].key, "seccomp");
    assert_non_null(strstr(advice[0].commands[1], "--security-opt seccomp=unconfined"));
    f.uring.setup.error = ENOSYS; /* hidden rather than missing */
    assert_string_equal(advice_keys(&f, keys), "seccomp");
    f.machine.seccomp_mode = 0;
    assert_string_equal(advice_keys(&f, keys), "kernel");
    f.uring.setup.error = EACCES;
    assert_string_equal(advice_keys(&f, keys), "security_module");
    f.uring.setup.error = 0; /* the kernel has it, the build has not */
    assert_true(strncmp(advice_keys(&f, keys), "build", 5) == 0);
}

/* Everything is wrong at once: the place comes first, then huge pages, then the ring's own. */
static void test_order(void **state)
{
    (void)state;
    char keys[512];
    doctor_facts f = healthy();
    f.path.direct.error = EINVAL;
    f.machine.huge_got = 0;
    strcpy(f.machine.huge_mode, "never");
    f.uring.fixed_buffers.error = ENOMEM;
    f.uring.fixed_bytes = 0;
    f.leat.info.fixed_buffers = false;
    f.machine.cpu_quota = 0.5;
    f.machine.memory_limit = MIB(128);
    f.path.device = (doctor_device){ .found = true, .name = "nvme0n1", .scheduler = "bfq", .poll = 0 };
    assert_int_equal(judge(&f), DOCTOR_REDUCED);
    assert_string_equal(advice_keys(&f, keys), "direct huge_pages memlock cpu memory scheduler poll_queues");
}

static void test_reduced_and_broken(void **state)
{
    (void)state;
    char keys[512];
    doctor_facts f = healthy();
    f.leat.info.fixed_buffers = false;
    assert_int_equal(judge(&f), DOCTOR_REDUCED);
    f = healthy();
    f.machine.huge_got = 0;
    assert_int_equal(judge(&f), DOCTOR_REDUCED);
    f = healthy();
    f.path.compressed = true;
    f.path.direct.error = EINVAL;
    strcpy(f.path.type, "btrfs");
    assert_int_equal(judge(&f), DOCTOR_REDUCED);
    assert_string_equal(advice_keys(&f, keys), "compression");
    strcpy(f.path.type, "fuse.sshfs");
    assert_string_equal(advice_keys(&f, keys), "file_system");
    f = healthy();
    f.path.fd = -1;
    strcpy(f.path.trial_error, "it cannot be read: Permission denied");
    f.path.kind = DOCTOR_FILE;
    assert_int_equal(judge(&f), DOCTOR_BROKEN);
    f.path.kind = DOCTOR_FOLDER; /* nothing there to judge by */
    assert_int_equal(judge(&f), DOCTOR_UNTRIED);
    f = healthy();
    f.leat.created = false;
    strcpy(f.leat.error.text, "no memory");
    assert_int_equal(judge(&f), DOCTOR_BROKEN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_healthy),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_reduced_and_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
