/* Shows what decode.h promises, one task at a time on the caller's thread: the order of the queue, that an urgent chunk
 * overtakes thousands, one decode and no other copy for whole chunks and for prefixes, none at all for stored bytes
 * that lie where they belong, that neighbours are fetched with one call unless something better waits, and that what
 * cannot be fetched comes back as it was. With two workers: that one leaves the other its share of the neighbours. With
 * fewer threads than were asked for: that it is told how many run. */
#include "unit.h"

#include "decode.h"
#include "pack_index.h"

#include <errno.h>
#include <lz4.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <xxhash.h>

#define RAW_SIZE (64u << 10)
#define MANY 5000u
#define GAP 48u /* between two chunks in the file */

typedef struct fixture {
    uint64_t live;
    memory memory;
    decode *d;
    uint8_t raw[RAW_SIZE], packed[RAW_SIZE], stored[RAW_SIZE];
    leat_pack_chunk_record lz4_chunk, stored_chunk;
    uint8_t file[4 * RAW_SIZE]; /* what is fetched from */
    uint64_t fetch_bytes_max; /* more cannot be had with one call */
    uint32_t fetched, ended;
    _Atomic uint32_t hurry;
    uint32_t hurry_after; /* so many have ended; 0: never */
    uint8_t *fetched_into;
    decode_task *last;
    const decode_task *changed;
} fixture;

static bool wanted(void *owner, const decode_output *output)
{
    (void)owner;
    (void)output;
    return true;
}

