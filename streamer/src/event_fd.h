/* event_fd.h - one thread tells another, which polls an eventfd, that there is something to do. */
#ifndef LEAT_EVENT_FD_H
#define LEAT_EVENT_FD_H

#include "base.h"

#include <errno.h>
#include <unistd.h>

#define EVENT_FD_TRIES_MAX 64u

/* Any thread. It is told once, and who sleeps past it sleeps for ever: so a write that is refused for a moment is made
 * again. EAGAIN says that the counter is full, and then the other side wakes anyway; but a filter or a tracer may say
 * it too. False, with errno: it is refused for good, as where somebody has closed a descriptor that is not his. */
static inline bool event_fd_signal(int fd)
{
    uint64_t one = 1;
    ssize_t wrote = -1;
    for (uint32_t i = 0; i < EVENT_FD_TRIES_MAX && wrote < 0 && (i == 0 || errno == EINTR || errno == EAGAIN); ++i) {
        wrote = write(fd, &one, sizeof(one));
    }
    return wrote > 0 || errno == EAGAIN;
}

#endif
