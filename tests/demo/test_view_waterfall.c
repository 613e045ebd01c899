/* test_view_waterfall.c - the rows of a jump: those of its time, in the order of asking whatever the order of their
 * ends, and placed on a time from which the pauses are cut. */
#include "waterfall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static waterfall w;
static waterfall_span spans[WATERFALL_ROWS_MAX];

static void add(uint64_t order, uint64_t begin_ns, uint64_t end_ns)
{
    waterfall_add(&w, &(waterfall_row){ .order = order, .begin_ns = begin_ns, .end_ns = end_ns });
}

static void rows_are_of_their_time_and_in_order(void **state)
{
    (void)state;
    waterfall_begin(&w, 100);
    add(7, 99, 200); /* of before */
    add(10, 120, 130);
    add(8, 100, 140); /* asked first, and there last */
    add(9, 100, 120);
    waterfall_end(&w, 120);
    add(12, 121, 122); /* after the end */
    add(11, 120, 125); /* asked in time, and there late */
    assert_int_equal(w.count, 4);
    for (uint32_t i = 0; i < w.count; ++i) {
        assert_int_equal(w.rows[i].order, 8 + i);
    }
    waterfall_begin(&w, 200);
    assert_int_equal(w.count, 0);
    add(13, 250, 260);
    assert_int_equal(w.count, 1);
}

static void only_the_first_are_kept(void **state)
{
    (void)state;
    waterfall_begin(&w, 0);
    for (uint64_t order = WATERFALL_ROWS_MAX + 20; order-- > 0;) {
        add(order, order, order + 5);
    }
    add(WATERFALL_ROWS_MAX + 30, 1000, 1001);
    assert_int_equal(w.count, WATERFALL_ROWS_MAX);
    for (uint32_t i = 0; i < w.count; ++i) {
        assert_int_equal(w.rows[i].order, i);
    }
}

static void check(uint32_t row, double begin, double end)
{
    assert_true(spans[row].begin > begin - 1e-4 && spans[row].begin < begin + 1e-4);
    assert_true(spans[row].end > end - 1e-4 && spans[row].end < end + 1e-4);
}

static void pauses_are_cut_out(void **state)
{
    (void)state;
    waterfall_begin(&w, 1000);
    assert_int_equal(waterfall_place(&w, spans), 0);
    add(1, 5000, 5000); /* at once */
    assert_int_equal(waterfall_place(&w, spans), 0);
    check(0, 0, 0);
    waterfall_begin(&w, 1000);
    add(1, 2000, 2600); /* 1000 to 2000, and 2600 to 9000: nothing was under way */
    add(2, 2000, 2200);
    add(3, 2400, 2500); /* behind 2, but 1 is under way still */
    add(4, 9000, 9400);
    assert_int_equal(waterfall_place(&w, spans), 1000);
    check(0, 0, 0.6);
    check(1, 0, 0.2);
    check(2, 0.4, 0.5);
    check(3, 0.6, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_of_their_time_and_in_order),
        cmocka_unit_test(only_the_first_are_kept),
        cmocka_unit_test(pauses_are_cut_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
