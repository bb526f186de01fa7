/*
 * schema_node.c: the fields of a node, with what is said when one is not as it should be.
 */
#include "app/schema_node.h"

#include "app/schema_index.h"
#include "base/rc.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* --- what goes wrong --- */

bool bq_node_fail(struct bq_compiler *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->error, BQ_COMPILE_ERROR_BYTES_MAX, format, ap);
    va_end(ap);
    return false;
}

bool bq_node_fail_memory(struct bq_compiler *c)
{
    return bq_node_fail(c, "not enough memory");
}

void *bq_node_take(struct bq_compiler *c, size_t n)
{
    void *p = bq_arena_alloc(&c->all->arena, n);
    if (p)
        memset(p, 0, n);
    else
        bq_node_fail_memory(c);
    return p;
}

/* --- the node at the top of the stack --- */

int bq_node_push_field(struct bq_compiler *c, const char *name)
{
    lua_pushstring(c->L, name);
    lua_rawget(c->L, -2);
    return lua_type(c->L, -1);
}

bool bq_node_get_flag(struct bq_compiler *c, const char *name)
{
    bq_node_push_field(c, name);
    bool yes = lua_toboolean(c->L, -1);
    lua_pop(c->L, 1);
    return yes;
}

bool bq_node_get_text(struct bq_compiler *c, const char *name, bq_str *out)
{
    *out = bq_str_of(NULL, 0);
    if (bq_node_push_field(c, name) == LUA_TSTRING) {
        bq_str text;
        text.p = lua_tolstring(c->L, -1, &text.n);
        *out = bq_arena_dup(&c->all->arena, text);
        if (!out->p)
            return bq_node_fail_memory(c);
    }
    lua_pop(c->L, 1);
    return true;
}

int bq_node_get_ref(struct bq_compiler *c, const char *name)
{
    if (bq_node_push_field(c, name) != LUA_TNIL)
        return luaL_ref(c->L, LUA_REGISTRYINDEX);
    lua_pop(c->L, 1);
    return LUA_NOREF;
}

bool bq_node_get_size(struct bq_compiler *c, const char *name, unsigned bit, unsigned *has,
                      size_t *out)
{
    int type = bq_node_push_field(c, name);
    double v = lua_tonumber(c->L, -1);
    lua_pop(c->L, 1);
    if (type == LUA_TNIL)
        return true;
    if (type != LUA_TNUMBER || !(v >= 0 && v <= 9007199254740991.0) || v != floor(v))
        return bq_node_fail(c, "%s should be an integer from 0", name);
    *out = (size_t)v;
    *has |= bit;
    return true;
}

bool bq_node_push_list(struct bq_compiler *c, const char *name, size_t *count)
{
    if (bq_node_push_field(c, name) != LUA_TTABLE)
        return bq_node_fail(c, "%s should be a list", name);
    *count = lua_objlen(c->L, -1);
    if (*count > BQ_SCHEMA_NAMES_MAX)
        return bq_node_fail(c, "%s should have at most %d elements", name, BQ_SCHEMA_NAMES_MAX);
    return true;
}

bool bq_node_keep(struct bq_compiler *c, struct bq_buf *from, bq_str *out)
{
    if (!from->failed)
        *out = bq_arena_dup(&c->all->arena, bq_buf_str(from));
    bq_buf_release(from);
    return out->p || bq_node_fail_memory(c);
}
