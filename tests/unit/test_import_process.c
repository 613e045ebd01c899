/* Shows that a model importer that crashes, aborts or answers nonsense costs its file and nothing else, and that a
 * result comes through the wire as it was, while every truncation of the wire is refused. */
#include "unit.h"

#include "import_process.h"
#include "wire.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What the child does is told by the file's name. */
static bool scripted(const import_job *job, import_result *result)
{
    if (strcmp(job->path, "crash") == 0) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    } else if (strcmp(job->path, "abort") == 0) {
        signal(SIGABRT, SIG_DFL);
        abort();
    } else if (strcmp(job->path, "silent") == 0) {
        _exit(0);
    } else if (strcmp(job->path, "fail") == 0) {
        import_add_message(result, IMPORT_ERROR, "%s: is no model", job->name);
        return false;
    }
    import_asset asset = { .name = strdup(job->name),
                           .type = LEAT_ASSET_BLOB,
                           .raw = malloc(3),
                           .raw_size = 3,
                           .cuts = malloc(sizeof(uint64_t)),
                           .cut_count = 1,
                           .references = calloc(1, sizeof(leat_pack_reference_record)),
                           .reference_count = 1 };
    memcpy(asset.raw, "abc", 3);
    asset.cuts[0] = 2;
    asset.references[0].name_hash = 77;
    import_add_message(result, IMPORT_WARNING, "a warning");
    return import_add_asset(result, &asset) && import_add_usage(result, "t.png", TEXTURE_USAGE_NORMAL);
}

static bool ask(const import_process *p, const char *path, import_result *result)
{
    *result = (import_result){ 0 };
    return import_process_run(p, &(import_job){ .path = path, .name = "model.obj", .root = "/" }, result);
}

static void check_good(const import_result *r)
{
    assert_int_equal(r->asset_count, 1);
    assert_string_equal(r->assets[0].name, "model.obj");
    assert_int_equal(r->assets[0].raw_size, 3);
    assert_memory_equal(r->assets[0].raw, "abc", 3);
    assert_int_equal(r->assets[0].cut_count, 1);
    assert_int_equal(r->assets[0].cuts[0], 2);
    assert_int_equal(r->assets[0].references[0].name_hash, 77);
    assert_int_equal(r->usage_count, 1);
    assert_int_equal(r->usages[0].usage, TEXTURE_USAGE_NORMAL);
    assert_int_equal(r->message_count, 1);
    assert_string_equal(r->messages[0].text, "a warning");
}

static void a_crash_costs_its_file(void **state)
{
    (void)state;
    import_process p;
    import_process_start(&p, scripted);
    assert_true(p.channel >= 0);
    static const char *const bad[] = { "crash", "abort", "silent" };
    for (uint32_t i = 0; i < 12; ++i) {
        import_result r;
        assert_false(ask(&p, bad[i % 3], &r));
        assert_int_equal(r.message_count, 1);
        assert_int_equal(r.messages[0].level, IMPORT_ERROR);
        assert_non_null(strstr(r.messages[0].text, "model.obj"));
        import_result_free(&r);
        assert_true(ask(&p, "good", &r)); /* and the next one is imported */
        check_good(&r);
        import_result_free(&r);
    }
    import_result r;
    assert_false(ask(&p, "fail", &r));
    assert_string_equal(r.messages[0].text, "model.obj: is no model");
    import_result_free(&r);
    import_process_stop(&p);
}

static void the_wire_refuses_what_is_cut(void **state)
{
    (void)state;
    import_result r = { 0 }, back;
    bool good = false;
    assert_true(scripted(&(import_job){ .path = "good", .name = "model.obj", .root = "/" }, &r));
    size_t size;
    uint8_t *bytes = import_pack(&r, true, &size);
    assert_non_null(bytes);
    assert_true(import_unpack(bytes, size, &back, &good));
    assert_true(good);
    check_good(&back);
    import_result_free(&back);
    for (size_t cut = 0; cut < size; ++cut) {
        uint8_t *part = malloc(cut + 1); /* its own block, so that a read past it is seen */
        memcpy(part, bytes, cut);
        assert_false(import_unpack(part, cut, &back, &good));
        free(part);
    }
    uint64_t random = 3;
    for (uint32_t i = 0; i < 20000; ++i) { /* any bytes: an answer or a refusal, never more */
        uint8_t saved[4];
        size_t at = unit_below(&random, size - 4);
        memcpy(saved, bytes + at, 4);
        uint64_t noise = unit_random(&random);
        memcpy(bytes + at, &noise, 1 + noise % 4);
        if (import_unpack(bytes, size, &back, &good)) {
            import_result_free(&back);
        }
        memcpy(bytes + at, saved, 4);
    }
    free(bytes);
    import_result_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_costs_its_file),
        cmocka_unit_test(the_wire_refuses_what_is_cut),
    };
    return cmocka_run_group_tests_name("import_process", tests, NULL, NULL);
}
