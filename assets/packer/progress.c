/* progress.c - see progress.h. One thread. The time is read for what is told here only. */
#include "progress.h"
#include "output.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 30u
#define SHOW_INTERVAL_NS UINT64_C(100000000)
#define LINE_INTERVAL_NS UINT64_C(1000000000)
#define NS_PER_SECOND UINT64_C(1000000000)

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void bar_clear(progress *p)
{
    if (p->bar_shown) {
        fputs("\r\x1b[K", stderr);
        p->bar_shown = false;
    }
}

/* Whether something is to be told now: the rest is spared. */
static bool is_due(progress *p, uint64_t now)
{
    bool due = now - p->shown_ns >= (p->terminal ? SHOW_INTERVAL_NS : LINE_INTERVAL_NS);
    p->shown_ns = due ? now : p->shown_ns;
    return due;
}

void progress_begin(progress *p, bool quiet)
{
    *p = (progress){ .quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .started_ns = now_ns() };
    p->shown_ns = p->started_ns;
}

void progress_found(progress *p, uint64_t file_count)
{
    uint64_t now = p->quiet ? p->shown_ns : now_ns();
    if (p->quiet || !is_due(p, now)) {
        return;
    }
    double spent = (double)(now - p->started_ns) / (double)NS_PER_SECOND;
    fprintf(stderr, "%s%s found, %.0f s%s", p->terminal ? "\r\x1b[K" : "",
            count_to_text(file_count, "file", "files").text, spent, p->terminal ? "" : "\n");
    fflush(stderr);
    p->bar_shown = p->terminal;
}

void progress_work(progress *p, uint64_t total)
{
    bar_clear(p);
    p->total = total;
    p->started_ns = now_ns();
}

static void bar_show(progress *p, double share, uint64_t now)
{
    char bar[BAR_WIDTH + 1];
    for (uint32_t i = 0; i < BAR_WIDTH; ++i) {
        bar[i] = (double)i < share * BAR_WIDTH ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    double spent = (double)(now - p->started_ns) / (double)NS_PER_SECOND;
    double left = share > 0 ? spent / share - spent : 0;
    fprintf(stderr, "\r\x1b[K[%s] %3.0f %%  %.0f s, about %.0f s left", bar, share * 100, spent, left);
    fflush(stderr);
    p->bar_shown = true;
}

void progress_add(progress *p, uint64_t amount)
{
    p->done += amount;
    if (p->quiet || p->total == 0) {
        return;
    }
    double share = p->done >= p->total ? 1 : (double)p->done / (double)p->total;
    uint64_t now = now_ns();
    uint32_t tenths = (uint32_t)(share * 10);
    if (p->terminal && is_due(p, now)) {
        bar_show(p, share, now);
    } else if (!p->terminal && tenths > p->tenths_shown && is_due(p, now)) {
        p->tenths_shown = tenths;
        fprintf(stderr, "%u %%, %.1f s\n", tenths * 10, (double)(now - p->started_ns) / (double)NS_PER_SECOND);
    }
}

void progress_message(progress *p, const char *kind, const char *text)
{
    bar_clear(p);
    message_print("%s%s", kind, text);
}

void progress_end(progress *p)
{
    bar_clear(p);
    p->quiet = true;
}
