/*
 * schema_json.h: one walk over a JSON text, led by a schema; private to the readers of JSON.
 *
 * Every function that takes a token pushes exactly one value, the one whose token was just read,
 * and reads it to its end, whatever is wrong with it. After an error in the text, which ends the
 * walk, the value means nothing.
 */
#ifndef BQ_APP_SCHEMA_JSON_H
#define BQ_APP_SCHEMA_JSON_H

#include "app/schema.h"
#include "json/read.h"

struct bq_reading {
    lua_State *L;
    struct bq_json_reader r;
    struct bq_invalid *v;
    size_t reread_bytes_left;
    bool careful; /* of repeated names, only the last is read */
};

void bq_reading_take(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token);

/* The value has the wrong type. */
void bq_reading_refuse(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token);

/* s is a UNION. */
void bq_reading_take_union(struct bq_reading *w, const struct bq_schema *s,
                           enum bq_json_token token);

/* Before so many bytes are read again, which counts even if there are none: false if that was
 * done too often, or there was an error; the walk is over then. */
bool bq_reading_pay(struct bq_reading *w, size_t bytes);

/* Whether a value of that kind can begin with the token. null is another matter. */
static inline bool bq_reading_can_begin(enum bq_schema_kind kind, enum bq_json_token token)
{
#define TOKEN(name) (1u << BQ_JSON_##name)
    enum {
        BOOL = TOKEN(FALSE) | TOKEN(TRUE),
        SCALAR = BOOL | TOKEN(NUMBER) | TOKEN(STRING),
        ALL = SCALAR | TOKEN(OBJECT) | TOKEN(ARRAY),
    };
    static const unsigned tokens[] = {
        [BQ_SCHEMA_STRING] = TOKEN(STRING),
        [BQ_SCHEMA_INTEGER] = TOKEN(NUMBER),
        [BQ_SCHEMA_INT64] = TOKEN(NUMBER) | TOKEN(STRING),
        [BQ_SCHEMA_NUMBER] = TOKEN(NUMBER),
        [BQ_SCHEMA_BOOLEAN] = BOOL,
        [BQ_SCHEMA_ENUM] = SCALAR,
        [BQ_SCHEMA_CONST] = SCALAR,
        [BQ_SCHEMA_ANY] = ALL,
        [BQ_SCHEMA_OBJECT] = TOKEN(OBJECT),
        [BQ_SCHEMA_ARRAY] = TOKEN(ARRAY),
        [BQ_SCHEMA_MAP] = TOKEN(OBJECT),
        [BQ_SCHEMA_UNION] = ALL,
    };
#undef TOKEN
    return tokens[kind] >> token & 1;
}

#endif
