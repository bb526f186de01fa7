/*
 * encoder.c: the frame of a walk over a Lua value: its path for messages, its depth, its stack.
 *
 * The walk recurses in C, BQ_ENCODE_DEPTH_MAX levels at most, and needs two Lua stack slots per
 * level. It pushes no strings and makes no objects, so it cannot raise; the one allocation, a
 * taller Lua stack for deep values, is made in a protected call.
 */
#include "app/encoder.h"

#include "base/rc.h"

#include <stdarg.h>
#include <stdio.h>

/* Slots beyond two for each level: the value, what is pushed for a moment, lua_cpcall. */
#define SLOTS_EXTRA 5
#define SLOTS_MAX   (2 * BQ_ENCODE_DEPTH_MAX + SLOTS_EXTRA)

#define PATH_BYTES_MAX 100

/* Control characters would break the line of a log. */
static size_t copy_name(char *to, size_t room, const struct bq_encoder_step *step)
{
    size_t n = step->n < room ? step->n : room;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)step->name[i] < 0x20 ? '?' : step->name[i];
    return n;
}

/* The way to the current value, as "a.b[3]"; a long one is cut. */
static void write_path(const struct bq_encoder *e, char path[PATH_BYTES_MAX + 4])
{
    size_t n = 0;
    for (unsigned i = 0; i < e->depth && n < PATH_BYTES_MAX; i++) {
        const struct bq_encoder_step *step = &e->steps[i];
        if (step->name && n)
            path[n++] = '.';
        if (step->name)
            n += copy_name(path + n, PATH_BYTES_MAX - n, step);
        else
            n += (size_t)snprintf(path + n, PATH_BYTES_MAX + 1 - n, "[%zu]", step->n);
    }
    if (n < PATH_BYTES_MAX)
        path[n] = '\0';
    else
        memcpy(path + PATH_BYTES_MAX, "...", 4);
}

int bq_encoder_refuse(struct bq_encoder *e, const char *format, ...)
{
    char path[PATH_BYTES_MAX + 4];
    write_path(e, path);
    char *text = e->error->text;
    size_t size = sizeof e->error->text;
    int n = e->depth ? snprintf(text, size, "field \"%s\": ", path) : 0;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + n, size - (size_t)n, format, ap);
    va_end(ap);
    return BQ_INVALID;
}

static int grow_stack(lua_State *L)
{
    luaL_checkstack(L, SLOTS_MAX, NULL);
    return 0;
}

/* In a protected call, since lua_checkstack may raise when memory is exhausted. */
static int reserve_stack(struct bq_encoder *e)
{
    if (lua_cpcall(e->L, grow_stack, NULL) != 0)
        return BQ_MEMORY;
    e->depth_reserved = BQ_ENCODE_DEPTH_MAX;
    return BQ_OK;
}

/* A function starts with LUA_MINSTACK slots above its arguments, so that at least those
 * less what is on the stack now are free, and they do for most values. */
static unsigned levels_reserved(lua_State *L)
{
    int slots = LUA_MINSTACK - lua_gettop(L) - SLOTS_EXTRA;
    return slots > 0 ? (unsigned)slots / 2 : 0;
}

int bq_encoder_enter(struct bq_encoder *e)
{
    if (e->depth == BQ_ENCODE_DEPTH_MAX)
        return bq_encoder_refuse(e, "nested deeper than %d levels; does the table hold itself?",
                                 BQ_ENCODE_DEPTH_MAX);
    if (e->depth == e->depth_reserved && reserve_stack(e) != BQ_OK)
        return BQ_MEMORY;
    e->depth++;
    return BQ_OK;
}

int bq_encoder_run(lua_State *L, int index, struct bq_buf *out, struct bq_encode_error *error,
                   bq_encoder_fn fn, const void *how)
{
    struct bq_encoder e; /* the steps are set on the way */
    e.L = L;
    e.out = out;
    e.error = error;
    e.declared = false;
    e.depth = 0;
    e.depth_reserved = levels_reserved(L);
    e.rewound_bytes = 0;
    size_t before = bq_buf_size(out);
    int top = lua_gettop(L);
    lua_pushvalue(L, index);
    int rc = fn(&e, how);
    lua_settop(L, top);
    if (rc != BQ_OK)
        out->len = out->pos + before; /* growing may have moved the position */
    return rc;
}
