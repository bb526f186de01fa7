/*
 * schema_problem.c: what is said of values that do not fit: pydantic v2's type names, messages and
 * ctx.
 *
 * Where pydantic would show the input (the tag of a union), the message goes without it. Memory is
 * taken here only while nothing of Lua is called, and what does not get any shows in json.failed.
 */
#include "app/schema_problem.h"

#include "app/schema_check.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>

#define NUMBER_BYTES_MAX 64

/* --- problems with a ctx --- */

/* ctx is the inside of an object; failed if it did not get its memory. Releases it. */
static void add(struct bq_invalid *v, const char *type, const char *said, bq_str shown,
                struct bq_buf *ctx)
{
    bq_buf_push(ctx, '\0');
    bq_invalid_add(v, type, ctx->failed ? NULL : ctx->data, "%s%.*s", said, BQ_STR_ARG(shown));
    if (ctx->failed)
        v->json.failed = true;
    bq_buf_release(ctx);
}

static void write_member(struct bq_buf *out, const char *key, bq_str text)
{
    bq_buf_printf(out, "%s\"%s\":", out->len ? "," : "", key);
    bq_json_write_lossy(out, text);
}

static void write_quoted(struct bq_buf *out, bq_str text)
{
    bq_buf_push(out, '\'');
    bq_buf_append(out, text);
    bq_buf_push(out, '\'');
}

void bq_problem_text(struct bq_invalid *v, const char *type, const char *said, const char *key,
                     bq_str text)
{
    struct bq_buf ctx = BQ_BUF_INIT;
    write_member(&ctx, key, text);
    add(v, type, said, text, &ctx);
}

void bq_problem_quoted(struct bq_invalid *v, const char *type, const char *said, const char *key,
                       bq_str text)
{
    struct bq_buf ctx = BQ_BUF_INIT, quoted = BQ_BUF_INIT;
    write_member(&ctx, key, text);
    write_quoted(&quoted, text);
    if (quoted.failed)
        v->json.failed = true;
    add(v, type, said, bq_buf_str(&quoted), &ctx);
    bq_buf_release(&quoted);
}

static void add_number(struct bq_invalid *v, const char *type, const char *said, const char *key,
                       bq_str digits)
{
    struct bq_buf ctx = BQ_BUF_INIT;
    bq_buf_printf(&ctx, "\"%s\":%.*s", key, BQ_STR_ARG(digits));
    add(v, type, said, digits, &ctx);
}

void bq_problem_number(struct bq_invalid *v, const char *type, const char *said, const char *key,
                       double number)
{
    struct bq_buf digits = BQ_BUF_INIT;
    bq_json_write_number(&digits, number);
    if (digits.failed)
        v->json.failed = true;
    add_number(v, type, said, key, bq_buf_str(&digits));
    bq_buf_release(&digits);
}

void bq_problem_int64(struct bq_invalid *v, const char *type, const char *said, const char *key,
                      int64_t number)
{
    char digits[NUMBER_BYTES_MAX];
    int n = snprintf(digits, sizeof digits, "%" PRId64, number);
    add_number(v, type, said, key, bq_str_of(digits, (size_t)n));
}

/* --- types --- */

struct type_problem {
    const char *type, *message;
};

static const struct type_problem type_problems[] = {
    [BQ_SCHEMA_STRING] = {"string_type", "Input should be a valid string"},
    [BQ_SCHEMA_INTEGER] = {"int_type", "Input should be a valid integer"},
    [BQ_SCHEMA_INT64] = {"int_type", "Input should be a valid integer"},
    [BQ_SCHEMA_NUMBER] = {"float_type", "Input should be a valid number"},
    [BQ_SCHEMA_BOOLEAN] = {"bool_type", "Input should be a valid boolean"},
    [BQ_SCHEMA_ANY] = {"any_type", "Input should be a string, number, boolean, table or null"},
    [BQ_SCHEMA_OBJECT] = {"model_type", "Input should be an object"},
    [BQ_SCHEMA_ARRAY] = {"list_type", "Input should be a valid array"},
    [BQ_SCHEMA_MAP] = {"dict_type", "Input should be an object"},
    [BQ_SCHEMA_UNION] = {"dict_type", "Input should be an object"},
};

