/* reply_rows_test.c: rows as JSON, and which are left to tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/reply_rows.h"
#include "base/fault.h"
#include "base/rc.h"

#include <math.h>
#include <string.h>

/* A result that is put together cell by cell. */
struct result {
    struct bq_buf names, cells, out;
    struct bq_rows rows;
};

static void put_bytes(struct bq_buf *b, const char *text, size_t n)
{
    uint32_t length = (uint32_t)n;
    bq_buf_append(b, bq_str_of((const char *)&length, sizeof length));
    bq_buf_append(b, bq_str_of(text, n));
}

static void name(struct result *r, const char *text)
{
    put_bytes(&r->names, text, strlen(text));
    r->rows.columns++;
}

static void integer(struct result *r, int64_t i)
{
    bq_buf_push(&r->cells, 'I');
    bq_buf_append(&r->cells, bq_str_of((const char *)&i, sizeof i));
}

static void number(struct result *r, double d)
{
    bq_buf_push(&r->cells, 'D');
    bq_buf_append(&r->cells, bq_str_of((const char *)&d, sizeof d));
}

static void text(struct result *r, const char *s)
{
    bq_buf_push(&r->cells, 'T');
    put_bytes(&r->cells, s, strlen(s));
}

static void null(struct result *r)
{
    bq_buf_push(&r->cells, 'N');
}

static int write_as(struct result *r, const struct bq_schema *s)
{
    r->rows.names = bq_buf_str(&r->names);
    r->rows.cells = bq_buf_str(&r->cells);
    bq_buf_reset(&r->out);
    bq_buf_append(&r->out, BQ_STR("before "));
    return bq_rows_write(&r->rows, s, &r->out);
}

static void gives(struct result *r, const struct bq_schema *s, const char *expected)
{
    assert_int_equal(write_as(r, s), BQ_OK);
    bq_str out = bq_buf_str(&r->out);
    assert_int_equal(out.n, 7 + strlen(expected));
    assert_memory_equal(out.p + 7, expected, strlen(expected));
}

static void leaves(struct result *r, const struct bq_schema *s)
{
    assert_int_equal(write_as(r, s), BQ_CONFLICT);
    assert_true(bq_str_eq(bq_buf_str(&r->out), BQ_STR("before ")));
}

static void release(struct result *r)
{
    bq_buf_release(&r->names);
    bq_buf_release(&r->cells);
    bq_buf_release(&r->out);
}

static struct result two_rows(void)
{
    struct result r = {.rows = {.count = 2}};
    name(&r, "id");
    name(&r, "na\"me");
    name(&r, "x");
    integer(&r, 1);
    text(&r, "a\n");
    number(&r, 1.5);
    integer(&r, -9007199254740991);
    null(&r);
    number(&r, 2);
    return r;
}

static void rows_are_an_array_of_objects_in_the_order_of_the_columns(void **state)
{
    struct result r = two_rows();
    (void)state;
    gives(&r, NULL,
          "[{\"id\":1,\"na\\\"me\":\"a\\n\",\"x\":1.5},{\"id\":-9007199254740991,\"x\":2}]");
    r.rows.nulls = true;
    gives(&r, NULL,
          "[{\"id\":1,\"na\\\"me\":\"a\\n\",\"x\":1.5},"
          "{\"id\":-9007199254740991,\"na\\\"me\":null,\"x\":2}]");
    r.rows.one = true;
    gives(&r, NULL, "{\"id\":1,\"na\\\"me\":\"a\\n\",\"x\":1.5}");
    r.rows.one = false;
    r.rows.count = 0;
    gives(&r, NULL, "[]");
    release(&r);
}

static void what_is_not_plain_is_left_to_tables(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct result r = {.rows = {.count = 1}};
        name(&r, "a");
        if (i == 0) {
            integer(&r, 9007199254740992);
        } else if (i == 1) {
            number(&r, NAN);
        } else if (i == 2) {
            text(&r, "\xff");
        } else if (i == 3) {
            bq_buf_push(&r.cells, 'B');
            put_bytes(&r.cells, "ab", 2);
        } else {
            null(&r); /* no field at all */
        }
        leaves(&r, NULL);
        release(&r);
    }
    struct result twice = {.rows = {.count = 1}};
    name(&twice, "a");
    name(&twice, "a");
    integer(&twice, 1);
    integer(&twice, 2);
    leaves(&twice, NULL);
    release(&twice);
}

