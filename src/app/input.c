/* input.c: gathers the strings of each declared part, and has the schemas read them. */
#include "app/input.h"

#include "app/request.h"
#include "app/schema_check.h"
#include "base/log.h"
#include "base/rc.h"
#include "http/decode.h"

#include <stdio.h>
#include <string.h>

enum part { PARAMS, QUERY, HEADERS, COOKIES, FORM };

static const char *const part_fields[] = {"params", "query", "headers", "cookies", "body"};
static const char *const part_locs[] = {"path", "query", "header", "cookie", "body"};

_Static_assert(sizeof part_fields / sizeof *part_fields == BQ_INPUT_PARTS, "a name for each");

/* --- compiling ---------------------------------------------------------------------------- */

static int compile_part(lua_State *L, struct bq_app *app, int index, const char *name,
                        const struct bq_schema **out, char error[static 512])
{
    char why[512];
    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1)) {
        *out = bq_schema_compile(L, &app->schemas, lua_gettop(L), why);
        if (!*out) {
            snprintf(error, 512, "%s: %.480s", name, why);
            lua_pop(L, 1);
            return BQ_INVALID;
        }
    }
    lua_pop(L, 1);
    return BQ_OK;
}

/* The names that the fields of headers and cookies have on the wire: "_" means "-". */
static const bq_str *compile_wires(lua_State *L, struct bq_app *app, const struct bq_schema *object)
{
    struct bq_arena *a = &app->schemas.arena;
    if (!object)
        return NULL;
    bq_str *wires = bq_arena_alloc(a, (object->object.count + 1) * sizeof *wires);
    for (size_t i = 0; wires && i < object->object.count; i++) {
        bq_str name = object->object.fields[i].name;
        char *text = bq_arena_alloc(a, name.n + 1);
        if (!text)
            luaL_error(L, "not enough memory");
        for (size_t j = 0; j < name.n; j++)
            text[j] = name.p[j] == '_' ? '-' : bq_lower(name.p[j]);
        wires[i] = bq_str_of(text, name.n);
    }
    if (!wires)
        luaL_error(L, "not enough memory");
    return wires;
}

int bq_input_compile(lua_State *L, struct bq_app *app, int index, struct bq_input **out,
                     char error[static 512])
{
    struct bq_input parts = {0};
    const struct {
        const char *name;
        const struct bq_schema **schema;
    } all[] = {{"params", &parts.params},   {"query", &parts.query}, {"headers", &parts.headers},
               {"cookies", &parts.cookies}, {"body", &parts.body},   {"form", &parts.form}};
    bool any = false;
    *out = NULL;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int rc = compile_part(L, app, index, all[i].name, all[i].schema, error);
        if (rc != BQ_OK)
            return rc;
        any = any || *all[i].schema;
    }
    if (!any)
        return BQ_OK;
    parts.header_wires = compile_wires(L, app, parts.headers);
    parts.cookie_wires = compile_wires(L, app, parts.cookies);
    for (int part = 0; part < BQ_INPUT_PARTS; part++) {
        lua_pushstring(L, part_fields[part]);
        parts.name_refs[part] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    *out = bq_arena_alloc(&app->schemas.arena, sizeof **out);
    if (!*out)
        luaL_error(L, "not enough memory");
    **out = parts;
    return BQ_OK;
}

/* --- gathering: the strings of each declared field ----------------------------------------- */

/* One string of the wire for a field; the strings of a field are a list in order. */
struct text {
    struct text *next;
    bq_str value;
};

struct texts {
    struct text *first, *last;
    size_t count;
};

/* All fields of one part, in the exchange's arena. */
struct gathering {
    struct bq_call *call;
    const struct bq_schema *object;
    const bq_str *wires; /* the fields' names on the wire, NULL: as declared */
    struct texts *fields;
    struct bq_invalid *invalid;
};

static void *alloc_must(lua_State *L, struct bq_call *call, size_t n)
{
    void *p = bq_arena_alloc(&call->ex->arena, n);
    if (!p)
        luaL_error(L, "not enough memory");
    return p;
}

