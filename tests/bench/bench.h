/* bench.h - what the suites of leat-bench share: a pack, a clock, samples and their quantiles, figures with goals, and
 * one JSON file a run.
 *
 * Contestants take turns within one run, and what counts is the ratio of medians: machines are shared and noisy. */
#ifndef LEAT_BENCH_H
#define LEAT_BENCH_H

#include <leat/leat.h>

#include "pack_index.h"
#include "samples.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct bench {
    const char *pack_path; /* --pack, or a synthetic one */
    uint32_t rounds;
    double seconds; /* of a measurement that lasts */
    bool quick;
    const char *json_path;
    const char *file_path, *method; /* of methods: the file to read, the one to run; NULL: made, all */
    const char *trace_path; /* --trace */
    bool trace_written;
    const char *assets_path; /* of peers that read sources: a folder of PNGs */
    cJSON *figures, *raw;
    const char *suite; /* that runs */
    uint32_t missed; /* goals */
} bench;

/* ---- Time ---- */
uint64_t bench_now_ns(void);
uint64_t bench_cpu_ns(void); /* of the whole process, user and system */
void bench_sleep_ns(uint64_t ns);

/* ---- Figures ---- */
/* Puts a list of numbers under `name` into the raw part of the report, in the order in which they were measured: what
 * has the same place in two lists is of the same round. */
void bench_raw(bench *b, const char *name, const samples *s);

typedef enum goal_kind { GOAL_NONE, GOAL_AT_MOST, GOAL_AT_LEAST } goal_kind;
/* Prints a line and notes it for the report. */
void bench_figure(bench *b, const char *name, double value, const char *unit, goal_kind kind, double goal);

/* Prints how the ratio of two contestants differs from round to round: its median, and the quartiles of it. */
void bench_round_by_round(const char *name, const samples *over, const samples *under);

/* ---- A trace of one turn ---- */
#define BENCH_TRACE_RECORDS (1u << 18) /* for leat_desc.trace_event_count, where --trace was given */
/* Ends a recording; the first of a run becomes the file of --trace. False, and a line, if that cannot be written. */
bool bench_trace_stop(bench *b, leat_streamer *s);

/* ---- The pack as a plain program sees it ---- */
typedef struct bench_pack {
    const char *path;
    int fd;
    leat_pack_header header;
    void *index_bytes;
    pack_index index;
    uint64_t file_size;
} bench_pack;
/* False, and a line that says why, if it cannot be read or holds no bytes that could be. */
bool bench_pack_open(const char *path, bench_pack *pack);
void bench_pack_close(bench_pack *pack);

/* ---- Files that the benchmark makes for itself ---- */
#define BENCH_PATH_SIZE 32u /* of a path to one */
/* Makes a file in TMPDIR or /tmp that has no name there, so that it goes with the process, however that ends. Gives its
 * descriptor, for writing, and a path that opens it as often as wanted until the descriptor is closed. Else -1, and a
 * line that says why. */
int bench_file_make(char path[BENCH_PATH_SIZE]);
/* The same, and writes a synthetic pack to it. */
struct test_pack_desc;
int bench_pack_make(const struct test_pack_desc *desc, char path[BENCH_PATH_SIZE]);

/* Puts the file out of the page cache; or into it, anew, so that it lies there alike for all, whatever was read before.
 */
void bench_cold(const char *path);
void bench_warm(const char *path);
/* First chunk of an asset, the one after its last, and the packed bytes between. */
void bench_asset_chunks(const pack_index *index, uint32_t asset, uint32_t *first, uint32_t *end);
/* Positions of `count` assets with bytes, at random, from a seed; malloc'ed. */
uint32_t *bench_pick(const pack_index *index, uint32_t count, uint64_t seed);

/* Positions of all assets with bytes, in table order, each content once; malloc'ed. Who decodes all chunks of a pack
 * has as many bytes, which who reads all assets has not: their content may be shared. */
uint32_t *bench_distinct(const pack_index *index, uint32_t *count);

/* Positions of `count` of them, or of all if there are fewer, at random, from a seed, each once, in table order: bytes
 * that are wanted twice and decoded once would be no speed. */
uint32_t *bench_pick_distinct(const pack_index *index, uint32_t *count, uint64_t seed);

/* Loads assets[0 .. count) as an engine would: submitted in arrays, into memory that Leat lends, released as they
 * become ready. False if one failed. */
bool bench_load(leat_streamer *s, leat_pack pack, const uint32_t *assets, uint32_t count, uint64_t *bytes);

uint64_t bench_random(uint64_t *state);

/* ---- Suites: true if they ran ---- */
bool suite_limits(bench *b);
bool suite_throughput(bench *b);
bool suite_peers(bench *b);
bool suite_urgent(bench *b);
bool suite_scale(bench *b);
bool suite_engine(bench *b);
bool suite_steady(bench *b);
bool suite_startup(bench *b);
bool suite_memory(bench *b);
bool suite_methods(bench *b);
/* Says which there are if there is none of that name. */
bool methods_known(const char *name);
bool suite_trace(bench *b);

/* What limits.c measures, for the others to divide by. */
typedef struct limits {
    double device_packed_per_s; /* bytes, raw io_uring or threads with the best depth */
    double decode_raw_per_s; /* LZ4 and XXH3 from memory, all cores */
    double decode_raw_per_s_one;
    double lz4_cpu_s_per_raw_byte; /* LZ4 alone, one core */
    double ratio; /* raw / packed */
} limits;
bool limits_measure(bench *b, limits *l);
/* Bytes per second of fio over io_uring, O_DIRECT, in random order; 0: it is not installed, or cannot. */
double fio_rate(const char *path, uint32_t read_bytes, uint32_t depth, double seconds);

#endif
