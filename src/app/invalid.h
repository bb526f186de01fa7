/*
 * invalid.h: everything that is wrong with a request, collected, in FastAPI's shape with pydantic
 * v2's type names: {"detail":[{"type":…,"loc":["body","price"],"msg":…,"ctx":{…}}]}.
 *
 * Problems are rendered as JSON when they are found, and cost nothing until then. Their number and
 * their size are bounded whatever the client sends; input values are never echoed, and of the names
 * that a client chose only the beginning.
 */
#ifndef BQ_APP_INVALID_H
#define BQ_APP_INVALID_H

#include "app/pattern.h"
#include "base/buf.h"

#define BQ_INVALID_PROBLEMS_MAX    100   /* further ones are counted, not rendered */
#define BQ_INVALID_JSON_BYTES_MAX  65536 /* no problem is rendered once there are so many */
#define BQ_INVALID_BRIEF_BYTES_MAX 512
#define BQ_INVALID_KEY_BYTES_MAX   128 /* of a name in a location; the rest is cut */
#define BQ_INVALID_DEPTH_MAX       264 /* the decoder's nesting, with a variant at each */

struct bq_loc_step {
    bq_str key;   /* p NULL: an index */
    size_t index; /* from 0 */
};

struct bq_invalid {
    struct bq_buf json;  /* the problems, separated by commas */
    struct bq_buf brief; /* "body.price greater_than_equal, …" for the log: no values */
    size_t count;
    uint32_t pattern_steps_left;
    bool quiet; /* problems are counted only: for variants of a union that are tried */
    size_t depth;
    struct bq_loc_step loc[BQ_INVALID_DEPTH_MAX];
};

void bq_invalid_init(struct bq_invalid *v);
void bq_invalid_release(struct bq_invalid *v);

/* The location that problems are found at. key must stay valid until the pop, and after
 * an error that Lua raised in between nothing but release is allowed. Steps beyond
 * BQ_INVALID_DEPTH_MAX are counted and not shown. */
void bq_invalid_push_key(struct bq_invalid *v, bq_str key);
void bq_invalid_push_index(struct bq_invalid *v, size_t index);
void bq_invalid_pop(struct bq_invalid *v);

/* A problem here: pydantic's type name, a message, and the inside of ctx as JSON ("\"ge\":0"), NULL
 * for none. A lack of memory shows in v->json.failed. */
void bq_invalid_add(struct bq_invalid *v, const char *type, const char *ctx, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* For variants of a union that are tried: what has been found since a mark is forgotten. */
struct bq_invalid_mark {
    size_t count, json_bytes, brief_bytes;
};
struct bq_invalid_mark bq_invalid_mark(const struct bq_invalid *v);
void bq_invalid_rewind(struct bq_invalid *v, struct bq_invalid_mark mark);

/* Appends {"detail":[…]}. Fails: BQ_MEMORY (also when a problem did not get its memory). */
int bq_invalid_write(const struct bq_invalid *v, struct bq_buf *out);

#endif
