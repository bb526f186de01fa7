/* invalid_test.c: problems in FastAPI's shape, bounded, and short for the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/invalid.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "json/check.h"

#include <stdlib.h>

static int open_invalid(void **state)
{
    struct bq_invalid *v = malloc(sizeof *v);
    if (!v)
        return -1;
    bq_invalid_init(v);
    *state = v;
    return 0;
}

static int close_invalid(void **state)
{
    bq_invalid_release(*state);
    free(*state);
    return 0;
}

static void reads(const struct bq_invalid *v, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_invalid_write(v, &out), BQ_OK);
    bq_buf_push(&out, '\0');
    assert_string_equal(out.data, expected);
    bq_buf_release(&out);
}

static void is_json(const struct bq_invalid *v)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_json_error error = {0, NULL};
    assert_int_equal(bq_invalid_write(v, &out), BQ_OK);
    assert_int_equal(bq_json_check(bq_buf_str(&out), 8, &error), BQ_OK);
    bq_buf_release(&out);
}

static void brief_reads(const struct bq_invalid *v, const char *expected)
{
    assert_int_equal(bq_buf_size(&v->brief), strlen(expected));
    assert_memory_equal(v->brief.data, expected, strlen(expected));
}

static void a_problem_has_fastapis_shape(void **state)
{
    struct bq_invalid *v = *state;
    bq_invalid_push_key(v, BQ_STR("body"));
    bq_invalid_push_key(v, BQ_STR("price"));
    bq_invalid_add(v, "greater_than_equal", "\"ge\":0",
                   "Input should be greater than or equal to %d", 0);
    reads(v, "{\"detail\":[{\"type\":\"greater_than_equal\",\"loc\":[\"body\",\"price\"],"
             "\"msg\":\"Input should be greater than or equal to 0\",\"ctx\":{\"ge\":0}}]}");
    brief_reads(v, "body.price greater_than_equal");
}

static void all_problems_come_in_order_and_indexes_count_from_0(void **state)
{
    struct bq_invalid *v = *state;
    bq_invalid_push_key(v, BQ_STR("body"));
    bq_invalid_add(v, "missing", NULL, "Field required");
    bq_invalid_push_key(v, BQ_STR("tags"));
    bq_invalid_push_index(v, 0);
    bq_invalid_add(v, "string_type", NULL, "Input should be a valid string");
    bq_invalid_pop(v);
    bq_invalid_push_index(v, 12);
    bq_invalid_push_key(v, BQ_STR("w"));
    bq_invalid_add(v, "missing", NULL, "Field required");
    assert_int_equal(v->count, 3);
    reads(v, "{\"detail\":["
             "{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field required\"},"
             "{\"type\":\"string_type\",\"loc\":[\"body\",\"tags\",0],"
             "\"msg\":\"Input should be a valid string\"},"
             "{\"type\":\"missing\",\"loc\":[\"body\",\"tags\",12,\"w\"],"
             "\"msg\":\"Field required\"}]}");
    brief_reads(v, "body missing, body.tags[0] string_type, body.tags[12].w missing");
}

static void no_problem_is_an_empty_list(void **state)
{
    reads(*state, "{\"detail\":[]}");
}

static void keys_and_messages_are_escaped(void **state)
{
    struct bq_invalid *v = *state;
    bq_invalid_push_key(v, BQ_STR("a\"\\\n\0b\xff"));
    bq_invalid_push_key(v, bq_str_of(NULL, 0));
    bq_invalid_add(v, "x", NULL, "say \"%s\"", "\x01\xfe");
    reads(v, "{\"detail\":[{\"type\":\"x\",\"loc\":[\"a\\\"\\\\\\n\\u0000b\xef\xbf\xbd\",\"\"],"
             "\"msg\":\"say \\\"\\u0001\xef\xbf\xbd\\\"\"}]}");
}

static void long_keys_and_messages_are_cut_between_characters(void **state)
{
    struct bq_invalid *v = *state;
    char key[400], message[3000];
    memset(key, 'k', sizeof key);
    memset(message, 'm', sizeof message);
    message[sizeof message - 1] = '\0';
    memcpy(key + BQ_INVALID_KEY_BYTES_MAX - 2, "\xe2\x82\xac", 3);
    memcpy(message + 1021, "\xf0\x9f\x98\x80", 4);
    bq_invalid_push_key(v, bq_str_of(key, sizeof key));
    bq_invalid_add(v, "x", NULL, "%s", message);
    bq_str json = bq_buf_str(&v->json);
    assert_null(memmem(json.p, json.n, "\xef\xbf\xbd", 3));
    assert_null(memmem(json.p, json.n, "\xe2", 1));
    assert_null(memmem(json.p, json.n, "\xf0", 1));
    assert_in_range(json.n, 1021 + BQ_INVALID_KEY_BYTES_MAX - 2, 1300);
    is_json(v);
}

static void further_problems_are_counted_and_not_rendered(void **state)
{
    struct bq_invalid *v = *state;
    for (size_t i = 0; i < 3 * BQ_INVALID_PROBLEMS_MAX; i++) {
        bq_invalid_push_index(v, i);
        bq_invalid_add(v, "missing", NULL, "Field required");
        bq_invalid_pop(v);
    }
    assert_int_equal(v->count, 3 * BQ_INVALID_PROBLEMS_MAX);
    bq_str json = bq_buf_str(&v->json);
    assert_non_null(memmem(json.p, json.n, "[99]", 4));
    assert_null(memmem(json.p, json.n, "[100]", 5));
    assert_in_range(v->brief.len, BQ_INVALID_BRIEF_BYTES_MAX - 16, BQ_INVALID_BRIEF_BYTES_MAX);
    is_json(v);
}

static void hostile_locations_do_not_grow_the_answer(void **state)
{
    struct bq_invalid *v = *state;
    char key[1000];
    memset(key, 1, sizeof key); /* escaping makes six bytes of each */
    for (size_t i = 0; i < 2 * BQ_INVALID_DEPTH_MAX; i++)
        bq_invalid_push_key(v, bq_str_of(key, sizeof key));
    for (size_t i = 0; i < BQ_INVALID_PROBLEMS_MAX; i++)
        bq_invalid_add(v, "missing", NULL, "Field required");
    size_t one = BQ_INVALID_DEPTH_MAX * (6 * BQ_INVALID_KEY_BYTES_MAX + 8);
    assert_in_range(v->json.len, BQ_INVALID_JSON_BYTES_MAX, BQ_INVALID_JSON_BYTES_MAX + one);
    assert_int_equal(v->count, BQ_INVALID_PROBLEMS_MAX);
    assert_int_equal(v->brief.len, 0);
    for (size_t i = 0; i < 2 * BQ_INVALID_DEPTH_MAX; i++)
        bq_invalid_pop(v);
    assert_int_equal(v->depth, 0);
    is_json(v);
}

