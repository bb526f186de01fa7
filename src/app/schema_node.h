/*
 * schema_node.h: a node of lua/barq/schema, read field by field; for the files that compile
 * schemas.
 *
 * The node is the table at the top of the Lua stack. What fails has written its sentence to the
 * compiler's error and may leave more on the stack, which the walk takes away.
 */
#ifndef BQ_APP_SCHEMA_NODE_H
#define BQ_APP_SCHEMA_NODE_H

#include "app/schema.h"

#define BQ_COMPILE_ERROR_BYTES_MAX 512

struct bq_compile_pending;

struct bq_compiler {
    lua_State *L;
    struct bq_schemas *all;
    char *error;
    unsigned depth;
    bool blamed; /* the error names the place of a node */
    struct bq_compile_pending *pending;
};

/* Give false. */
bool bq_node_fail(struct bq_compiler *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool bq_node_fail_memory(struct bq_compiler *c);

/* Zeroed memory of the arena. Fails: NULL, told. */
void *bq_node_take(struct bq_compiler *c, size_t n);

/* Gives the buffer's text a place in the arena and releases it. Fails: false, told. */
bool bq_node_keep(struct bq_compiler *c, struct bq_buf *from, bq_str *out);

/* Pushes a field; gives its type. */
int bq_node_push_field(struct bq_compiler *c, const char *name);

bool bq_node_get_flag(struct bq_compiler *c, const char *name);

/* A reference into the registry, LUA_NOREF for nil. */
int bq_node_get_ref(struct bq_compiler *c, const char *name);

/* A copy in the arena; p NULL if there is none. Fails: false, told. */
bool bq_node_get_text(struct bq_compiler *c, const char *name, bq_str *out);

/* Sets the bit in *has if there is one. Fails: false, told. */
bool bq_node_get_size(struct bq_compiler *c, const char *name, unsigned bit, unsigned *has,
                      size_t *out);

/* Pushes the list in a field. Fails: false, told. */
bool bq_node_push_list(struct bq_compiler *c, const char *name, size_t *count);

/* schema_scalar.c: the options of the kinds that hold no other node. Fail: false, told. */
bool bq_node_compile_string(struct bq_compiler *c, struct bq_schema *s);
bool bq_node_compile_number(struct bq_compiler *c, struct bq_schema *s);
bool bq_node_compile_enum(struct bq_compiler *c, struct bq_schema *s);
bool bq_node_compile_const(struct bq_compiler *c, struct bq_schema *s);

#endif