static void begin_gathering(lua_State *L, struct gathering *g)
{
    size_t n = g->object->object.count;
    g->fields = alloc_must(L, g->call, (n ? n : 1) * sizeof *g->fields);
    memset(g->fields, 0, n * sizeof *g->fields);
}

static void add_text(lua_State *L, struct gathering *g, const struct bq_schema_field *field,
                     bq_str value)
{
    struct texts *list = &g->fields[field - g->object->object.fields];
    struct text *t = alloc_must(L, g->call, sizeof *t);
    *t = (struct text){NULL, value};
    if (list->last)
        list->last->next = t;
    else
        list->first = t;
    list->last = t;
    list->count++;
}

/* An undeclared text becomes a string in the table at the top; broken UTF-8 is refused. */
static void keep_extra(lua_State *L, struct gathering *g, bq_str name, bq_str value)
{
    static const struct bq_schema any = {.kind = BQ_SCHEMA_ANY, .check_ref = LUA_NOREF};
    bq_schema_read_text(L, &any, &name, 1, g->invalid);
    bq_schema_read_text(L, &any, &value, 1, g->invalid);
    if (lua_isnil(L, -2))
        lua_pop(L, 2);
    else
        lua_rawset(L, -3);
}

static void add_extra(lua_State *L, struct gathering *g, bq_str name, bq_str value)
{
    if (g->object->object.extra == BQ_EXTRA_IGNORE)
        return;
    bq_invalid_push_key(g->invalid, name);
    if (g->object->object.extra == BQ_EXTRA_KEEP)
        keep_extra(L, g, name, value);
    else
        bq_check_extra(g->invalid);
    bq_invalid_pop(g->invalid);
}

static const bq_str *array_of(lua_State *L, struct gathering *g, const struct texts *list)
{
    bq_str *values = alloc_must(L, g->call, (list->count ? list->count : 1) * sizeof *values);
    size_t n = 0;
    for (const struct text *t = list->first; t; t = t->next)
        values[n++] = t->value;
    return values;
}

/* Reads every field into the table at the top. */
static void read_fields(lua_State *L, struct gathering *g)
{
    const struct bq_schema *object = g->object;
    for (size_t i = 0; i < object->object.count; i++) {
        const struct bq_schema_field *field = &object->object.fields[i];
        const struct texts *list = &g->fields[i];
        const bq_str *values = list->count == 1 ? &list->first->value : array_of(L, g, list);
        bq_invalid_push_key(g->invalid, g->wires ? g->wires[i] : field->name);
        lua_rawgeti(L, LUA_REGISTRYINDEX, field->name_ref);
        bq_schema_read_text(L, field->schema, values, list->count, g->invalid);
        lua_rawset(L, -3);
        bq_invalid_pop(g->invalid);
    }
}

/* --- the parts ---------------------------------------------------------------------------- */

static void gather_params(lua_State *L, struct gathering *g)
{
    const struct bq_call *call = g->call;
    for (size_t i = 0; i < call->route->param_count; i++) {
        const struct bq_schema_field *field = bq_schema_find(g->object, call->route->params[i]);
        if (field)
            add_text(L, g, field, call->match.params[i].value);
    }
}

/* False: a broken percent-encoding. */
static bool decode(lua_State *L, struct bq_call *call, bq_str raw, bq_str *out)
{
    int rc = bq_percent_decode(&call->ex->arena, raw, true, out);
    if (rc == BQ_MEMORY)
        luaL_error(L, "not enough memory");
    return rc == BQ_OK;
}

static bool gather_pairs(lua_State *L, struct gathering *g, bq_str text)
{
    bq_str raw_name, raw_value, name, value;
    while (bq_query_next(&text, &raw_name, &raw_value)) {
        if (!decode(L, g->call, raw_name, &name) || !decode(L, g->call, raw_value, &value))
            return false;
        const struct bq_schema_field *field = bq_schema_find(g->object, name);
        if (field)
            add_text(L, g, field, value);
        else
            add_extra(L, g, name, value);
    }
    return true;
}

/* The field that a header or cookie of that name belongs to: by its name on the wire, or, since
 * cookies with "_" in their names are common, as declared. */
