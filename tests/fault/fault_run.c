/* fault_run.c - see fault_run.h. */
#include "fault_run.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANG_S 120 /* without a call: a limit for broken builds, not a measure */
#define LISTENER_REFUSED UINT32_MAX
#define POINT_COUNT_MAX 3000u
#define SANITIZED_STEP 7u

/* ---- Allocations ---- */

/* One child, one plan: what --wrap puts before malloc can get no parameter. */
static fault_shared *wrap_shared;
static fault_point wrap_point;

static bool allocation_fails(void)
{
    if (wrap_shared == NULL || !atomic_load_explicit(&wrap_shared->armed, memory_order_relaxed)) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&wrap_shared->counted, 1) + 1;
    bool fails = wrap_point.nth != 0 && (wrap_point.persistent ? number >= wrap_point.nth : number == wrap_point.nth);
    if (fails) {
        atomic_fetch_add(&wrap_shared->failed, 1);
        errno = ENOMEM;
    }
    return fails;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return allocation_fails() ? NULL : __real_strdup(text);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    return allocation_fails() ? ENOMEM : __real_posix_memalign(block, alignment, size);
}

/* ---- System calls: the child's side ---- */

static uint32_t call_count(const fault_plan *plan)
{
    uint32_t count = 0;
    while (count < FAULT_CALL_COUNT_MAX && plan->calls[count] != FAULT_NO_CALL) {
        ++count;
    }
    return count;
}

