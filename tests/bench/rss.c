/* rss.c - see rss.h. */
#include "rss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of KiB behind `key` in a file of /proc, in bytes; 0 if there is none. */
static uint64_t proc_bytes(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    char line[256];
    unsigned long long kib = 0;
    while (file != NULL && kib == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kib = strtoull(line + strlen(key), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib * 1024;
}

uint64_t rss_bytes(void)
{
    return proc_bytes("/proc/self/smaps_rollup", "Rss:");
}

uint64_t rss_peak_bytes(void)
{
    return proc_bytes("/proc/self/status", "VmHWM:");
}

bool rss_peak_reset(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    bool ok = file != NULL && fputs("5", file) >= 0;
    return file != NULL && fclose(file) == 0 && ok;
}
