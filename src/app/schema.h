/*
 * schema.h: a declared schema, compiled, and what is done with it.
 *
 * lua/barq/schema.lua checks declarations and makes nodes; bq_schema_compile walks them once, when
 * the application is frozen; the rest runs per request. One schema tree serves three inputs (JSON
 * text, strings of the wire, Lua values) and one output (JSON text). Compiled schemas lie in the
 * app's arena and never change.
 *
 * A node, as Lua gives it, is a table with these fields (absent ones are nil):
 *
 *   kind         "string" "integer" "int64" "number" "boolean" "enum" "const" "any" "object"
 * "array" "map" "union" "ref" optional, nullable   true default      a value (barq.null for null);
 * implies optional check        function(v) -> true, or false/nil and a message string:      min,
 * max (code points), pattern (text), trim, lower (booleans), format ("email" "uuid" "uri" "date"
 * "datetime" "time" "ipv4" "ipv6" "bytes") integer, int64, number: min, max, above, below,
 * multiple_of (numbers; for int64 also decimal strings) enum:        values (array) const: value
 *   object:      name (string or nil), fields (array of { name, node } in order), extra ("ignore"
 *                "forbid" "keep")
 *   array:       of (node), min, max, unique    map: of (node), min, max
 *   union:       variants (array of nodes), tag (string or nil)
 *   ref:         target (the object node it names, resolved by Lua before the freeze)
 */
#ifndef BQ_APP_SCHEMA_H
#define BQ_APP_SCHEMA_H

#include "app/encode.h"
#include "app/invalid.h"
#include "base/arena.h"
#include "vm/lua.h"
#include "vm/raw_make.h"
#include "json/check.h"

enum bq_schema_kind {
    BQ_SCHEMA_STRING,
    BQ_SCHEMA_INTEGER,
    BQ_SCHEMA_INT64,
    BQ_SCHEMA_NUMBER,
    BQ_SCHEMA_BOOLEAN,
    BQ_SCHEMA_ENUM,
    BQ_SCHEMA_CONST,
    BQ_SCHEMA_ANY,
    BQ_SCHEMA_OBJECT,
    BQ_SCHEMA_ARRAY,
    BQ_SCHEMA_MAP,
    BQ_SCHEMA_UNION,
};

enum bq_schema_extra { BQ_EXTRA_IGNORE, BQ_EXTRA_FORBID, BQ_EXTRA_KEEP };

struct bq_schema;
struct bq_pattern_re; /* pattern.h: a compiled PCRE2 expression */
struct bq_format;     /* format.h: a named format of strings */

/* Of most keys this is enough, and copied without asking how long they are. */
#define BQ_SCHEMA_KEY_COPIED 16

struct bq_schema_field {
    bq_str name;
    const struct bq_schema *schema;
    int name_ref;      /* the name as a Lua string, in the registry */
    bq_str json_key;   /* "\"name\":" ready to be written; BQ_SCHEMA_KEY_COPIED bytes can be read */
    bq_raw key;        /* the name as it is in a table (quick_schema.c) … */
    uint32_t *seen_at; /* … and the pair at which it was found last */
};

/* Bounds that are not set are not looked at: has says which are. */
enum { BQ_HAS_MIN = 1, BQ_HAS_MAX = 2, BQ_HAS_ABOVE = 4, BQ_HAS_BELOW = 8, BQ_HAS_MULTIPLE = 16 };

/* A hash table over names that are known when it is made, whose seed is chosen so that they collide
 * as little as they can: a name that is in it is nearly always found at the first look, and one
 * that is not costs no more looks than there are names in a row. Nobody but the developer chooses
 * what is in it, so it needs no secret. */
struct bq_schema_index {
    const uint16_t *slots; /* position + 1, 0 is empty */
    size_t mask;
    uint64_t seed;
};

