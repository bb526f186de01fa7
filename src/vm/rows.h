/*
 * rows.h: a query's result on its way from where rows come from (data) to where answers are written
 * (app), without a Lua table in between.
 *
 * A handler that ends in `return db:query(…)` gives its result to nobody but the server: it is a
 * tail call, so that no Lua code can look at the rows any more. Whoever starts a task says whether
 * it takes them as they are (task.h: takes_rows); whoever has them puts them into task->rows, and
 * gives Lua something that keeps them alive as the result.
 *
 * Names: length:u32 bytes, one after the other. Rows, cell by cell:
 *   'N' NULL │ 'I' int64 │ 'D' double │ 'T' length:u32 UTF-8, perhaps │ 'B' length:u32 bytes
 * Numbers are in the machine's byte order.
 */
#ifndef BQ_VM_ROWS_H
#define BQ_VM_ROWS_H

#include "base/str.h"
#include "vm/lua.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bq_rows {
    bq_str names, cells;
    uint32_t columns;
    size_t count;
    bool one;   /* the first row is the result, not an array */
    bool nulls; /* NULL is barq.null in Lua; otherwise the field is absent */
    /* Pushes them as Lua tables. Raises: on memory exhaustion. */
    void (*push)(struct bq_rows *rows, lua_State *L);
    /* They are not looked at any more. */
    void (*release)(struct bq_rows *rows);
};

struct bq_cell {
    char kind;
    int64_t integer;
    double number;
    bq_str bytes;
};

/* Reads a name. Gives: what follows it. */
static inline const char *bq_rows_name(const char *p, bq_str *name)
{
    uint32_t n;
    memcpy(&n, p, sizeof n);
    *name = bq_str_of(p + sizeof n, n);
    return p + sizeof n + n;
}

/* Reads a cell. Gives: what follows it. */
static inline const char *bq_rows_cell(const char *p, struct bq_cell *cell)
{
    cell->kind = *p++;
    switch (cell->kind) {
    case 'I':
        memcpy(&cell->integer, p, sizeof cell->integer);
        return p + sizeof cell->integer;
    case 'D':
        memcpy(&cell->number, p, sizeof cell->number);
        return p + sizeof cell->number;
    case 'T':
    case 'B':
        return bq_rows_name(p, &cell->bytes);
    default:
        return p;
    }
}

#endif