void bq_check_type(const struct bq_schema *s, struct bq_invalid *v)
{
    if (s->kind == BQ_SCHEMA_ENUM) {
        bq_problem_text(v, "enum", "Input should be ", "expected", s->values.expected);
    } else if (s->kind == BQ_SCHEMA_CONST) {
        bq_problem_text(v, "literal_error", "Input should be ", "expected", s->values.expected);
    } else if (s->kind == BQ_SCHEMA_OBJECT && s->name) {
        struct bq_buf ctx = BQ_BUF_INIT;
        write_member(&ctx, "class_name", bq_str_cstr(s->name));
        add(v, "model_type", "Input should be an object", BQ_STR(""), &ctx);
    } else {
        const struct type_problem *p = &type_problems[s->kind];
        bq_invalid_add(v, p->type, NULL, "%s", p->message);
    }
}

void bq_check_extra(struct bq_invalid *v)
{
    bq_invalid_add(v, "extra_forbidden", NULL, "Extra inputs are not permitted");
}

/* --- lengths --- */

static void add_length(struct bq_invalid *v, const struct bq_schema *s, bool low, size_t bound,
                       size_t count)
{
    const char *what = s->kind == BQ_SCHEMA_MAP ? "Dictionary" : "List";
    char ctx[160];
    snprintf(ctx, sizeof ctx, "\"field_type\":\"%s\",\"%s_length\":%zu,\"actual_length\":%zu", what,
             low ? "min" : "max", bound, count);
    bq_invalid_add(v, low ? "too_short" : "too_long", ctx,
                   "%s should have at %s %zu item%s after validation, not %zu", what,
                   low ? "least" : "most", bound, bound == 1 ? "" : "s", count);
}

void bq_check_length(const struct bq_schema *s, size_t count, struct bq_invalid *v)
{
    if (s->list.has & BQ_HAS_MIN && count < s->list.min)
        add_length(v, s, true, s->list.min, count);
    else if (s->list.has & BQ_HAS_MAX && count > s->list.max)
        add_length(v, s, false, s->list.max, count);
}

/* --- unions --- */

void bq_check_tag_missing(const struct bq_schema *tagged, struct bq_invalid *v)
{
    struct bq_buf name = BQ_BUF_INIT;
    write_quoted(&name, tagged->of.tag);
    bq_problem_text(v, "union_tag_not_found", "Unable to extract tag using discriminator ",
                    "discriminator", bq_buf_str(&name));
    if (name.failed)
        v->json.failed = true;
    bq_buf_release(&name);
}

void bq_check_tag_unknown(const struct bq_schema *tagged, struct bq_invalid *v)
{
    struct bq_buf said = BQ_BUF_INIT, ctx = BQ_BUF_INIT, name = BQ_BUF_INIT;
    write_quoted(&name, tagged->of.tag);
    write_member(&ctx, "discriminator", bq_buf_str(&name));
    write_member(&ctx, "expected_tags", tagged->of.expected);
    bq_buf_printf(&said, "Input tag found using %.*s does not match any of the expected tags: ",
                  BQ_STR_ARG(bq_buf_str(&name)));
    bq_buf_push(&said, '\0');
    if (name.failed || said.failed)
        v->json.failed = true;
    add(v, "union_tag_invalid", said.failed ? "" : said.data, tagged->of.expected, &ctx);
    bq_buf_release(&name);
    bq_buf_release(&said);
}

bq_str bq_schema_label(const struct bq_schema *s)
{
    static const char *const labels[] = {
        [BQ_SCHEMA_STRING] = "str",    [BQ_SCHEMA_INTEGER] = "int",  [BQ_SCHEMA_INT64] = "int",
        [BQ_SCHEMA_NUMBER] = "float",  [BQ_SCHEMA_BOOLEAN] = "bool", [BQ_SCHEMA_ENUM] = "enum",
        [BQ_SCHEMA_CONST] = "literal", [BQ_SCHEMA_ANY] = "any",      [BQ_SCHEMA_OBJECT] = "model",
        [BQ_SCHEMA_ARRAY] = "list",    [BQ_SCHEMA_MAP] = "dict",     [BQ_SCHEMA_UNION] = "union",
    };
    return bq_str_cstr(s->name ? s->name : labels[s->kind]);
}
