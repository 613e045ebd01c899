/* interrupt.c - see interrupt.h.
 *
 * A thread waits for the signals, which are blocked in all others: there is no handler, so nothing here is limited to
 * what is safe in one. It ends with the process. */
#include "interrupt.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *watch(void *argument)
{
    interrupt *i = argument;
    int signal_number = 0;
    while (sigwait(&i->signals, &signal_number) != 0) {
    }
    pthread_mutex_lock(&i->lock); /* kept: nothing is renamed any more */
    if (i->temporary[0] != '\0') {
        unlink(i->temporary);
    }
    const char *text =
        i->written ? "\nleat: interrupted; the pack is written\n" : "\nleat: interrupted; nothing was written\n";
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
    _exit(128 + signal_number);
}

static bool is_ignored(int signal_number)
{
    struct sigaction now;
    return sigaction(signal_number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void interrupt_watch(interrupt *i)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    pthread_t thread;
    pthread_mutex_init(&i->lock, NULL);
    i->temporary[0] = '\0';
    i->written = false;
    sigemptyset(&i->signals);
    for (uint32_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); ++n) {
        if (!is_ignored(numbers[n])) { /* whoever has started us with nohup means it */
            sigaddset(&i->signals, numbers[n]);
        }
    }
    pthread_sigmask(SIG_BLOCK, &i->signals, NULL);
    if (pthread_create(&thread, NULL, watch, i) == 0) {
        pthread_detach(thread);
    } else { /* better a temporary file left behind than a program that cannot be stopped */
        pthread_sigmask(SIG_UNBLOCK, &i->signals, NULL);
    }
}

void interrupt_file_set(interrupt *i, const char *path)
{
    if (i != NULL) {
        snprintf(i->temporary, sizeof(i->temporary), "%s", path);
    }
}

void interrupt_written_set(interrupt *i)
{
    if (i != NULL) {
        i->temporary[0] = '\0';
        i->written = true;
    }
}

void interrupt_hold(interrupt *i)
{
    if (i != NULL) {
        pthread_mutex_lock(&i->lock);
    }
}

void interrupt_release(interrupt *i)
{
    if (i != NULL) {
        pthread_mutex_unlock(&i->lock);
    }
}
