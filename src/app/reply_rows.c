/* reply_rows.c: writes a query's rows without making tables of them. */
#include "app/reply_rows.h"

#include "app/format.h"
#include "app/schema_check.h"
#include "base/rc.h"
#include "json/write.h"

#define COLUMNS_MAX 64
#define ABSENT      (-1)

struct writer {
    const struct bq_rows *rows;
    const struct bq_schema *object; /* of a row; NULL: none */
    struct bq_buf *out;
    bq_str names[COLUMNS_MAX];
    struct bq_cell cells[COLUMNS_MAX]; /* of the row that is written */
    int column_of[COLUMNS_MAX];        /* of each declared field, or ABSENT */
};

/* --- values --- */

static int write_integer(struct bq_buf *out, const struct bq_schema *s, int64_t i)
{
    bool plain = !s || s->kind == BQ_SCHEMA_INTEGER || s->kind == BQ_SCHEMA_NUMBER ||
                 s->kind == BQ_SCHEMA_INT64 || s->kind == BQ_SCHEMA_ANY;
    if (!plain || (double)i > BQ_SAFE_INTEGER_MAX || (double)i < -BQ_SAFE_INTEGER_MAX)
        return BQ_CONFLICT;
    return bq_json_write_number(out, (double)i);
}

static int write_number(struct bq_buf *out, const struct bq_schema *s, double d)
{
    if (s && s->kind != BQ_SCHEMA_NUMBER && s->kind != BQ_SCHEMA_ANY)
        return BQ_CONFLICT;
    return bq_json_write_number(out, d);
}

static int write_text(struct bq_buf *out, const struct bq_schema *s, bq_str text)
{
    bool plain = !s || s->kind == BQ_SCHEMA_ANY ||
                 (s->kind == BQ_SCHEMA_STRING &&
                  !(s->string.format && bq_format_is_bytes(s->string.format)));
    return plain ? bq_json_write_string(out, text) : BQ_CONFLICT;
}

static int write_value(struct bq_buf *out, const struct bq_schema *s, const struct bq_cell *cell)
{
    switch (cell->kind) {
    case 'I':
        return write_integer(out, s, cell->integer);
    case 'D':
        return write_number(out, s, cell->number);
    case 'T':
        return write_text(out, s, cell->bytes);
    default:
        return BQ_CONFLICT;
    }
}

/* --- rows --- */

static int write_key(struct bq_buf *out, char *before, bq_str json_key)
{
    int rc = bq_buf_push(out, *before);
    *before = ',';
    return rc == BQ_OK ? bq_buf_append(out, json_key) : rc;
}

static int write_declared(struct writer *w, const struct bq_schema_field *field, int column,
                          char *before)
{
    const struct bq_schema *s = field->schema;
    const struct bq_cell *cell = column == ABSENT ? NULL : &w->cells[column];
    if (cell && cell->kind != 'N') {
        int rc = write_key(w->out, before, field->json_key);
        return rc == BQ_OK ? write_value(w->out, s, cell) : rc;
    }
    bool null = cell && w->rows->nulls; /* barq.null, not an absent field */
    if (!null && s->has_default)
        return BQ_CONFLICT;
    if (!null && s->optional)
        return BQ_OK;
    if (!s->nullable)
        return BQ_CONFLICT;
    int rc = write_key(w->out, before, field->json_key);
    return rc == BQ_OK ? bq_buf_append(w->out, BQ_STR("null")) : rc;
}

static int write_column(struct writer *w, uint32_t column, char *before)
{
    const struct bq_cell *cell = &w->cells[column];
    if (cell->kind == 'N' && !w->rows->nulls)
        return BQ_OK;
    int rc = bq_buf_push(w->out, *before);
    *before = ',';
    if (rc == BQ_OK)
        rc = bq_json_write_string(w->out, w->names[column]);
    if (rc == BQ_OK)
        rc = bq_buf_push(w->out, ':');
    if (rc != BQ_OK)
        return rc;
    return cell->kind == 'N' ? bq_buf_append(w->out, BQ_STR("null"))
                             : write_value(w->out, NULL, cell);
}

/* An object without fields looks like an empty array once it is a table: that is not plain. */
static int write_row(struct writer *w)
{
    char before = '{';
    int rc = BQ_OK;
    if (w->object)
        for (size_t i = 0; rc == BQ_OK && i < w->object->object.count; i++)
            rc = write_declared(w, &w->object->object.fields[i], w->column_of[i], &before);
    else
        for (uint32_t i = 0; rc == BQ_OK && i < w->rows->columns; i++)
            rc = write_column(w, i, &before);
    if (rc == BQ_OK && before == '{')
        return BQ_CONFLICT;
    return rc == BQ_OK ? bq_buf_push(w->out, '}') : rc;
}

static int write_rows(struct writer *w)
{
    const char *p = w->rows->cells.p;
    int rc = BQ_OK;
    for (size_t row = 0; rc == BQ_OK && row < w->rows->count; row++) {
        for (uint32_t i = 0; i < w->rows->columns; i++)
            p = bq_rows_cell(p, &w->cells[i]);
        if (!w->rows->one)
            rc = bq_buf_push(w->out, row ? ',' : '[');
        if (rc == BQ_OK)
            rc = write_row(w);
        if (w->rows->one)
            return rc;
    }
    if (rc != BQ_OK)
        return rc;
    return bq_buf_append(w->out, w->rows->count ? BQ_STR("]") : BQ_STR("[]"));
}

/* --- the whole --- */

/* Of columns with the same name a table keeps the last one. */
static int find_column(const struct writer *w, bq_str name)
{
    for (uint32_t i = w->rows->columns; i-- > 0;)
        if (bq_str_eq(w->names[i], name))
            return (int)i;
    return ABSENT;
}

static bool has_equal_names(const struct writer *w)
{
    for (uint32_t i = 0; i < w->rows->columns; i++)
        if (find_column(w, w->names[i]) != (int)i)
            return true;
    return false;
}

static void read_names(struct writer *w)
{
    const char *p = w->rows->names.p;
    for (uint32_t i = 0; i < w->rows->columns; i++)
        p = bq_rows_name(p, &w->names[i]);
}

/* Whether every row is an object that can be written in the order of its declaration. */
static bool map_fields(struct writer *w, const struct bq_schema *s)
{
    if (!w->rows->one) {
        if (s->kind != BQ_SCHEMA_ARRAY)
            return false;
        s = s->list.of;
    }
    if (s->kind != BQ_SCHEMA_OBJECT || s->object.count > COLUMNS_MAX ||
        s->object.extra == BQ_EXTRA_KEEP)
        return false;
    w->object = s;
    for (size_t i = 0; i < s->object.count; i++)
        w->column_of[i] = find_column(w, s->object.fields[i].name);
    return true;
}

int bq_rows_write(const struct bq_rows *rows, const struct bq_schema *schema, struct bq_buf *out)
{
    struct writer w; /* its arrays are filled as far as they are used */
    size_t before = bq_buf_size(out);
    w.rows = rows;
    w.object = NULL;
    w.out = out;
    if (rows->columns > COLUMNS_MAX)
        return BQ_CONFLICT;
    read_names(&w);
    if (schema ? !map_fields(&w, schema) : has_equal_names(&w))
        return BQ_CONFLICT;
    int rc = write_rows(&w);
    if (rc == BQ_OK)
        return rc;
    out->len = out->pos + before; /* growing may have moved the position */
    return rc == BQ_MEMORY ? rc : BQ_CONFLICT;
}
