/*
 * schema_check.h: what all inputs of a schema share: whether a value fits, and what is said if not.
 *
 * The readers (JSON text, strings of the wire, Lua values) differ in how they come to a value; from
 * there on it is judged here, with pydantic v2's type names, messages and ctx. As there, the first
 * thing that is wrong with a value is its problem: for a number multiple_of, then the upper bounds,
 * then the lower ones; for a string its length, then its pattern, then its format.
 *
 * Functions that take L push exactly one value, which is nil where it does not fit (unless their
 * comment says otherwise). They raise on memory exhaustion. Nobody here looks at optional, nullable
 * and check but the functions that say so.
 */
#ifndef BQ_APP_SCHEMA_CHECK_H
#define BQ_APP_SCHEMA_CHECK_H

#include "app/schema.h"

/* Said of a value for which too many variants of unions would have to be tried. */
#define BQ_TOO_AMBIGUOUS "too ambiguous to read: too many variants of a union may fit"

/* |n| of an INTEGER: beyond it, doubles skip integers. */
#define BQ_SAFE_INTEGER_MAX 9007199254740991.0

/* A value as a reader found it. */
struct bq_scalar {
    int type;      /* LUA_TNIL (null), LUA_TBOOLEAN, LUA_TNUMBER or LUA_TSTRING */
    bool boolean;  /* BOOLEAN */
    bool raw;      /* STRING: of Lua, where bytes are bytes and not base64 */
    double number; /* NUMBER */
    bq_str text;   /* STRING: its bytes. NUMBER: as written, for an INT64; p NULL if it never was */
};

/* The value, strictly, for a schema of any kind but UNION (an OBJECT, ARRAY or MAP finds the wrong
 * type, or null). Looks at nullable. An INTEGER takes a number without a fraction however it was
 * written (1.0), an INT64 digits as a number or as a string. */
void bq_check_scalar(lua_State *L, const struct bq_schema *s, const struct bq_scalar *given,
                     struct bq_invalid *v);

/* The same for one kind each, for readers that know it: UTF-8 is the caller's promise for
 * bq_check_string if valid_utf8. */
void bq_check_string(lua_State *L, const struct bq_schema *s, bq_str text, bool valid_utf8,
                     struct bq_invalid *v);
void bq_check_bytes(lua_State *L, const struct bq_schema *s, bq_str raw, struct bq_invalid *v);
void bq_check_integer(lua_State *L, const struct bq_schema *s, double value, struct bq_invalid *v);
void bq_check_int64(lua_State *L, const struct bq_schema *s, bq_str digits, struct bq_invalid *v);
void bq_check_number(lua_State *L, const struct bq_schema *s, double value, struct bq_invalid *v);
void bq_check_choice(lua_State *L, const struct bq_schema *s, const struct bq_scalar *given,
                     struct bq_invalid *v); /* ENUM, CONST */

/* Something is there, but of another type: "int_type", "string_type", … Pushes nothing. */
void bq_check_type(const struct bq_schema *s, struct bq_invalid *v);

/* Nothing is there: the default, nil for an optional value, or "missing". */
void bq_check_absent(lua_State *L, const struct bq_schema *s, struct bq_invalid *v);

/* Null is there: barq.null if the schema is nullable, an ANY, or has it among its values; else the
 * wrong type. */
void bq_check_null(lua_State *L, const struct bq_schema *s, struct bq_invalid *v);

/* How many entries the table at index, an absolute one, has. */
size_t bq_count_entries(lua_State *L, int index);

/* The length of an ARRAY or MAP. Pushes nothing. */
void bq_check_length(const struct bq_schema *s, size_t count, struct bq_invalid *v);

/* The table of an ARRAY is at the top, its elements have been read, when v->count was count_before:
 * unless there is something wrong with one of them, their number is checked, and that they are
 * unique. Pushes nothing. */
void bq_check_elements(lua_State *L, const struct bq_schema *s, size_t count, size_t count_before,
                       struct bq_invalid *v);

/* For an ARRAY with unique: whether the elements of the table at the top, 1 to count, differ;
 * tables are compared by what is in them. Expected time is linear. Pushes nothing. */
void bq_check_unique(lua_State *L, const struct bq_schema *s, size_t count, struct bq_invalid *v);

/* A key that an OBJECT with extra = "forbid" does not know; v is at the key. Pushes nothing. */
void bq_check_extra(struct bq_invalid *v);

/* The tag of a tagged union is missing or not a string, or is none of the expected. (With a right
 * one, the location gets the tag's value before the variant's.) Push nothing. */
void bq_check_tag_missing(const struct bq_schema *tagged, struct bq_invalid *v);
void bq_check_tag_unknown(const struct bq_schema *tagged, struct bq_invalid *v);

/* Calls the schema's check, if it has one and v->count is still count_before, with the value at
 * the top, which stays. Pushes nothing. The check must not wait. Raises: what the check raised. */
void bq_check_call(lua_State *L, const struct bq_schema *s, struct bq_invalid *v);

static inline void bq_check_custom(lua_State *L, const struct bq_schema *s, size_t count_before,
                                   struct bq_invalid *v)
{
    if (s->check_ref != LUA_NOREF && v->count == count_before)
        bq_check_call(L, s, v);
}

/* The default; a table is copied through and through, so that each request has its own. */
void bq_push_default(lua_State *L, const struct bq_schema *s);

#endif
