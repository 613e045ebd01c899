/* stream_once.c - open, stream, close, once, for tests that trace it from outside (strace.sh).
 *
 *     stream_once make            writes the pack to a new file and prints its path
 *     stream_once BACKEND PACK    streams it; BACKEND: uring, threads
 *
 * Exit 0: every request is READY or was cancelled. 3: something failed, is said, and all promises were kept. 1: one was
 * broken: stream_case.h has them. */
#include "stream_case.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ROUND_COUNT 2u
#define EXIT_SOME_FAILED 3

static int stream(stream_case *c)
{
    uint32_t failed = 0;
    if (!stream_open(c)) {
        printf("refused: %s\n", c->error.text);
        return c->broken ? 1 : EXIT_SOME_FAILED;
    }
    for (uint32_t i = 0; i < ROUND_COUNT; ++i) {
        stream_round(c);
        failed += c->failed;
    }
    if (failed > 0) {
        printf("failed: %u requests, the last with: %s\n", failed, leat_result_text(c->failed_result));
    }
    stream_close(c);
    return c->broken ? 1 : failed > 0 ? EXIT_SOME_FAILED : 0;
}

int main(int argc, char **argv)
{
    static test_pack pack;
    char path[SCRATCH_SIZE];
    if (argc == 2 && strcmp(argv[1], "make") == 0) {
        stream_pack_make(&pack, path);
        puts(path);
        test_pack_free(&pack);
        return 0;
    }
    bool uring = argc == 3 && strcmp(argv[1], "uring") == 0;
    if (!uring && (argc != 3 || strcmp(argv[1], "threads") != 0)) {
        fprintf(stderr, "usage: stream_once make, or stream_once uring|threads PACK\n");
        return 2;
    }
    stream_pack_fill(&pack);
    stream_case c = { .desc = { .backend = uring ? LEAT_BACKEND_URING : LEAT_BACKEND_THREADS },
                      .pack = &pack,
                      .path = argv[2] };
    signal(SIGXFSZ, SIG_IGN); /* as `leat` does: from this call on, strace.sh makes others fail */
    int result = stream(&c);
    test_pack_free(&pack);
    return result;
}