static void a_rewind_forgets_what_came_since_the_mark(void **state)
{
    struct bq_invalid *v = *state;
    struct bq_invalid_mark none = bq_invalid_mark(v);
    bq_invalid_add(v, "missing", NULL, "Field required");
    struct bq_invalid_mark one = bq_invalid_mark(v);
    bq_invalid_add(v, "x", NULL, "y");
    bq_invalid_rewind(v, one);
    assert_int_equal(v->count, 1);
    reads(v, "{\"detail\":[{\"type\":\"missing\",\"loc\":[],\"msg\":\"Field required\"}]}");
    bq_invalid_rewind(v, none);
    bq_invalid_add(v, "x", NULL, "y");
    reads(v, "{\"detail\":[{\"type\":\"x\",\"loc\":[],\"msg\":\"y\"}]}");
    brief_reads(v, " x");
}

static void problems_are_only_counted_while_nobody_wants_to_know_them(void **state)
{
    struct bq_invalid *v = *state;
    v->quiet = true;
    bq_invalid_add(v, "x", NULL, "y");
    assert_int_equal(v->count, 1);
    v->quiet = false;
    bq_invalid_add(v, "missing", NULL, "Field required");
    assert_int_equal(v->count, 2);
    reads(v, "{\"detail\":[{\"type\":\"missing\",\"loc\":[],\"msg\":\"Field required\"}]}");
    brief_reads(v, " missing");
}

#ifdef BQ_FAULTS
static void want_of_memory_is_told_and_nothing_is_half_written(void **state)
{
    struct bq_invalid *v = *state;
    struct bq_buf out = BQ_BUF_INIT;
    bool complete = false;
    for (long nth = 1; !complete && nth < 50; nth++) {
        bq_invalid_release(v);
        bq_invalid_init(v);
        bq_buf_release(&out);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        for (int i = 0; i < 20; i++)
            bq_invalid_add(v, "missing", "\"a\":1", "Field required");
        int rc = bq_invalid_write(v, &out);
        complete = bq_fault_hits(BQ_FAULT_alloc) == 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(v->count, 20);
        assert_int_equal(rc == BQ_MEMORY, v->json.failed || out.failed);
        assert_int_equal(out.len > 0, rc == BQ_OK);
    }
    assert_true(complete);
    bq_buf_release(&out);
}
#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_invalid, close_invalid)
    const struct CMUnitTest tests[] = {
        TEST(a_problem_has_fastapis_shape),
        TEST(all_problems_come_in_order_and_indexes_count_from_0),
        TEST(no_problem_is_an_empty_list),
        TEST(keys_and_messages_are_escaped),
        TEST(long_keys_and_messages_are_cut_between_characters),
        TEST(further_problems_are_counted_and_not_rendered),
        TEST(hostile_locations_do_not_grow_the_answer),
        TEST(a_rewind_forgets_what_came_since_the_mark),
        TEST(problems_are_only_counted_while_nobody_wants_to_know_them),
#ifdef BQ_FAULTS
        TEST(want_of_memory_is_told_and_nothing_is_half_written),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