static const struct bq_schema_field *find_wired(const struct gathering *g, bq_str name)
{
    for (size_t i = 0; i < g->object->object.count; i++)
        if (bq_str_eq_nocase(name, g->wires[i]) ||
            bq_str_eq(name, g->object->object.fields[i].name))
            return &g->object->object.fields[i];
    return NULL;
}

static void gather_headers(lua_State *L, struct gathering *g)
{
    const struct bq_request *r = &g->call->ex->request;
    for (size_t i = 0; i < r->field_count; i++) {
        const struct bq_schema_field *field = find_wired(g, r->fields[i].name);
        if (field)
            add_text(L, g, field, r->fields[i].value);
    }
}

/* Whether an undeclared text is in the table at the top already. */
static bool is_kept(lua_State *L, const struct gathering *g, bq_str name)
{
    if (g->object->object.extra != BQ_EXTRA_KEEP)
        return false;
    lua_pushlstring(L, name.p, name.n);
    lua_rawget(L, -2);
    bool kept = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return kept;
}

static void gather_cookies(lua_State *L, struct gathering *g)
{
    const struct bq_request *r = &g->call->ex->request;
    for (size_t i = 0; i < r->field_count; i++) {
        bq_str rest = r->fields[i].value, name, value;
        if (!bq_str_eq_nocase(r->fields[i].name, BQ_STR("cookie")))
            continue;
        while (bq_cookie_next(&rest, &name, &value)) {
            const struct bq_schema_field *field = find_wired(g, name);
            /* Of a repeated cookie the first counts (RFC 6265, section 5.4: the longest path). */
            if (!field && !is_kept(L, g, name))
                add_extra(L, g, name, value);
            else if (field && !g->fields[field - g->object->object.fields].count)
                add_text(L, g, field, value);
        }
    }
}

/* --- the body ----------------------------------------------------------------------------- */

static bq_str media_type_of(const struct bq_field *type)
{
    return bq_str_trim(bq_str_of(type->value.p, bq_str_find(type->value, ';', 0)));
}

static bq_str media_type(const struct bq_request *r)
{
    const struct bq_field *type = bq_request_find(r, BQ_STR("content-type"));
    return type ? media_type_of(type) : BQ_STR("");
}

static bool is_json(const struct bq_request *r)
{
    const struct bq_field *type = bq_request_find(r, BQ_STR("content-type"));
    if (!type || bq_str_eq(type->value, BQ_STR("application/json")))
        return true;
    bq_str media = media_type_of(type);
    if (media.n == 0 || bq_str_eq_nocase(media, BQ_STR("application/json")))
        return true;
    return media.n > 5 && bq_str_eq_nocase(bq_str_of(media.p + media.n - 5, 5), BQ_STR("+json"));
}

static void set_detail(struct bq_call *call, const char *text)
{
    bq_str copy = bq_arena_dup(&call->ex->arena, bq_str_cstr(text));
    call->detail = copy.p ? copy : BQ_STR("");
}

/* Pushes the body's value. */
static int read_body(lua_State *L, struct bq_call *call, const struct bq_schema *schema,
                     struct bq_invalid *invalid)
{
    struct bq_json_error why;
    char detail[160];
    bq_str body = call->ex->body;
    if (body.n == 0) {
        bq_schema_read_text(L, schema, NULL, 0, invalid); /* absent: the default, or missing */
        return 0;
    }
    if (!is_json(&call->ex->request)) {
        set_detail(call, "the body must be application/json");
        return 415;
    }
    if (bq_schema_read_json(L, schema, body, invalid, &why) == BQ_OK)
        return 0;
    snprintf(detail, sizeof detail, "malformed JSON at byte %zu: %s", why.offset, why.reason);
    set_detail(call, detail);
    return 400;
}

static int gather_form(lua_State *L, struct bq_call *call, struct gathering *g)
{
    bq_str media = media_type(&call->ex->request);
    if (media.n && !bq_str_eq_nocase(media, BQ_STR("application/x-www-form-urlencoded"))) {
        set_detail(call, "the body must be application/x-www-form-urlencoded");
        return 415;
    }
    if (!gather_pairs(L, g, call->ex->body)) {
        set_detail(call, "the form has a percent sign without two hexadecimal digits behind it");
        return 400;
    }
    return 0;
}

