/*
 * input.h: what a route declares of its request, validated and converted into req.
 *
 * The declared parts (params, query, headers, cookies, body or form) become fields of req before
 * any provider or handler runs; everything that is wrong with all of them is reported at once.
 */
#ifndef BQ_APP_INPUT_H
#define BQ_APP_INPUT_H

#include "app/dispatch.h"
#include "app/schema.h"

#define BQ_INPUT_PARTS 5 /* params, query, headers, cookies, body (or form) */

struct bq_input {
    const struct bq_schema *params, *query, *headers, *cookies; /* objects; NULL: undeclared */
    const struct bq_schema *body, *form;                        /* at most one */
    const bq_str *header_wires, *cookie_wires; /* of their fields: the names on the wire */
    int name_refs[BQ_INPUT_PARTS]; /* the parts' names in req, as Lua strings in the registry */
};

/* Compiles the spec's table at index ({ params = node, … }, absent ones nil). NULL in *out when
 * nothing is declared. Fails: BQ_INVALID and a sentence in error. Raises: on memory exhaustion. */
int bq_input_compile(lua_State *L, struct bq_app *app, int index, struct bq_input **out,
                     char error[static 512]);

/* Sets the declared fields of the req table at index. 0, or the status of the refusal with
 * call->detail set: 422 and the problems as JSON, 400 (malformed) or 415 and a sentence.
 * Raises: on memory exhaustion, and what a schema's check raised. */
int bq_input_check(lua_State *L, struct bq_call *call, int index);

#endif
