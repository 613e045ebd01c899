/* main.c - the `leat` command: reads its arguments and calls one of commands.h. */
#include "commands.h"
#include "output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Where standard output or error is closed, the first file that is opened would be taken for it, and what is said would
 * go into a pack. What stands in for it refuses to be written to. */
static void standard_files_take(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= STDIN_FILENO && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}

/* Also of what has left the buffer before. */
static bool output_is_written(void)
{
    return (fflush(stdout) == 0) & (ferror(stdout) == 0);
}

int main(int argc, char **argv)
{
    static int (*const run[])(const options *) = { command_pack,   command_list,    command_info,
                                                   command_verify, command_extract, command_diff,
                                                   command_doctor, command_trace,   command_cache };
    options o;
    standard_files_take();
    int result = options_parse(argc, argv, &o);
    if (result < 0) {
        signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like a full disk, and is named */
        result = run[o.command](&o);
    }
    if (!output_is_written()) {
        message_print("standard output cannot be written");
        return result == EXIT_OK ? EXIT_FAILED : result;
    }
    return result;
}
