/* main.c - the `leat` command: reads its arguments and calls one of commands.h. */
#include "commands.h"

#include <signal.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static int (*const run[])(const options *) = { command_pack,   command_list,    command_info,
                                                   command_verify, command_extract, command_diff,
                                                   command_doctor, command_trace,   command_cache };
    options o;
    int result = options_parse(argc, argv, &o);
    if (result >= 0) {
        return result;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is then an error like a full disk, and is named */
    result = run[o.command](&o);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "leat: standard output cannot be written\n");
        return result == EXIT_OK ? EXIT_FAILED : result;
    }
    return result;
}
