/* fault_run.h - runs a scenario in a child process while one of its calls, the Nth, is made to fail.
 *
 * Two kinds of calls are counted over all threads and processes of the child:
 *     allocations   malloc and its kin, of everything that is linked statically into the test (ld's --wrap)
 *     system calls  a seccomp filter hands those of a list to this process, which answers with an errno or lets them
 *                   pass (SECCOMP_RET_USER_NOTIF). What the kernel sees is what is counted: liburing's and glibc's own
 *                   calls too.
 * So "for every N" is a loop: run once to count, then once for each N. */
#ifndef LEAT_FAULT_RUN_H
#define LEAT_FAULT_RUN_H

#include "base.h"

#include <stdatomic.h>

#define FAULT_CALL_COUNT_MAX 8u
#define FAULT_SKIP 77 /* "cannot be had here", for ctest */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

typedef struct fault_plan {
    const char *name; /* for messages */
    int calls[FAULT_CALL_COUNT_MAX]; /* system calls by number, ended by FAULT_NO_CALL; none: allocations */
    int error; /* errno of the call that fails */
    bool once_only; /* an error that no kernel gives for ever (EINTR): persistently would be a hang of its own making */
    int signal_number; /* instead of an error: the child is sent this while it waits in the call, which then goes on */
} fault_plan;
#define FAULT_NO_CALL (-1)

typedef struct fault_point {
    const fault_plan *plan;
    uint64_t nth; /* 1: the first; 0: none, only count */
    bool persistent; /* the Nth and all that follow */
} fault_point;

/* Shared with the child. Calls are counted, and fail, only while armed. */
typedef struct fault_shared {
    _Atomic uint32_t armed;
    _Atomic uint32_t listener; /* the filter's descriptor in the child, plus one */
    _Atomic uint32_t taken; /* the parent has one of its own */
    _Atomic uint64_t counted;
    _Atomic uint32_t failed; /* how many were made to fail */
} fault_shared;

typedef struct fault_outcome {
    int status; /* exit code; 128 + signal */
    bool killed; /* it did not exit, but was ended by that signal */
    bool hung; /* did not end in two minutes and was killed */
    bool refused; /* no such filter can be had here */
    uint64_t counted;
    uint32_t failed;
} fault_outcome;

/* The child's function: its result is the exit code. Leak checkers run, since it ends by exit(). */
typedef int (*fault_scenario)(fault_shared *shared, const fault_point *point, void *user);

fault_outcome fault_run(const fault_point *point, fault_scenario scenario, void *user);

/* Counts, then runs the scenario for each N (under a sanitizer each seventh, unless LEAT_TEST_LONG is set), once and
 * persistently. The child must end with 0, or by the plan's signal; judge (may be NULL) looks at each outcome in this
 * process too. Prints one line for the plan and one for each failure;
 * returns the number of failures, or -1 if it cannot be done here. */
typedef bool (*fault_judge)(const fault_point *point, const fault_outcome *outcome, void *user);
int fault_run_every(const fault_plan *plan, fault_scenario scenario, fault_judge judge, void *user);

#endif
