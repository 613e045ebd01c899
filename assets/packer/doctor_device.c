/* doctor_device.c - the block device behind a file, as /sys tells of it. */
#include "doctor.h"

#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool queue_text(const char *folder, const char *name, char *text, size_t size)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/queue/%s", folder, name);
    FILE *file = fopen(path, "re");
    bool ok = file != NULL && fgets(text, (int)size, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    if (ok) {
        text[strcspn(text, "\n")] = '\0';
    }
    return ok;
}

static int64_t queue_number(const char *folder, const char *name)
{
    char text[32];
    return queue_text(folder, name, text, sizeof(text)) ? strtoll(text, NULL, 10) : DOCTOR_UNKNOWN;
}

/* "none [mq-deadline] kyber" -> "mq-deadline" */
static void scheduler_read(const char *folder, doctor_device *d)
{
    char line[128];
    if (!queue_text(folder, "scheduler", line, sizeof(line))) {
        return;
    }
    char *begin = strchr(line, '['), *end = begin != NULL ? strchr(begin, ']') : NULL;
    snprintf(d->scheduler, sizeof(d->scheduler), "%.*s", end != NULL ? (int)(end - begin - 1) : 30,
             end != NULL ? begin + 1 : line);
}

/* What a dm or md device is made of. */
static void below_read(const char *folder, doctor_device *d)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/slaves", folder);
    DIR *entries = opendir(path);
    struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        size_t used = strlen(d->below);
        if (entry->d_name[0] != '.') {
            snprintf(d->below + used, sizeof(d->below) - used, "%s%.60s", used > 0 ? " " : "", entry->d_name);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

/* How many queues the driver has set aside for polling; a parameter of its module. */
static int64_t poll_queues(const char *name)
{
    const char *path = strncmp(name, "nvme", 4) == 0 ? "/sys/module/nvme/parameters/poll_queues"
                       : strncmp(name, "vd", 2) == 0 ? "/sys/module/virtio_blk/parameters/poll_queues"
                                                     : NULL;
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    long long number = DOCTOR_UNKNOWN;
    if (file != NULL) {
        if (fscanf(file, "%lld", &number) != 1) {
            number = DOCTOR_UNKNOWN;
        }
        fclose(file);
    }
    return number;
}

/* The folder of the whole disk in /sys, resolved; a partition lies inside its disk's. */
static bool disk_folder(dev_t device, char *folder)
{
    char path[64], partition[PATH_MAX + 16];
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
    if (major(device) == 0 || realpath(path, folder) == NULL) {
        return false;
    }
    snprintf(partition, sizeof(partition), "%s/partition", folder);
    if (access(partition, F_OK) == 0) {
        *strrchr(folder, '/') = '\0';
    }
    return true;
}

void doctor_probe_device(int fd, const char *source, doctor_device *d)
{
    *d = (doctor_device){ .rotational = DOCTOR_UNKNOWN,
                          .poll = DOCTOR_UNKNOWN,
                          .request_count = DOCTOR_UNKNOWN,
                          .read_ahead_kib = DOCTOR_UNKNOWN,
                          .sector_bytes = DOCTOR_UNKNOWN,
                          .poll_queues = DOCTOR_UNKNOWN };
    struct stat s, behind;
    char folder[PATH_MAX];
    d->found = fstat(fd, &s) == 0 && disk_folder(s.st_dev, folder);
    if (!d->found && source[0] == '/' && stat(source, &behind) == 0 && S_ISBLK(behind.st_mode)) {
        d->found = disk_folder(behind.st_rdev, folder); /* btrfs and others number their files' device themselves */
    }
    if (!d->found) {
        return;
    }
    snprintf(d->name, sizeof(d->name), "%.60s", strrchr(folder, '/') + 1);
    d->rotational = queue_number(folder, "rotational");
    d->poll = queue_number(folder, "io_poll");
    d->request_count = queue_number(folder, "nr_requests");
    d->read_ahead_kib = queue_number(folder, "read_ahead_kb");
    d->sector_bytes = queue_number(folder, "logical_block_size");
    d->poll_queues = poll_queues(d->name);
    scheduler_read(folder, d);
    below_read(folder, d);
}
