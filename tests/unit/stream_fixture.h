/* stream_fixture.h - a streamer over one small pack, for tests of the whole way from a request to its event. */
#ifndef LEAT_TEST_STREAM_FIXTURE_H
#define LEAT_TEST_STREAM_FIXTURE_H

#include "unit.h"

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <unistd.h>

typedef struct stream_fixture {
    test_pack pack;
    char path[SCRATCH_SIZE]; /* of its file */
    leat_streamer *s;
    leat_pack handle;
    /* for tests that choose: */
    leat_backend backend;
    struct leat_sim_desc sim; /* lives as long as the streamer */
} stream_fixture;

/* A logger for what is meant to go wrong. */
static inline void fixture_quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

/* Mounts the file that is at f->path already. */
static inline void fixture_mount(stream_fixture *f, const leat_desc *desc)
{
    assert_int_equal(leat_create(desc, &f->s), LEAT_OK);
    assert_int_equal(leat_pack_open(f->s, f->path, NULL, &f->handle), LEAT_OK);
}

static inline void fixture_open(stream_fixture *f, const test_pack_desc *pack, const leat_desc *desc)
{
    test_pack_make(pack, &f->pack);
    test_pack_write(&f->pack, f->path);
    fixture_mount(f, desc);
}

static inline void fixture_close(stream_fixture *f)
{
    leat_destroy(f->s);
    f->s = NULL;
    unlink(f->path);
    test_pack_free(&f->pack);
}

static inline leat_asset fixture_asset(const stream_fixture *f, uint32_t position)
{
    leat_asset asset = leat_asset_at(f->s, f->handle, position);
    assert_int_not_equal(asset.index, 0);
    return asset;
}

/* The bytes that an asset must have. */
static inline const uint8_t *fixture_raw(const stream_fixture *f, uint32_t position)
{
    return f->pack.raw + f->pack.assets[position].raw_offset;
}

#endif