/* The descriptor of a filter that hands the plan's calls over, or -1. */
static int install_filter(const fault_plan *plan)
{
    struct sock_filter code[FAULT_CALL_COUNT_MAX + 6];
    uint16_t at = 0;
    uint8_t count = (uint8_t)call_count(plan);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (uint8_t i = 0; i < count; ++i) {
        code[at++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)plan->calls[i], (uint8_t)(count - i), 0);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = { .len = at, .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void word_set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Waits until the word is not zero; zero if it stays so. */
static uint32_t word_wait(_Atomic uint32_t *word)
{
    uint32_t value;
    while ((value = atomic_load(word)) == 0) {
        struct timespec limit = { .tv_sec = HANG_S };
        if (syscall(SYS_futex, word, FUTEX_WAIT, 0, &limit, NULL, 0) != 0 && errno == ETIMEDOUT) {
            return 0;
        }
    }
    return value;
}

static _Noreturn void child_run(fault_shared *shared, const fault_point *point, fault_scenario scenario, void *user)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (call_count(point->plan) == 0) {
        wrap_shared = shared;
        wrap_point = *point;
    } else {
        int fd = install_filter(point->plan);
        word_set(&shared->listener, fd < 0 ? LISTENER_REFUSED : (uint32_t)fd + 1);
        if (fd < 0 || word_wait(&shared->taken) == 0) {
            _exit(FAULT_SKIP);
        }
        close(fd); /* else processes that outlive the test would wait for ever for an answer */
    }
    exit(scenario(shared, point, user));
}

/* ---- The parent's side ---- */

/* Our own descriptor of the child's filter; -1 if there is none. */
static int listener_fetch(fault_shared *shared, int child_fd)
{
    uint32_t value = word_wait(&shared->listener);
    bool refused = value == 0 || value == LISTENER_REFUSED;
    int listener = refused ? -1 : (int)syscall(SYS_pidfd_getfd, child_fd, (int)value - 1, 0);
    if (listener >= 0) {
        word_set(&shared->taken, 1);
    }
    return listener;
}

/* Answers one call that the child, or a process of its, waits in. */
static void answer(int listener, pid_t child, const fault_point *point, fault_shared *shared)
{
    struct seccomp_notif call = { 0 };
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
        return; /* the caller was killed meanwhile */
    }
    struct seccomp_notif_resp reply = { .id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
    if (atomic_load(&shared->armed)) {
        uint64_t number = atomic_fetch_add(&shared->counted, 1) + 1;
        if (point->nth != 0 && (point->persistent ? number >= point->nth : number == point->nth)) {
            atomic_fetch_add(&shared->failed, 1);
            if (point->plan->signal_number != 0) {
                kill(child, point->plan->signal_number);
            } else {
                reply.flags = 0;
                reply.error = -point->plan->error;
            }
        }
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

/* Serves the child until it ends. False: it did not. */
static bool serve(pid_t child, int child_fd, int listener, const fault_point *point, fault_shared *shared)
{
    struct pollfd wait_for[2] = { { .fd = child_fd, .events = POLLIN }, { .fd = listener, .events = POLLIN } };
    for (uint32_t idle_s = 0; idle_s < HANG_S;) { /* counted, not timed: the machine may sleep */
        if (poll(wait_for, listener >= 0 ? 2 : 1, 1000) <= 0) {
            ++idle_s;
            continue;
        }
        idle_s = 0;
        if (wait_for[0].revents != 0) {
            return true;
        }
        if (wait_for[1].revents & POLLIN) {
            answer(listener, child, point, shared);
        } else if (wait_for[1].revents != 0) {
            wait_for[1].fd = -1; /* the last process under the filter is gone */
        }
    }
    return false;
}

fault_outcome fault_run(const fault_point *point, fault_scenario scenario, void *user)
{
    fault_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        child_run(shared, point, scenario, user);
    }
    int child_fd = (int)syscall(SYS_pidfd_open, child, 0);
    if (child < 0 || child_fd < 0) {
        abort();
    }
    fault_outcome outcome = { 0 };
    int listener = -1;
    if (call_count(point->plan) > 0) {
        listener = listener_fetch(shared, child_fd);
        outcome.refused = listener < 0;
    }
    outcome.hung = !outcome.refused && !serve(child, child_fd, listener, point, shared);
    if (outcome.hung || outcome.refused) {
        kill(child, SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.killed = WIFSIGNALED(status);
    outcome.counted = atomic_load(&shared->counted);
    outcome.failed = atomic_load(&shared->failed);
    if (listener >= 0) {
        close(listener);
    }
    close(child_fd);
    munmap(shared, sizeof(*shared));
    return outcome;
}

static bool run_point(const fault_point *point, fault_scenario scenario, fault_judge judge, void *user,
                      fault_outcome *outcome)
{
    *outcome = fault_run(point, scenario, user);
    if (outcome->refused) {
        return true;
    }
    bool good = judge == NULL || judge(point, outcome, user);
    int signal_number = point->plan->signal_number;
    bool ended = outcome->status == 0 || (signal_number != 0 && outcome->status == 128 + signal_number);
    good = good && !outcome->hung && ended;
    if (!good) {
        printf("FAILED: %s, call %llu %s: %s, exit %d\n", point->plan->name, (unsigned long long)point->nth,
               point->persistent ? "and all after it" : "once", outcome->hung ? "hung" : "ended", outcome->status);
    }
    return good;
}

int fault_run_every(const fault_plan *plan, fault_scenario scenario, fault_judge judge, void *user)
{
    fault_outcome outcome;
    int failures = 0;
    uint32_t runs = 0, hit = 0;
    if (!run_point(&(fault_point){ .plan = plan }, scenario, judge, user, &outcome)) {
        return 1;
    }
    if (outcome.refused) {
        return -1;
    }
    uint64_t count = outcome.counted;
    uint64_t step = SANITIZED && getenv("LEAT_TEST_LONG") == NULL ? SANITIZED_STEP : 1;
    for (uint32_t persistent = 0; persistent <= !plan->once_only; ++persistent) {
        for (uint64_t nth = 1; nth <= u64_min(count, POINT_COUNT_MAX); nth += step) {
            fault_point point = { .plan = plan, .nth = nth, .persistent = persistent != 0 };
            failures += !run_point(&point, scenario, judge, user, &outcome);
            hit += outcome.failed > 0;
            ++runs;
        }
    }
    if (count == 0) {
        return 0; /* this scenario makes no such call */
    }
    printf("%-40s %4llu calls, %4u runs, %4u of them with a failure, %d bad\n", plan->name, (unsigned long long)count,
           runs, hit, failures);
    fflush(stdout);
    return failures;
}
