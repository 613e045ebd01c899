/* fio.c - what fio, where it is installed, reads from the same file in the same way: a check of our own raw loop.
 *
 * In the same way: with a registered file and buffers, and these on huge pages, without which a virtual disk gives half
 * (1.6 instead of 2.7 to 3.6 GB/s on the development machine). fio's own huge pages have to be set aside by root; so
 * the C library is asked to take them for malloc. */
#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_BYTES_MAX (256u << 10)
#define PATH_BYTES_MAX 4096u

extern char **environ;

/* fio takes a colon in a file's name for the end of it, unless it is escaped. */
static bool escape(const char *path, char *out, size_t size)
{
    size_t at = 0;
    for (; *path != '\0' && at + 2 < size; ++path) {
        if (*path == ':' || *path == '\\') {
            out[at++] = '\\';
        }
        out[at++] = *path;
    }
    out[at] = '\0';
    return *path == '\0';
}

/* What the program writes to its standard output, at most `size` - 1 bytes; false: it is not there, or failed. */
static bool output_of(char *const *arguments, char *out, size_t size)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child;
    bool started = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t had = 0;
    for (ssize_t got; started && had + 1 < size && (got = read(ends[0], out + had, size - 1 - had)) > 0;) {
        had += (size_t)got;
    }
    out[had] = '\0';
    close(ends[0]);
    int status = -1;
    return started && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

double fio_rate(const char *path, uint32_t read_bytes, uint32_t depth, double seconds)
{
    char file[PATH_BYTES_MAX] = "--filename=", size[32], in_flight[32], runtime[48];
    char *report = malloc(REPORT_BYTES_MAX);
    double rate = 0;
    setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0); /* read when a program starts: by fio, not by us */
    snprintf(size, sizeof(size), "--bs=%u", read_bytes);
    snprintf(in_flight, sizeof(in_flight), "--iodepth=%u", depth);
    snprintf(runtime, sizeof(runtime), "--runtime=%.0fms", seconds * 1000);
    char *arguments[] = { "fio",
                          "--name=leat",
                          "--readonly",
                          "--rw=randread",
                          "--direct=1",
                          "--ioengine=io_uring",
                          "--norandommap",
                          "--fixedbufs=1",
                          "--registerfiles=1",
                          "--time_based",
                          "--output-format=json",
                          size,
                          in_flight,
                          runtime,
                          file,
                          NULL };
    if (report != NULL && escape(path, file + strlen(file), sizeof(file) - strlen(file)) &&
        output_of(arguments, report, REPORT_BYTES_MAX)) {
        cJSON *json = cJSON_Parse(report);
        const cJSON *job = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "jobs"), 0);
        const cJSON *bytes = cJSON_GetObjectItem(cJSON_GetObjectItem(job, "read"), "bw_bytes");
        rate = cJSON_IsNumber(bytes) ? bytes->valuedouble : 0;
        cJSON_Delete(json);
    }
    free(report);
    return rate;
}