/* --- all together ------------------------------------------------------------------------- */

/* req's field becomes the value at the top. */
static void set_part(lua_State *L, const struct bq_input *in, int req, enum part part)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, in->name_refs[part]);
    lua_insert(L, -2);
    lua_rawset(L, req);
}

static int gather(lua_State *L, struct gathering *g, enum part part)
{
    struct bq_call *call = g->call;
    switch (part) {
    case PARAMS:
        gather_params(L, g);
        break;
    case QUERY:
        if (!gather_pairs(L, g, call->ex->request.query)) {
            set_detail(call,
                       "the query has a percent sign without two hexadecimal digits behind it");
            return 400;
        }
        break;
    case HEADERS:
        gather_headers(L, g);
        break;
    case COOKIES:
        gather_cookies(L, g);
        break;
    case FORM:
        return gather_form(L, call, g);
    }
    return 0;
}

/* Pushes the part's table; one that is refused is whatever it was by then. */
static int read_object(lua_State *L, struct gathering *g, enum part part)
{
    size_t before = g->invalid->count;
    if (part == HEADERS)
        bq_request_push_headers(L, g->call); /* undeclared ones stay to be had */
    else
        lua_createtable(L, 0, (int)g->object->object.count);
    int result = gather(L, g, part);
    if (result)
        return result;
    read_fields(L, g);
    bq_check_custom(L, g->object, before, g->invalid);
    return 0;
}

static int read_part(lua_State *L, struct bq_call *call, int req, enum part part,
                     const struct bq_schema *schema, struct bq_invalid *invalid)
{
    if (!schema)
        return 0;
    const struct bq_input *in = call->route->input;
    const bq_str *wires = part == HEADERS   ? in->header_wires
                          : part == COOKIES ? in->cookie_wires
                                            : NULL;
    struct gathering g = {call, schema, wires, NULL, invalid};
    begin_gathering(L, &g);
    bq_invalid_push_key(invalid, bq_str_cstr(part_locs[part]));
    int result = read_object(L, &g, part);
    bq_invalid_pop(invalid);
    if (result == 0)
        set_part(L, in, req, part);
    return result;
}

static int read_all(lua_State *L, struct bq_call *call, int index, struct bq_invalid *invalid)
{
    const struct bq_input *in = call->route->input;
    const struct bq_schema *parts[] = {in->params, in->query, in->headers, in->cookies, in->form};
    for (enum part part = PARAMS; part <= FORM; part++) {
        int status = read_part(L, call, index, part, parts[part], invalid);
        if (status)
            return status;
    }
    if (!in->body)
        return 0;
    bq_invalid_push_key(invalid, BQ_STR("body"));
    int status = read_body(L, call, in->body, invalid);
    bq_invalid_pop(invalid);
    if (status == 0)
        set_part(L, in, index, FORM);
    return status;
}

static void log_problems(const struct bq_call *call, const struct bq_invalid *invalid)
{
    bq_debug("%.*s %s (%s): 422: %.*s", BQ_STR_ARG(call->ex->request.method_name),
             call->route->path, call->route->place, BQ_STR_ARG(bq_buf_str(&invalid->brief)));
}

/* The problems move to the arena, where they outlast the list. */
static int take_problems(lua_State *L, struct bq_call *call, const struct bq_invalid *invalid)
{
    bq_str json = bq_buf_str(&invalid->json);
    char *text = alloc_must(L, call, json.n + 2);
    if (invalid->json.failed)
        luaL_error(L, "not enough memory");
    text[0] = '[';
    memcpy(text + 1, json.p, json.n);
    text[json.n + 1] = ']';
    call->detail = bq_str_of(text, json.n + 2);
    log_problems(call, invalid);
    return 422;
}

int bq_input_check(lua_State *L, struct bq_call *call, int index)
{
    struct bq_invalid *invalid = &call->app->invalid;
    /* What an earlier reading left behind when a check raised goes, too. */
    bq_invalid_release(invalid);
    bq_invalid_init(invalid);
    int status = read_all(L, call, index, invalid);
    if (status == 0 && invalid->count)
        status = take_problems(L, call, invalid);
    lua_settop(L, index);
    return status;
}