static void so_are_more_columns_than_fit(void **state)
{
    struct result r = {.rows = {.count = 1}};
    (void)state;
    for (int i = 0; i < 65; i++) {
        char text_of_name[16];
        snprintf(text_of_name, sizeof text_of_name, "c%d", i);
        name(&r, text_of_name);
        integer(&r, i);
    }
    leaves(&r, NULL);
    release(&r);
}

/* { id: integer, x?: number }, and what it is an array of. */
static struct bq_schema id_schema = {.kind = BQ_SCHEMA_INTEGER};
static struct bq_schema x_schema = {.kind = BQ_SCHEMA_NUMBER, .optional = true};
static struct bq_schema_field fields[] = {
    {.name = {"x", 1}, .schema = &x_schema, .json_key = {"\"x\":", 4}},
    {.name = {"id", 2}, .schema = &id_schema, .json_key = {"\"id\":", 5}},
};
static struct bq_schema object = {.kind = BQ_SCHEMA_OBJECT,
                                  .object = {.fields = fields, .count = 2}};
static struct bq_schema array = {.kind = BQ_SCHEMA_ARRAY, .list = {.of = &object}};

static void a_schema_says_which_fields_leave_and_in_which_order(void **state)
{
    struct result r = two_rows();
    (void)state;
    gives(&r, &array, "[{\"x\":1.5,\"id\":1},{\"x\":2,\"id\":-9007199254740991}]");
    r.rows.one = true;
    gives(&r, &object, "{\"x\":1.5,\"id\":1}");
    leaves(&r, &array);
    r.rows.one = false;
    leaves(&r, &object);
    release(&r);
}

static void what_does_not_fit_the_schema_is_left_to_tables(void **state)
{
    struct result r = two_rows();
    (void)state;
    id_schema.kind = BQ_SCHEMA_STRING;
    leaves(&r, &array);
    id_schema.kind = BQ_SCHEMA_BOOLEAN;
    leaves(&r, &array);
    id_schema.kind = BQ_SCHEMA_INTEGER;
    x_schema.kind = BQ_SCHEMA_INTEGER;
    leaves(&r, &array);
    x_schema.kind = BQ_SCHEMA_NUMBER;
    fields[0].name = BQ_STR("absent");
    gives(&r, &array, "[{\"id\":1},{\"id\":-9007199254740991}]");
    x_schema.optional = false;
    leaves(&r, &array);
    x_schema.nullable = true;
    gives(&r, &array, "[{\"x\":null,\"id\":1},{\"x\":null,\"id\":-9007199254740991}]");
    x_schema.has_default = true;
    leaves(&r, &array);
    x_schema.has_default = x_schema.nullable = false;
    x_schema.optional = true;
    fields[0].name = BQ_STR("x");
    object.object.extra = BQ_EXTRA_KEEP;
    leaves(&r, &array);
    object.object.extra = BQ_EXTRA_IGNORE;
    release(&r);
}

#ifdef BQ_FAULTS
static void a_lack_of_memory_is_told(void **state)
{
    struct result r = two_rows();
    (void)state;
    r.rows.names = bq_buf_str(&r.names);
    r.rows.cells = bq_buf_str(&r.cells);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(bq_rows_write(&r.rows, NULL, &r.out), BQ_MEMORY);
    assert_int_equal(bq_buf_size(&r.out), 0);
    release(&r);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_an_array_of_objects_in_the_order_of_the_columns),
        cmocka_unit_test(what_is_not_plain_is_left_to_tables),
        cmocka_unit_test(so_are_more_columns_than_fit),
        cmocka_unit_test(a_schema_says_which_fields_leave_and_in_which_order),
        cmocka_unit_test(what_does_not_fit_the_schema_is_left_to_tables),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_lack_of_memory_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
