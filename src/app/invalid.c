/*
 * invalid.c: problems to JSON as they are found.
 *
 * A problem is rendered whole or not at all: when its memory does not come, what was written of it
 * is taken back and json.failed stays, from which the caller makes a 500.
 */
#include "app/invalid.h"

#include "base/rc.h"
#include "base/utf8.h"
#include "json/write.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_BYTES_MAX 1024

void bq_invalid_init(struct bq_invalid *v)
{
    v->json = v->brief = BQ_BUF_INIT;
    v->count = v->depth = 0;
    v->pattern_steps_left = BQ_PATTERN_STEPS_MAX;
    v->quiet = false;
}

void bq_invalid_release(struct bq_invalid *v)
{
    bq_buf_release(&v->json);
    bq_buf_release(&v->brief);
}

/* --- the location --- */

static void push(struct bq_invalid *v, struct bq_loc_step step)
{
    if (v->depth < BQ_INVALID_DEPTH_MAX)
        v->loc[v->depth] = step;
    v->depth++;
}

void bq_invalid_push_key(struct bq_invalid *v, bq_str key)
{
    push(v, (struct bq_loc_step){.key = key.p ? key : BQ_STR("")});
}

void bq_invalid_push_index(struct bq_invalid *v, size_t index)
{
    push(v, (struct bq_loc_step){.index = index});
}

void bq_invalid_pop(struct bq_invalid *v)
{
    assert(v->depth > 0);
    v->depth--;
}

static size_t steps_shown(const struct bq_invalid *v)
{
    return v->depth < BQ_INVALID_DEPTH_MAX ? v->depth : BQ_INVALID_DEPTH_MAX;
}

/* At most max bytes of s, no character cut in two. */
static bq_str cut(bq_str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return bq_str_of(s.p, max);
}

/* --- for the client --- */

/* Memory that did not come shows in out->failed, as for a run of appends. */
static void write_loc(const struct bq_invalid *v, struct bq_buf *out)
{
    size_t n = steps_shown(v);
    for (size_t i = 0; i < n; i++) {
        const struct bq_loc_step *step = &v->loc[i];
        if (i)
            bq_buf_push(out, ',');
        if (step->key.p)
            bq_json_write_lossy(out, cut(step->key, BQ_INVALID_KEY_BYTES_MAX));
        else
            bq_buf_printf(out, "%zu", step->index);
    }
}

static void write_problem(const struct bq_invalid *v, struct bq_buf *out, const char *type,
                          const char *ctx, bq_str message)
{
    bq_buf_printf(out, "%s{\"type\":\"%s\",\"loc\":[", out->len ? "," : "", type);
    write_loc(v, out);
    bq_buf_append(out, BQ_STR("],\"msg\":"));
    bq_json_write_lossy(out, message);
    if (ctx) {
        bq_buf_append(out, BQ_STR(",\"ctx\":{"));
        bq_buf_append(out, bq_str_cstr(ctx));
        bq_buf_push(out, '}');
    }
    bq_buf_push(out, '}');
}

/* --- for the log --- */

static void write_brief(const struct bq_invalid *v, struct bq_buf *out, const char *type)
{
    size_t n = steps_shown(v);
    if (out->len)
        bq_buf_append(out, BQ_STR(", "));
    for (size_t i = 0; i < n; i++) {
        const struct bq_loc_step *step = &v->loc[i];
        if (!step->key.p) {
            bq_buf_printf(out, "[%zu]", step->index);
            continue;
        }
        if (i)
            bq_buf_push(out, '.');
        bq_buf_append(out, cut(step->key, BQ_INVALID_KEY_BYTES_MAX));
    }
    bq_buf_push(out, ' ');
    bq_buf_append(out, bq_str_cstr(type));
}

/* A problem that does not fit, or gets no memory, is left out whole. */
static void add_brief(struct bq_invalid *v, const char *type)
{
    size_t before = v->brief.len;
    write_brief(v, &v->brief, type);
    if (v->brief.failed || v->brief.len > BQ_INVALID_BRIEF_BYTES_MAX)
        v->brief.len = before;
}

/* --- adding, forgetting, answering --- */

void bq_invalid_add(struct bq_invalid *v, const char *type, const char *ctx, const char *format,
                    ...)
{
    v->count++;
    if (v->quiet || v->count > BQ_INVALID_PROBLEMS_MAX || v->json.len >= BQ_INVALID_JSON_BYTES_MAX)
        return;
    char text[MESSAGE_BYTES_MAX];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    bq_str message = bq_str_of(text, n < 0 ? 0 : strnlen(text, sizeof text));
    if (n >= MESSAGE_BYTES_MAX) /* cut by vsnprintf, perhaps within a character */
        message.n = bq_utf8_check(message);
    size_t before = v->json.len;
    write_problem(v, &v->json, type, ctx, message);
    if (v->json.failed)
        v->json.len = before;
    add_brief(v, type);
}

struct bq_invalid_mark bq_invalid_mark(const struct bq_invalid *v)
{
    return (struct bq_invalid_mark){v->count, v->json.len, v->brief.len};
}

void bq_invalid_rewind(struct bq_invalid *v, struct bq_invalid_mark mark)
{
    assert(mark.count <= v->count && mark.json_bytes <= v->json.len);
    assert(mark.brief_bytes <= v->brief.len);
    v->count = mark.count;
    v->json.len = mark.json_bytes;
    v->brief.len = mark.brief_bytes;
}

int bq_invalid_write(const struct bq_invalid *v, struct bq_buf *out)
{
    size_t before = out->len;
    if (v->json.failed)
        return BQ_MEMORY;
    bq_buf_append(out, BQ_STR("{\"detail\":["));
    bq_buf_append(out, bq_buf_str(&v->json));
    bq_buf_append(out, BQ_STR("]}"));
    if (out->failed)
        out->len = before;
    return out->failed ? BQ_MEMORY : BQ_OK;
}
