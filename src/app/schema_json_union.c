/*
 * schema_json_union.c: which variant of a union a JSON value is.
 *
 * With a tag, by looking ahead for its value, which most clients write first. Without, by trying:
 * the reader is a plain value, so that a copy goes back to where the value began. Variants that
 * cannot begin as the value does are not tried.
 */
#include "app/schema_check.h"
#include "app/schema_json.h"
#include "base/rc.h"

static bool go_back(struct bq_reading *w, const struct bq_json_reader *start)
{
    if (!bq_reading_pay(w, (size_t)(w->r.p - start->p)))
        return false;
    w->r = *start;
    return true;
}

/* No variant fits: all that is wrong with each of them, under its name. */
static void report_variants(struct bq_reading *w, const struct bq_schema *s,
                            enum bq_json_token token)
{
    struct bq_json_reader start = w->r;
    for (size_t i = 0; i < s->of.count; i++) {
        if (i > 0 && !go_back(w, &start))
            break;
        bq_invalid_push_key(w->v, bq_schema_label(s->of.variants[i]));
        bq_reading_take(w, s->of.variants[i], token);
        bq_invalid_pop(w->v);
        lua_pop(w->L, 1);
    }
    lua_pushnil(w->L);
}

/* The first variant that has no problem with the value. False if there is none: nothing is pushed
 * then. */
static bool try_variants(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token)
{
    struct bq_json_reader start = w->r;
    struct bq_invalid_mark mark = bq_invalid_mark(w->v);
    for (size_t i = 0; i < s->of.count; i++) {
        const struct bq_schema *variant = s->of.variants[i];
        if (token != BQ_JSON_NULL && !bq_reading_can_begin(variant->kind, token))
            continue;
        bq_reading_take(w, variant, token);
        if (w->r.rc != BQ_OK || w->v->count == mark.count)
            return true;
        bq_invalid_rewind(w->v, mark);
        if (!go_back(w, &start))
            return true;
        lua_pop(w->L, 1);
    }
    return false;
}

/* Within a variant that is tried itself, nobody wants to know why none fits. */
static void read_untagged(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token)
{
    bool outer = w->v->quiet;
    w->v->quiet = true;
    bool done = try_variants(w, s, token);
    w->v->quiet = outer;
    if (done)
        return;
    if (!outer) {
        report_variants(w, s, token);
        return;
    }
    bq_json_skip(&w->r, token);
    w->v->count++;
    lua_pushnil(w->L);
}

/* Looks ahead for the tag's value, the last one or the first; pushes it as a string, or nil. */
static void push_tag(struct bq_reading *w, const struct bq_schema *s, bool last)
{
    struct bq_json_reader ahead = w->r;
    lua_pushnil(w->L);
    while ((last || lua_isnil(w->L, -1)) && bq_json_key(&ahead)) {
        if (!bq_str_eq(ahead.string, s->of.tag)) {
            bq_json_pass(&ahead);
            continue;
        }
        enum bq_json_token token = bq_json_value(&ahead);
        lua_pop(w->L, 1);
        if (token == BQ_JSON_STRING)
            lua_pushlstring(w->L, ahead.string.p, ahead.string.n);
        else
            lua_pushnil(w->L);
        bq_json_skip(&ahead, token);
    }
    bq_reading_pay(w, (size_t)(ahead.p - w->r.p));
}

/* Pushes the tag. That it comes twice is seen when the variant's fields are read, if there is a
 * variant. */
static const struct bq_schema *find_variant(struct bq_reading *w, const struct bq_schema *s,
                                            bool last, bq_str *tag)
{
    push_tag(w, s, last);
    tag->n = 0;
    tag->p = lua_tolstring(w->L, -1, &tag->n);
    const struct bq_schema *variant = tag->p ? bq_schema_variant(s, *tag) : NULL;
    if (variant || last)
        return variant;
    lua_pop(w->L, 1);
    return find_variant(w, s, true, tag);
}

/* An object was entered. */
static void read_tagged(struct bq_reading *w, const struct bq_schema *s)
{
    bq_str tag;
    const struct bq_schema *variant = find_variant(w, s, w->careful, &tag);
    if (variant) {
        bq_invalid_push_key(w->v, tag);
        bq_reading_take(w, variant, BQ_JSON_OBJECT);
        bq_invalid_pop(w->v);
    } else {
        bq_json_skip(&w->r, BQ_JSON_OBJECT);
        if (w->r.rc == BQ_OK && tag.p)
            bq_check_tag_unknown(s, w->v);
        else if (w->r.rc == BQ_OK)
            bq_check_tag_missing(s, w->v);
        lua_pushnil(w->L);
    }
    lua_replace(w->L, -2);
}

void bq_reading_take_union(struct bq_reading *w, const struct bq_schema *s,
                           enum bq_json_token token)
{
    if (s->of.tag.n == 0)
        read_untagged(w, s, token);
    else if (token == BQ_JSON_OBJECT)
        read_tagged(w, s);
    else
        bq_reading_refuse(w, s, token);
}
