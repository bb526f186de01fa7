/* hash_test.c: SipHash-1-3 against values of an independent implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rc.h"

/* The input of n bytes is 0, 1, 2 … modulo 256. */
struct vector {
    size_t n;
    uint64_t hash;
};

static void check(const struct bq_hash_key *key, const struct vector *v, size_t count)
{
    char input[300];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (char)i;
    for (size_t i = 0; i < count; i++)
        assert_true(bq_hash(key, bq_str_of(input, v[i].n)) == v[i].hash);
}

/* From CPython 3.11, whose hash(bytes) is SipHash-1-3: PYTHONHASHSEED=0 is the zero key. */
static void agrees_with_cpython_for_the_zero_key(void **state)
{
    (void)state;
    const struct vector vectors[] = {
        {1, UINT64_C(0x68a914128e01e473)},  {7, UINT64_C(0x2f098ab0c751325a)},
        {8, UINT64_C(0xead411e67ebe2eea)},  {9, UINT64_C(0x75927f9d95124362)},
        {15, UINT64_C(0xf30eb725bb91c9ea)}, {16, UINT64_C(0x8972188433a5c5b7)},
        {63, UINT64_C(0x385d3e39e5f37359)}, {300, UINT64_C(0x4a3ee92cf03a1ab4)},
    };
    check(&(struct bq_hash_key){{0, 0}}, vectors, sizeof vectors / sizeof *vectors);
}

/* PYTHONHASHSEED=42, whose key comes from CPython's own generator. */
static void agrees_with_cpython_for_another_key(void **state)
{
    (void)state;
    const struct vector vectors[] = {
        {1, UINT64_C(0xce880c366bcf3489)},  {7, UINT64_C(0xce280fabc397fbda)},
        {8, UINT64_C(0x60866c3c108c6afb)},  {9, UINT64_C(0x68814005f7469e03)},
        {15, UINT64_C(0x94ace24d68c18cf8)}, {16, UINT64_C(0x339176f3ac59ce05)},
        {63, UINT64_C(0x06e24d6f0d014c37)}, {300, UINT64_C(0x5d61c2bcdcce71cc)},
    };
    const struct bq_hash_key key = {{UINT64_C(0xdc504fd368cd90af), UINT64_C(0xb920bb9ffe99e9c1)}};
    check(&key, vectors, sizeof vectors / sizeof *vectors);
}

static void does_not_depend_on_alignment(void **state)
{
    (void)state;
    const struct bq_hash_key key = {{1, 2}};
    char bytes[64];
    const char text[] = "twenty-three bytes long";
    uint64_t want = bq_hash(&key, BQ_STR("twenty-three bytes long"));
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(bytes + shift, text, sizeof text - 1);
        assert_true(bq_hash(&key, bq_str_of(bytes + shift, sizeof text - 1)) == want);
    }
}

static void empty_input_depends_on_the_key_alone(void **state)
{
    (void)state;
    const struct bq_hash_key a = {{1, 2}}, b = {{1, 3}};
    assert_true(bq_hash(&a, bq_str_of(NULL, 0)) == bq_hash(&a, BQ_STR("")));
    assert_true(bq_hash(&a, BQ_STR("")) != bq_hash(&b, BQ_STR("")));
}

static void random_keys_differ(void **state)
{
    (void)state;
    struct bq_hash_key a = {{0}}, b = {{0}};
    assert_int_equal(bq_hash_key_init(&a), BQ_OK);
    assert_int_equal(bq_hash_key_init(&b), BQ_OK);
    assert_memory_not_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_cpython_for_the_zero_key),
        cmocka_unit_test(agrees_with_cpython_for_another_key),
        cmocka_unit_test(does_not_depend_on_alignment),
        cmocka_unit_test(empty_input_depends_on_the_key_alone),
        cmocka_unit_test(random_keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