struct bq_schema {
    enum bq_schema_kind kind;
    bool optional, nullable, has_default;
    bool in_place;    /* as in bq_schemas */
    int default_ref;  /* tables are copied for each use */
    int check_ref;    /* LUA_NOREF: none */
    const char *name; /* of a named object schema, or NULL */
    union {
        struct {
            unsigned has; /* MIN, MAX: code points */
            size_t min, max;
            size_t bytes_min, bytes_max; /* of so many it is right as it is; none if min > max */
            bool trim, lower;
            const struct bq_pattern_re *pattern;
            const struct bq_format *format;
        } string;
        struct {
            unsigned has;
            double min, max, above, below, multiple;
            int64_t min64, max64, above64, below64, multiple64; /* int64 and integer */
            double right_min, right_max; /* between them it is right; none if min > max */
        } number;
        struct {
            size_t count;
            const int *refs;     /* values, in the registry */
            const bq_str *texts; /* of the string values; p NULL for others */
            const double *numbers;
            const unsigned char *types;   /* LUA_TSTRING, _TNUMBER, _TBOOLEAN, _TNIL (null) */
            struct bq_schema_index index; /* over the texts */
            bq_str expected;              /* "'a', 'b' or 'c'" for messages */
        } values;                         /* ENUM, and CONST with a count of 1 */
        struct {
            size_t count;
            struct bq_schema_field *fields;
            enum bq_schema_extra extra;
            struct bq_schema_index index;     /* over the names */
            const struct bq_raw_shape *shape; /* of its tables, or NULL */
        } object;
        struct {
            const struct bq_schema *of;
            unsigned has;
            size_t min, max;
            bool unique;
        } list; /* ARRAY, MAP */
        struct {
            size_t count;
            const struct bq_schema **variants;
            bq_str tag; /* n = 0: untagged */
            size_t tag_count;
            const bq_str *tags;           /* every value that the tag may have … */
            const uint16_t *tag_variants; /* … and the variant that each stands for */
            struct bq_schema_index index; /* over the values */
            bq_str expected;              /* "'cat', 'dog'" for messages */
        } of;                             /* UNION */
    };
};

/* What compiling needs and keeps: one an application. References into the registry live as long as
 * the Lua state does. */
struct bq_schemas {
    struct bq_arena arena;
    int memo;  /* registry: node table, weakly -> light userdata; ends recursion, shares nodes */
    bool torn; /* a compilation has not come to its end: what is in the memo is not to be used */
    bool in_place; /* tables can be filled in place: values lie as vm/raw.h says */
};

/* Raises: on memory exhaustion (nothing is to be released then). */
void bq_schemas_init(lua_State *L, struct bq_schemas *all);

/* Frees every schema; the Lua state is not needed any more. */
void bq_schemas_release(struct bq_schemas *all);

/* Compiles the node at index; the same node gives the same schema. Fails: NULL and a sentence in
 * error (a bad pattern with its offset, no more memory, …). Raises: on memory exhaustion. */
const struct bq_schema *bq_schema_compile(lua_State *L, struct bq_schemas *all, int index,
                                          char error[static 512]);

/* The field of that name, or NULL. */
const struct bq_schema_field *bq_schema_find(const struct bq_schema *object, bq_str name);

/* The variant of a tagged union that the tag's value stands for, or NULL. */
const struct bq_schema *bq_schema_variant(const struct bq_schema *tagged, bq_str value);

/* What pydantic calls a variant of an untagged union in a location: "str", "int", "Item", …
 * Valid: always. */
bq_str bq_schema_label(const struct bq_schema *s);

/* --- reading: each pushes exactly one value, which is meaningless once invalid->count > 0. They
 * add to invalid at its current location. Raise: on memory exhaustion, and what a check raised. */

/* JSON text, parsed, validated, converted and built in one pass. Fails: BQ_INVALID or BQ_LIMIT and
 * *error for text that is not JSON (nothing is pushed). What is too ambiguous to read has that one
 * problem, and *error says where. */
int bq_schema_read_json(lua_State *L, const struct bq_schema *s, bq_str text,
                        struct bq_invalid *invalid, struct bq_json_error *error);

/* Strings of the wire: numbers and booleans are converted from them; an ARRAY takes all values of a
 * repeated name, every other kind the last. count 0: absent (the default, or "missing"; for an
 * optional one nil is pushed). */
void bq_schema_read_text(lua_State *L, const struct bq_schema *s, const bq_str *values,
                         size_t count, struct bq_invalid *invalid);

/* The Lua value at index, strict as JSON; tables are copied. For Schema:check. */
void bq_schema_read_value(lua_State *L, const struct bq_schema *s, int index,
                          struct bq_invalid *invalid);

/* --- writing: appends the value at index as JSON, declared fields only, in declared order.
 * Never raises. Fails: BQ_INVALID and error, which names the field; BQ_MEMORY. */
int bq_schema_write(lua_State *L, const struct bq_schema *s, int index, struct bq_buf *out,
                    struct bq_encode_error *error);

#endif
