/* threads.c - see threads.h. */
#include "threads.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* struct sched_attr of <linux/sched/types.h>, which cannot be included beside <sched.h>. For threads of the ordinary
 * class, `runtime` is the slice since Linux 6.12, and has no meaning before. */
typedef struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} scheduling;

bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *name)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int cause = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cause == 0) {
        pthread_setname_np(*thread, name);
    } else {
        errno = cause;
    }
    return cause == 0;
}

#define HOPELESS_S 2 /* no read of a device that works takes so long */

bool thread_join(pthread_t thread, bool hopeless)
{
    struct timespec until;
    if (!hopeless) {
        return pthread_join(thread, NULL) == 0;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HOPELESS_S;
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

uint32_t threads_usable_cores(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        return (uint32_t)CPU_COUNT(&allowed);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t has room for */
    return online > 0 ? (uint32_t)online : 1;
}

void thread_set_slice(uint64_t slice_ns)
{
    scheduling s = { .size = sizeof(s) };
    if (syscall(SYS_sched_getattr, 0, &s, sizeof(s), 0) == 0 && s.policy == 0) { /* an engine may have chosen another */
        s.runtime = slice_ns;
        syscall(SYS_sched_setattr, 0, &s, 0);
    }
}
