/* Shows that quantiles of measured numbers lie between neighbours in proportion, and leave the numbers in their order.
 */
#include "unit.h"

#include "bench/samples.h"

static void check(const samples *s, double q, double expected)
{
    double value = samples_quantile(s, q);
    assert_true(value > expected - 1e-9 && value < expected + 1e-9);
}

static void quantiles_lie_between(void **state)
{
    (void)state;
    samples s = { 0 };
    check(&s, 0.5, 0);
    samples_add(&s, 7);
    check(&s, 0, 7);
    check(&s, 0.99, 7);
    check(&s, 1, 7);
    samples_add(&s, 3);
    check(&s, 0.5, 5); /* of an even number the mean of the two in the middle, not the larger */
    samples_add(&s, 100);
    samples_add(&s, 4);
    check(&s, 0, 3);
    check(&s, 0.25, 3.75);
    check(&s, 0.5, 5.5);
    check(&s, 1, 100);
    assert_true(samples_median(&s) > 5.4 && samples_median(&s) < 5.6);
    static const double order[] = { 7, 3, 100, 4 };
    assert_memory_equal(s.values, order, sizeof(order));
    samples_free(&s);
    assert_int_equal(s.count, 0);
}

static void many_are_kept(void **state)
{
    (void)state;
    samples s = { 0 };
    for (int i = 1000; i >= 0; --i) {
        samples_add(&s, i);
    }
    assert_int_equal(s.count, 1001);
    check(&s, 0.99, 990);
    check(&s, 0.5, 500);
    samples_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_lie_between),
        cmocka_unit_test(many_are_kept),
    };
    return cmocka_run_group_tests_name("samples", tests, NULL, NULL);
}
