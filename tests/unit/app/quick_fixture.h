/* quick_fixture.h: the quick writers must say what the others say, or nothing. */
#ifndef BQ_TESTS_QUICK_FIXTURE_H
#define BQ_TESTS_QUICK_FIXTURE_H

#include "app/quick.h"
#include "base/rc.h"

/* Writes the value at index the quick way, behind other bytes. Gives whether it did; what it wrote
 * must be the text that the others gave with this return code. */
static inline bool quick_agrees(lua_State *L, const struct bq_schema *s, int index, int rc,
                                bq_str text)
{
    struct bq_buf out = BQ_BUF_INIT;
    int top = lua_gettop(L);
    bq_raw null = bq_raw_probe(L);
    assert_true(null != 0);
    assert_int_equal(bq_buf_append(&out, BQ_STR("gone kept")), BQ_OK);
    bq_buf_consume(&out, 5);
    bool quick =
        s ? bq_quick_write(L, null, s, index, &out) : bq_quick_encode(L, null, index, &out);
    assert_int_equal(lua_gettop(L), top);
    bq_str written = bq_buf_str(&out);
    if (quick && (rc != BQ_OK || !bq_str_eq(bq_str_of(written.p + 4, written.n - 4), text)))
        fail_msg("quick: %.*s, but: %s %.*s", BQ_STR_ARG(written), bq_rc_text(rc),
                 BQ_STR_ARG(text));
    assert_true(bq_str_starts(written, BQ_STR("kept")));
    assert_true(quick || written.n == 4);
    bq_buf_release(&out);
    return quick;
}

#endif
