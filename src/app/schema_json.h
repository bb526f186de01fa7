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
    bool careful;  /* of repeated names, only the last is read */
    bool in_place; /* as in bq_schemas */
};

/* Slots of Lua's stack for one level of nesting: what is gathered before a table is made, and some
 * more. */
#define BQ_READING_SLOTS (BQ_RAW_NAMES_MAX + 16)

/* Elements of an array that are gathered, and room in its table where there are more. */
#define BQ_READING_GATHERED 16
#define BQ_READING_ROOM     (2 * BQ_READING_GATHERED)

_Static_assert(BQ_READING_GATHERED <= BQ_RAW_NAMES_MAX, "each takes a slot");

void bq_reading_take(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token);

/* The value has the wrong type. */
void bq_reading_refuse(struct bq_reading *w, const struct bq_schema *s, enum bq_json_token token);

/* s is a UNION. */
void bq_reading_take_union(struct bq_reading *w, const struct bq_schema *s,
                           enum bq_json_token token);

/* Ends the walk as an error in the text does. */
void bq_reading_stop(struct bq_reading *w, int rc, const char *reason);

/* The next member of the object that was entered: false if there is none. Its field is NULL if it
 * is not declared. The guess is which field it will be. */
bool bq_reading_next_member(struct bq_reading *w, const struct bq_schema *s, size_t guess,
                            const struct bq_schema_field **field);

/* The member that is not declared; what is kept goes into the table at the top. Pushes nothing. */
void bq_reading_take_extra(struct bq_reading *w, const struct bq_schema *s);

/* The first elements of the array, before so many problems, are in the table at the top: the others
 * follow, and what all of them should be together. */
void bq_reading_finish_list(struct bq_reading *w, const struct bq_schema *s, size_t count,
                            size_t problems_before);

/* Whether tables of the OBJECT can be filled in place. A careful walk has its own order. */
static inline bool bq_reading_has_shape(const struct bq_reading *w, const struct bq_schema *s)
{
    return w->in_place && s->object.shape && !w->careful;
}

/* schema_json_quick.c: an OBJECT that has a shape, and an ARRAY, where w->in_place says so. Give
 * what the table is in another one. */
bq_raw bq_reading_take_record(struct bq_reading *w, const struct bq_schema *s);
bq_raw bq_reading_take_list(struct bq_reading *w, const struct bq_schema *s);

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