static bool fetch(void *owner, const decode_task *task, struct iovec *parts, uint32_t part_count)
{
    fixture *f = owner;
    uint64_t at = task->record->file_offset, size = 0;
    ++f->fetched;
    f->fetched_into = parts[0].iov_base;
    for (uint32_t i = 0; i < part_count; ++i) {
        size += parts[i].iov_len;
    }
    assert_in_range(at + size, 1, sizeof(f->file));
    for (uint32_t i = 0; i < part_count && size <= f->fetch_bytes_max; ++i) {
        memcpy(parts[i].iov_base, f->file + at, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    return size <= f->fetch_bytes_max;
}

static void done(void *owner, decode_task *task)
{
    fixture *f = owner;
    ++f->ended;
    f->last = task;
    atomic_store(&f->hurry, f->ended == f->hurry_after);
}

/* What has changed is the best from then on. */
static decode_key key_after_change(void *owner, const decode_task *task)
{
    const fixture *f = owner;
    return task == f->changed ? (decode_key){ .rank = 0, .sequence = task->key.sequence } : task->key;
}

static int setup(void **state)
{
    static fixture f;
    f = (fixture){ .memory = unit_memory(&f.live), .fetch_bytes_max = UINT64_MAX };
    for (uint32_t i = 0; i < RAW_SIZE; ++i) {
        f.raw[i] = (uint8_t)(i / 7 % 50);
    }
    int size = LZ4_compress_default((const char *)f.raw, (char *)f.packed, RAW_SIZE, RAW_SIZE);
    assert_in_range(size, 1, RAW_SIZE - 1);
    memcpy(f.stored, f.raw, RAW_SIZE);
    f.lz4_chunk = (leat_pack_chunk_record){ .hash = XXH3_64bits(f.packed, (size_t)size),
                                            .packed_size = (uint32_t)size,
                                            .raw_size = RAW_SIZE,
                                            .codec = LEAT_PACK_CODEC_LZ4 };
    f.stored_chunk = (leat_pack_chunk_record){ .hash = XXH3_64bits(f.raw, RAW_SIZE),
                                               .packed_size = RAW_SIZE,
                                               .raw_size = RAW_SIZE,
                                               .codec = LEAT_PACK_CODEC_STORED };
    f.stored_chunk.file_offset = f.lz4_chunk.packed_size + GAP;
    memcpy(f.file, f.packed, (size_t)size);
    memcpy(f.file + f.stored_chunk.file_offset, f.stored, RAW_SIZE);
    f.d = decode_create(&(decode_desc){ .memory = &f.memory,
                                        .task_count_max = MANY + 1,
                                        .hurry = &f.hurry,
                                        .owner = &f,
                                        .wanted = wanted,
                                        .fetch = fetch,
                                        .done = done,
                                        .key = key_after_change });
    assert_non_null(f.d);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    decode_stop(f->d);
    decode_destroy(f->d);
    assert_int_equal(f->live, 0);
    return 0;
}

static decode_task task_of(const leat_pack_chunk_record *record, const uint8_t *packed, decode_output *outputs)
{
    return (decode_task){ .key = { .rank = 2 }, .record = record, .packed = packed, .outputs = outputs };
}

static void run(fixture *f, decode_task *task)
{
    decode_push(f->d, &task, 1);
    assert_true(decode_step(f->d));
    assert_ptr_equal(f->last, task);
}

static void urgent_overtakes_thousands(void **state)
{
    fixture *f = *state;
    static decode_task tasks[MANY + 1];
    static uint8_t bytes[RAW_SIZE];
    decode_output output = { .memory = bytes, .end = RAW_SIZE };
    for (uint32_t i = 0; i < MANY; ++i) {
        tasks[i] = task_of(&f->lz4_chunk, f->packed, &output);
        tasks[i].key = (decode_key){ .rank = 1 + i % 3, .deadline_ns = i * 7919 % 1000, .sequence = i };
        decode_push(f->d, (decode_task *[]){ &tasks[i] }, 1);
    }
    tasks[MANY] = task_of(&f->lz4_chunk, f->packed, &output);
    tasks[MANY].key = (decode_key){ .rank = 0, .deadline_ns = UINT64_MAX, .sequence = UINT64_MAX };
    decode_push(f->d, (decode_task *[]){ &tasks[MANY] }, 1);
    assert_int_equal(decode_queued(f->d), MANY + 1);
    assert_true(decode_step(f->d));
    assert_ptr_equal(f->last, &tasks[MANY]);
    const decode_key *before = &tasks[MANY].key;
    while (decode_step(f->d)) {
        const decode_key *key = &f->last->key;
        bool ordered = before->rank != key->rank                 ? before->rank < key->rank
                       : before->deadline_ns != key->deadline_ns ? before->deadline_ns < key->deadline_ns
                                                                 : before->sequence <= key->sequence;
        assert_true(ordered);
        before = key;
    }
    assert_int_equal(f->ended, MANY + 1);
}

/* The bytes behind an output are somebody else's. */
static void check_output(const fixture *f, const uint8_t *bytes, uint32_t begin, uint32_t end)
{
    assert_memory_equal(bytes, f->raw + begin, end - begin);
    assert_int_equal(bytes[end - begin], 0xee);
}

static void prefixes_are_decoded_in_place(void **state)
{
    fixture *f = *state;
    static uint8_t bytes[RAW_SIZE + 1], other[RAW_SIZE + 1];
    static const uint32_t ends[] = { 1, 17, 4096, RAW_SIZE - 15, RAW_SIZE - 1, RAW_SIZE };
    for (size_t i = 0; i < COUNT_OF(ends); ++i) {
        memset(bytes, 0xee, sizeof(bytes));
        memset(other, 0xee, sizeof(other));
        decode_output inner = { .memory = other, .begin = ends[i] / 2, .end = ends[i] };
        decode_output prefix = { .memory = bytes, .end = ends[i] };
        decode_task task = task_of(&f->lz4_chunk, f->packed, &prefix);
        run(f, &task);
        assert_int_equal(task.result, LEAT_OK);
        assert_int_equal(task.bytes_copied, 0);
        check_output(f, bytes, 0, ends[i]);
        prefix.next = &inner; /* the second one is copied from the first */
        task = task_of(&f->lz4_chunk, f->packed, &prefix);
        run(f, &task);
        assert_int_equal(task.bytes_copied, inner.end - inner.begin);
        check_output(f, bytes, 0, ends[i]);
        check_output(f, other, inner.begin, inner.end);
    }
}

static void parts_go_through_scratch_memory(void **state)
{
    fixture *f = *state;
    static uint8_t first[RAW_SIZE + 1], second[RAW_SIZE + 1];
    memset(first, 0xee, sizeof(first));
    memset(second, 0xee, sizeof(second));
    decode_output outputs[2] = { { .next = &outputs[1], .memory = first, .begin = 0, .end = 1000 },
                                 { .memory = second, .begin = 500, .end = RAW_SIZE } };
    decode_task task = task_of(&f->lz4_chunk, f->packed, outputs);
    run(f, &task);
    assert_int_equal(task.result, LEAT_OK);
    assert_int_equal(task.bytes_copied, 1000 + RAW_SIZE - 500);
    check_output(f, first, 0, 1000);
    check_output(f, second, 500, RAW_SIZE);
}

/* Decodes raw bytes [0, end) of a chunk whose hash is right, whatever its block is worth. */
static leat_result decoded(fixture *f, leat_pack_chunk_record record, const uint8_t *packed, uint32_t end)
{
    static uint8_t bytes[RAW_SIZE + 2];
    memset(bytes, 0xee, sizeof(bytes));
    record.hash = XXH3_64bits(packed, record.packed_size);
    decode_output output = { .memory = bytes, .end = end };
    decode_task task = task_of(&record, packed, &output);
    run(f, &task);
    assert_int_equal(bytes[end], 0xee);
    assert_true(task.result == LEAT_ERROR_DAMAGED || memcmp(bytes, f->raw, end) == 0);
    return task.result;
}

/* Who writes a block, writes its hash too. Whole chunks are good if all of the block is; a prefix, if the block is good
 * to its end, which is the one thing that is not looked at. */
static void broken_blocks_are_damaged(void **state)
{
    fixture *f = *state;
    static uint8_t broken[RAW_SIZE];
    leat_pack_chunk_record cut = f->lz4_chunk;
    cut.packed_size -= 3; /* of the last literals */
    assert_int_equal(decoded(f, f->lz4_chunk, f->packed, RAW_SIZE), LEAT_OK);
    assert_int_equal(decoded(f, cut, f->packed, RAW_SIZE), LEAT_ERROR_DAMAGED);
    assert_int_equal(decoded(f, cut, f->packed, RAW_SIZE - 1), LEAT_ERROR_DAMAGED);
    leat_pack_chunk_record shorter = f->lz4_chunk, longer = f->lz4_chunk;
    shorter.raw_size = RAW_SIZE - 1; /* than what the block holds */
    longer.raw_size = RAW_SIZE + 1;
    assert_int_equal(decoded(f, shorter, f->packed, RAW_SIZE - 1), LEAT_ERROR_DAMAGED);
    assert_int_equal(decoded(f, longer, f->packed, RAW_SIZE + 1), LEAT_ERROR_DAMAGED);
    assert_int_equal(decoded(f, longer, f->packed, RAW_SIZE), LEAT_OK);
    memcpy(broken, f->packed, f->lz4_chunk.packed_size);
    uint8_t *last = broken + f->lz4_chunk.packed_size - 6; /* five literals end the block */
    assert_int_equal(*last, 0x50);
    *last = 0x60;
    assert_int_equal(decoded(f, f->lz4_chunk, broken, RAW_SIZE), LEAT_ERROR_DAMAGED);
    assert_int_equal(decoded(f, f->lz4_chunk, broken, RAW_SIZE / 2), LEAT_OK);
}

static void stored_bytes_in_place_are_only_checked(void **state)
{
    fixture *f = *state;
    static uint8_t bytes[RAW_SIZE], other[RAW_SIZE + 1];
    memcpy(bytes, f->stored, RAW_SIZE);
    memset(other, 0xee, sizeof(other));
    decode_output copied = { .memory = other, .begin = 100, .end = 200 };
    decode_output output = { .memory = bytes, .end = RAW_SIZE };
    decode_task task = task_of(&f->stored_chunk, bytes, &output);
    run(f, &task);
    assert_int_equal(task.result, LEAT_OK);
    assert_int_equal(task.bytes_copied, 0);
    copied.next = &output;
    task = task_of(&f->stored_chunk, bytes, &copied);
    run(f, &task);
    assert_int_equal(task.bytes_copied, 100);
    check_output(f, other, 100, 200);
    bytes[RAW_SIZE / 2] ^= 1;
    task = task_of(&f->stored_chunk, bytes, &output);
    run(f, &task);
    assert_int_equal(task.result, LEAT_ERROR_DAMAGED);
}

static void workers_fetch_what_was_not_read(void **state)
{
    fixture *f = *state;
    static uint8_t bytes[RAW_SIZE + 1];
    memset(bytes, 0xee, sizeof(bytes));
    decode_output output = { .memory = bytes, .end = RAW_SIZE };
    decode_task task = task_of(&f->lz4_chunk, NULL, &output);
    run(f, &task);
    assert_int_equal(task.result, LEAT_OK);
    assert_int_equal(f->fetched, 1);
    check_output(f, bytes, 0, RAW_SIZE);
    task = task_of(&f->stored_chunk, NULL, &output);
    run(f, &task);
    assert_ptr_equal(f->fetched_into, bytes); /* to where it belongs */
    assert_int_equal(task.bytes_copied, 0);
    check_output(f, bytes, 0, RAW_SIZE);
}

static void what_cannot_be_fetched_comes_back(void **state)
{
    fixture *f = *state;
    static uint8_t bytes[RAW_SIZE + 1];
    memset(bytes, 0xee, sizeof(bytes));
    decode_output output = { .memory = bytes, .end = RAW_SIZE };
    decode_task task = task_of(&f->lz4_chunk, NULL, &output);
    f->fetch_bytes_max = 0;
    run(f, &task);
    assert_true(task.unread);
    assert_false(task.skipped);
    assert_int_equal(task.result, LEAT_OK);
    assert_ptr_equal(task.outputs, &output);
    assert_int_equal(bytes[0], 0xee);
    task.packed = f->packed; /* read from elsewhere meanwhile */
    run(f, &task);
    assert_false(task.unread);
    check_output(f, bytes, 0, RAW_SIZE);
}

/* Three chunks side by side in the file: packed, stored, packed again. */
typedef struct neighbours {
    leat_pack_chunk_record last;
    uint8_t bytes[3][RAW_SIZE + 1];
    decode_output outputs[3];
    decode_task tasks[3];
} neighbours;

static void neighbours_push(fixture *f, neighbours *n)
{
    n->last = f->lz4_chunk;
    n->last.file_offset = f->stored_chunk.file_offset + RAW_SIZE;
    memcpy(f->file + n->last.file_offset, f->packed, n->last.packed_size);
    memset(n->bytes, 0xee, sizeof(n->bytes));
    const leat_pack_chunk_record *records[3] = { &f->lz4_chunk, &f->stored_chunk, &n->last };
    for (uint32_t i = 3; i-- > 0;) { /* the last first: they are taken in the order of the file all the same */
        n->outputs[i] = (decode_output){ .memory = n->bytes[i], .end = RAW_SIZE };
        n->tasks[i] = task_of(records[i], NULL, &n->outputs[i]);
        n->tasks[i].chunk = i;
        n->tasks[i].behind = i < 2 ? &n->tasks[i + 1] : NULL;
        decode_push(f->d, (decode_task *[]){ &n->tasks[i] }, 1);
    }
}

static void neighbours_check(const fixture *f, const neighbours *n)
{
    for (uint32_t i = 0; i < 3; ++i) {
        assert_int_equal(n->tasks[i].result, LEAT_OK);
        assert_false(n->tasks[i].unread);
        assert_int_equal(n->tasks[i].bytes_copied, 0);
        check_output(f, n->bytes[i], 0, RAW_SIZE);
    }
}

static void neighbours_are_fetched_at_once(void **state)
{
    fixture *f = *state;
    static neighbours n;
    neighbours_push(f, &n);
    assert_true(decode_step(f->d));
    assert_false(decode_step(f->d));
    assert_int_equal(f->ended, 3);
    assert_int_equal(f->fetched, 1);
    neighbours_check(f, &n);
}

/* What the first is decoded to on its way must not lie where its neighbours wait. */
static void scratch_memory_holds_a_chunk_beside_what_was_fetched(void **state)
{
    fixture *f = *state;
    static neighbours n;
    neighbours_push(f, &n);
    n.outputs[0].begin = RAW_SIZE / 2;
    assert_true(decode_step(f->d));
    assert_int_equal(f->ended, 3);
    assert_int_equal(f->fetched, 1);
    check_output(f, n.bytes[0], RAW_SIZE / 2, RAW_SIZE);
    assert_int_equal(n.tasks[0].bytes_copied, RAW_SIZE / 2);
    for (uint32_t i = 1; i < 3; ++i) {
        assert_int_equal(n.tasks[i].result, LEAT_OK);
        check_output(f, n.bytes[i], 0, RAW_SIZE);
    }
}

#define SHARED_COUNT 8u
#define SHARED_SIZE 4096u

typedef struct shared {
    sem_t ended;
    _Atomic uint64_t fetch_size_max;
} shared;

static bool fetch_shared(void *owner, const decode_task *task, struct iovec *parts, uint32_t part_count)
{
    (void)task;
    shared *s = owner;
    uint64_t size = 0;
    for (uint32_t i = 0; i < part_count; ++i) {
        memset(parts[i].iov_base, 0x5a, parts[i].iov_len);
        size += parts[i].iov_len;
    }
    uint64_t most = atomic_load(&s->fetch_size_max);
    while (size > most && !atomic_compare_exchange_weak(&s->fetch_size_max, &most, size)) {
    }
    return true;
}

static void done_shared(void *owner, decode_task *task)
{
    (void)task;
    sem_post(&((shared *)owner)->ended);
}

static void workers_share_neighbours(void **state)
{
    fixture *f = *state;
    shared s = { .fetch_size_max = 0 };
    assert_int_equal(sem_init(&s.ended, 0, 0), 0);
    decode *d = decode_create(&(decode_desc){ .memory = &f->memory,
                                              .worker_count = 2,
                                              .task_count_max = SHARED_COUNT,
                                              .owner = &s,
                                              .wanted = wanted,
                                              .fetch = fetch_shared,
                                              .done = done_shared });
    assert_non_null(d);
    static uint8_t bytes[SHARED_COUNT][SHARED_SIZE];
    static leat_pack_chunk_record records[SHARED_COUNT];
    static decode_output outputs[SHARED_COUNT];
    static decode_task tasks[SHARED_COUNT];
    decode_task *pushed[SHARED_COUNT];
    memset(bytes[0], 0x5a, SHARED_SIZE);
    for (uint32_t i = 0; i < SHARED_COUNT; ++i) {
        records[i] = (leat_pack_chunk_record){ .file_offset = i * SHARED_SIZE,
                                               .hash = XXH3_64bits(bytes[0], SHARED_SIZE),
                                               .packed_size = SHARED_SIZE,
                                               .raw_size = SHARED_SIZE,
                                               .codec = LEAT_PACK_CODEC_STORED };
        outputs[i] = (decode_output){ .memory = bytes[i], .end = SHARED_SIZE };
        tasks[i] = task_of(&records[i], NULL, &outputs[i]);
        tasks[i].chunk = i;
        tasks[i].behind = i + 1 < SHARED_COUNT ? &tasks[i + 1] : NULL;
        pushed[i] = &tasks[i];
    }
    decode_push(d, pushed, SHARED_COUNT);
    decode_wake(d);
    for (uint32_t i = 0; i < SHARED_COUNT; ++i) {
        while (sem_wait(&s.ended) != 0) {
        }
    }
    decode_stop(d);
    for (uint32_t i = 0; i < SHARED_COUNT; ++i) {
        assert_int_equal(tasks[i].result, LEAT_OK);
    }
    decode_destroy(d);
    assert_int_equal(atomic_load(&s.fetch_size_max), SHARED_COUNT / 2 * SHARED_SIZE); /* whoever came first */
    sem_destroy(&s.ended);
}

static void what_cannot_be_fetched_at_once_is_fetched_apart(void **state)
{
    fixture *f = *state;
    static neighbours n;
    neighbours_push(f, &n);
    f->fetch_bytes_max = RAW_SIZE;
    assert_true(decode_step(f->d));
    assert_int_equal(f->ended, 3);
    assert_int_equal(f->fetched, 1 + 3);
    neighbours_check(f, &n);
}

static void something_better_is_not_kept_waiting_by_neighbours(void **state)
{
    fixture *f = *state;
    static neighbours n;
    static uint8_t bytes[RAW_SIZE + 1];
    neighbours_push(f, &n);
    decode_output other = { .memory = bytes, .end = RAW_SIZE, .request = 1 };
    decode_task better = task_of(&f->lz4_chunk, f->packed, &other);
    better.key.rank = n.tasks[1].key.rank - 1;
    decode_push(f->d, (decode_task *[]){ &better }, 1);
    f->changed = &n.tasks[0];
    decode_change(f->d); /* now the first is the best, then comes the other one, then the two neighbours */
    assert_true(decode_step(f->d));
    assert_ptr_equal(f->last, &n.tasks[0]);
    assert_true(decode_step(f->d));
    assert_ptr_equal(f->last, &better);
    assert_true(decode_step(f->d));
    assert_int_equal(f->ended, 4);
    assert_int_equal(f->fetched, 2);
    neighbours_check(f, &n);
}

static void who_is_in_a_hurry_does_not_wait_for_neighbours(void **state)
{
    fixture *f = *state;
    static neighbours n;
    neighbours_push(f, &n);
    f->hurry_after = 1;
    assert_true(decode_step(f->d));
    assert_int_equal(f->ended, 1);
    assert_int_equal(decode_queued(f->d), 2); /* waiting again, for whoever takes what is best now */
    assert_true(decode_step(f->d));
    while (decode_step(f->d)) {
    }
    assert_int_equal(f->ended, 3);
    neighbours_check(f, &n);
}

static void padding_goes_where_there_is_room(void **state)
{
    fixture *f = *state;
    static uint8_t bytes[RAW_SIZE + 1];
    for (uint32_t slack = 4; slack <= 5; ++slack) { /* one byte too few, and enough */
        memset(bytes, 0xee, sizeof(bytes));
        decode_output output = { .memory = bytes, .end = RAW_SIZE - 5, .slack = (uint8_t)slack };
        decode_task task = task_of(&f->lz4_chunk, f->packed, &output);
        run(f, &task);
        assert_int_equal(task.result, LEAT_OK);
        assert_int_equal(task.bytes_copied, 0);
        assert_memory_equal(bytes, f->raw, RAW_SIZE - 5);
        assert_true(slack < 5 ? bytes[RAW_SIZE - 5] == 0xee : memcmp(bytes, f->raw, RAW_SIZE) == 0);
        assert_int_equal(bytes[RAW_SIZE], 0xee);
    }
}

/* ---- Fewer threads ---- */

static uint32_t threads_until_refusal; /* that one is refused, and no other; 0: none */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    bool refused = threads_until_refusal > 0 && --threads_until_refusal == 0;
    return refused ? EAGAIN : __real_pthread_create(thread, attributes, start, argument);
}

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static leat_info info_with_refusal(uint32_t refused, bool stepped)
{
    leat_streamer *s;
    leat_info info;
    leat_desc desc = { .backend = LEAT_BACKEND_THREADS,
                       .worker_count = 4,
                       .io_thread_count = 3,
                       .memory_bytes_max = MIB(16),
                       .logger = { .log = quiet } };
    if (stepped) {
        desc.backend = LEAT_BACKEND_SIM;
        desc.stepped = true;
    }
    threads_until_refusal = refused;
    assert_int_equal(leat_create(&desc, &s), LEAT_OK);
    leat_info_get(s, &info);
    leat_destroy(s);
    return info;
}

/* Decode threads are started first, then those that read. */
static void threads_are_told_as_they_run(void **state)
{
    (void)state;
    assert_int_equal(info_with_refusal(0, false).worker_count, 4);
    assert_int_equal(info_with_refusal(0, false).io_thread_count, 3);
    assert_int_equal(info_with_refusal(3, false).worker_count, 2);
    assert_int_equal(info_with_refusal(3, false).io_thread_count, 3);
    assert_int_equal(info_with_refusal(4 + 2, false).worker_count, 4);
    assert_int_equal(info_with_refusal(4 + 2, false).io_thread_count, 1);
    assert_int_equal(info_with_refusal(0, true).worker_count, 0);
    assert_int_equal(info_with_refusal(0, true).io_thread_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(urgent_overtakes_thousands, setup, teardown),
        cmocka_unit_test_setup_teardown(prefixes_are_decoded_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_go_through_scratch_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_blocks_are_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(stored_bytes_in_place_are_only_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(workers_fetch_what_was_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_fetched_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(neighbours_are_fetched_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(scratch_memory_holds_a_chunk_beside_what_was_fetched, setup, teardown),
        cmocka_unit_test_setup_teardown(workers_share_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_fetched_at_once_is_fetched_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(something_better_is_not_kept_waiting_by_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_in_a_hurry_does_not_wait_for_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(padding_goes_where_there_is_room, setup, teardown),
        cmocka_unit_test(threads_are_told_as_they_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
