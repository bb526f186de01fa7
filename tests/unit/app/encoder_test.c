/* encoder_test.c: the frame of a walk: what it says about places, and what it puts right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/encoder.h"
#include "base/rc.h"

static int open_lua(void **state)
{
    *state = luaL_newstate();
    return *state ? 0 : -1;
}

static int close_lua(void **state)
{
    lua_close(*state);
    return 0;
}

/* A walk that goes down the path of a NULL-terminated list of names ("" for position 7), and is
 * refused there. */
static int refuse_at(struct bq_encoder *e, const void *how)
{
    for (const char *const *name = how; *name; name++) {
        if (bq_encoder_enter(e) != BQ_OK)
            return BQ_INVALID;
        bq_encoder_at(e, **name ? *name : NULL, **name ? strlen(*name) : 7);
        lua_pushboolean(e->L, true);
        if (bq_buf_push(e->out, 'x') != BQ_OK)
            return BQ_MEMORY;
    }
    return bq_encoder_refuse(e, "%s is %d", "it", 42);
}

static void says(lua_State *L, const char *const *path, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    lua_settop(L, 0);
    lua_pushnil(L);
    assert_int_equal(bq_buf_append(&out, BQ_STR("gone,kept")), BQ_OK);
    bq_buf_consume(&out, 5);
    assert_int_equal(bq_encoder_run(L, 1, &out, &error, refuse_at, path), BQ_INVALID);
    assert_string_equal(error.text, expected);
    assert_int_equal(lua_gettop(L), 1);
    assert_true(bq_str_eq(bq_buf_str(&out), BQ_STR("kept")));
    bq_buf_release(&out);
}

static void a_place_is_named_by_its_path(void **state)
{
    says(*state, (const char *const[]){NULL}, "it is 42");
    says(*state, (const char *const[]){"a", NULL}, "field \"a\": it is 42");
    says(*state, (const char *const[]){"a", "", "b", "c", NULL}, "field \"a[7].b.c\": it is 42");
    says(*state, (const char *const[]){"", "", NULL}, "field \"[7][7]\": it is 42");
}

static void a_line_break_in_a_name_does_not_break_the_message(void **state)
{
    says(*state, (const char *const[]){"a\nb\r", NULL}, "field \"a?b?\": it is 42");
}

/* At every length around the limit, behind a name and a position. */
static void a_long_path_is_cut_and_the_reason_stays(void **state)
{
    char name[128];
    for (size_t n = 80; n < sizeof name; n++) {
        memset(name, 'n', n - 1);
        name[n - 1] = '\0';
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        lua_settop(*state, 0);
        lua_pushnil(*state);
        const char *const path[] = {name, "", "end", NULL};
        assert_int_equal(bq_encoder_run(*state, 1, &out, &error, refuse_at, path), BQ_INVALID);
        assert_int_equal(strncmp(error.text, "field \"nnn", 10), 0);
        assert_non_null(strstr(error.text, "\": it is 42"));
        assert_int_equal(strstr(error.text, "...\"") != NULL, n - 1 + strlen("[7].end") >= 100);
        bq_buf_release(&out);
    }
}

/* how: the levels to go down. */
static int descend(struct bq_encoder *e, const void *how)
{
    for (unsigned level = *(const unsigned *)how; level; level--) {
        int rc = bq_encoder_enter(e);
        if (rc != BQ_OK)
            return rc;
        bq_encoder_at(e, NULL, 1);
        lua_pushnil(e->L);
        lua_pushnil(e->L);
    }
    return BQ_OK;
}

static void nesting_ends_at_the_limit(void **state)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    lua_settop(*state, 0);
    lua_pushnil(*state);
    for (unsigned levels = 1; levels <= BQ_ENCODE_DEPTH_MAX; levels++)
        assert_int_equal(bq_encoder_run(*state, 1, &out, &error, descend, &levels), BQ_OK);
    unsigned levels = BQ_ENCODE_DEPTH_MAX + 1;
    assert_int_equal(bq_encoder_run(*state, 1, &out, &error, descend, &levels), BQ_INVALID);
    assert_non_null(strstr(error.text, "nested deeper than 128 levels"));
    assert_int_equal(lua_gettop(*state), 1);
    bq_buf_release(&out);
}

static void null_is_nil_or_the_light_null(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    lua_pushnil(L);
    assert_true(bq_encoder_is_null(L));
    lua_pushlightuserdata(L, NULL);
    assert_true(bq_encoder_is_null(L));
    lua_pushlightuserdata(L, L);
    assert_false(bq_encoder_is_null(L));
    lua_pushboolean(L, false);
    assert_false(bq_encoder_is_null(L));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_named_by_its_path),
        cmocka_unit_test(a_line_break_in_a_name_does_not_break_the_message),
        cmocka_unit_test(a_long_path_is_cut_and_the_reason_stays),
        cmocka_unit_test(nesting_ends_at_the_limit),
        cmocka_unit_test(null_is_nil_or_the_light_null),
    };
    return cmocka_run_group_tests(tests, open_lua, close_lua);
}
