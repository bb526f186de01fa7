/*
 * encoder.h: what the two writers of Lua values share (encode.c, which guesses the form of a
 * table, and schema_write.c, which is told): where the walk is, how deep it may go, and the walk
 * over arrays and names. Private to them.
 *
 * The value that is being written is on top of the Lua stack. Nothing here raises, runs a
 * metamethod or makes a Lua object; on failure the stack and the buffer are left as they are, and
 * bq_encoder_run puts both right.
 */
#ifndef BQ_APP_ENCODER_H
#define BQ_APP_ENCODER_H

#include "app/encode.h"

/* Where the walk is in the table of one level: at a name, or at a position (name NULL). */
struct bq_encoder_step {
    const char *name;
    size_t n; /* the name's length or the position */
};

struct bq_encoder {
    lua_State *L;
    struct bq_buf *out;
    struct bq_encode_error *error;
    bool declared; /* a schema says what the table on top is: for messages */
    unsigned depth;
    unsigned depth_reserved; /* the Lua stack has room for the walk down to here */
    size_t rewound_bytes;    /* written for variants of unions and taken back */
    struct bq_encoder_step steps[BQ_ENCODE_DEPTH_MAX];
};

/* Appends the value on top as `how` says. */
typedef int (*bq_encoder_fn)(struct bq_encoder *e, const void *how);

/* The whole of a write: fn on the value at index. Stack and, on failure, out are as before. */
int bq_encoder_run(lua_State *L, int index, struct bq_buf *out, struct bq_encode_error *error,
                   bq_encoder_fn fn, const void *how);

/* The sentence of e->error, behind the path to the value on top. Gives BQ_INVALID. */
int bq_encoder_refuse(struct bq_encoder *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A table is entered: bounds the nesting and makes room on the Lua stack. Whoever leaves it
 * without a failure takes one off e->depth. Fails: BQ_INVALID (too deep), BQ_MEMORY. */
int bq_encoder_enter(struct bq_encoder *e);

/* The walk is at this name or position of the table that was entered last. */
static inline void bq_encoder_at(struct bq_encoder *e, const char *name, size_t n)
{
    e->steps[e->depth - 1] = (struct bq_encoder_step){name, n};
}

/* --- encode.c --- */

/* Whatever is on top, without a schema; how is not looked at. */
int bq_encoder_any(struct bq_encoder *e, const void *how);

int bq_encoder_string(struct bq_encoder *e);
int bq_encoder_number(struct bq_encoder *e);

/* The rest of a table that was entered and is not empty: its first key and value, as lua_next
 * gives them, are on the stack. Its keys must be exactly 1 … n, in whatever order. */
int bq_encoder_elements(struct bq_encoder *e, bq_encoder_fn fn, const void *how);

/* The key of lua_next's pair on the stack and a colon; a number is written as a name. */
int bq_encoder_key(struct bq_encoder *e);

static inline bool bq_encoder_is_null(lua_State *L)
{
    int type = lua_type(L, -1);
    return type == LUA_TNIL || (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, -1));
}

#endif
