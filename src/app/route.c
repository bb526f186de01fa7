/* route.c: walks the declared routes once and fills the router. */
#include "app/route.h"

#include "app/input.h"
#include "app/instance.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum bq_method method_of(const char *name)
{
    for (int i = 0; i < BQ_METHOD_OTHER; i++)
        if (strcmp(name, bq_method_name((enum bq_method)i)) == 0)
            return (enum bq_method)i;
    return BQ_METHOD_OTHER;
}

static const char *declared_method(const struct bq_route *route)
{
    return route->method == BQ_METHOD_OTHER ? "ANY" : bq_method_name(route->method);
}

/* What is wrong with a declaration. */
static void complain(const struct bq_app *app, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(const struct bq_app *app, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (app->problem)
        app->problem(app->problem_arg, text);
    else
        bq_error("%s", text);
}

static char *copy_field(lua_State *L, const char *name)
{
    size_t n;
    lua_getfield(L, -1, name);
    const char *text = lua_tolstring(L, -1, &n);
    char *copy = text ? bq_alloc(n + 1) : NULL;
    if (copy)
        memcpy(copy, text, n + 1);
    lua_pop(L, 1);
    return copy;
}

static double number_field(lua_State *L, const char *name, double missing)
{
    lua_getfield(L, -1, name);
    double value = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : missing;
    lua_pop(L, 1);
    return value;
}

/* Compiles what the route table on top declares. Fails: BQ_INVALID and a sentence in error. */
static int read_declarations(struct bq_app *app, lua_State *L, struct bq_route *route,
                             char error[static 512])
{
    int table = lua_gettop(L);
    struct bq_input *input = NULL;
    struct bq_plan *plan = NULL;
    int rc = BQ_OK;
    lua_getfield(L, table, "input");
    if (!lua_isnil(L, -1))
        rc = bq_input_compile(L, app, lua_gettop(L), &input, error);
    lua_getfield(L, table, "plan");
    if (!lua_isnil(L, -1))
        bq_plan_compile(L, app, lua_gettop(L), &plan);
    lua_getfield(L, table, "returns");
    if (rc == BQ_OK && !lua_isnil(L, -1)) {
        route->returns = bq_schema_compile(L, &app->schemas, lua_gettop(L), error);
        rc = route->returns ? BQ_OK : BQ_INVALID;
    }
    lua_settop(L, table);
    route->input = input;
    route->plan = plan;
    return rc;
}

/* Fills the route from the table on top. */
static void read_route(const struct bq_app *app, lua_State *L, struct bq_route *route)
{
    route->handler = bq_vm_ref_field(L, -1, "handler");
    route->chain = bq_vm_ref_field(L, -1, "chain");
    lua_getfield(L, -1, "takes_request");
    route->takes_request = lua_toboolean(L, -1);
    lua_getfield(L, -2, "method");
    route->method = method_of(lua_tostring(L, -1));
    lua_pop(L, 2);
    route->status = (int)number_field(L, "status", 0);
    route->body_bytes_max =
        (uint64_t)number_field(L, "body_max", (double)app->options.body_bytes_max);
    route->timeout_s = number_field(L, "timeout", 0);
    route->timeout_error = bq_vm_ref_field(L, -1, "timeout_error");
    lua_getfield(L, -1, "ignores_disconnect");
    route->ignores_disconnect = lua_toboolean(L, -1);
    lua_pop(L, 1);
    route->path = copy_field(L, "path");
    route->name = copy_field(L, "name");
    route->place = copy_field(L, "place");
}

static void name_params(struct bq_route *route)
{
    for (size_t i = 0; i < route->pattern.count; i++)
        if (route->pattern.parts[i].is_param)
            route->params[route->param_count++] = route->pattern.parts[i].text;
}

static int add_route(struct bq_app *app, struct bq_route *route)
{
    char error[256] = "";
    uint32_t other = 0;
    uint32_t number = (uint32_t)(route - app->routes);
    if (!route->path || !route->place)
        return BQ_MEMORY;
    route->tally =
        bq_tally_get(app->tallies, bq_str_cstr(declared_method(route)), bq_str_cstr(route->path));
    if (!route->tally)
        return BQ_MEMORY;
    int rc = bq_pattern_parse(&route->pattern, bq_str_cstr(route->path), error);
    if (rc == BQ_OK)
        rc = bq_router_add(app->router, route->method, bq_str_cstr(route->path), number, &other,
                           error);
    if (rc == BQ_OK)
        name_params(route);
    else if (rc == BQ_CONFLICT)
        complain(app, "%s: the route %s \"%s\" is there already: %s declares \"%s\"", route->place,
                 declared_method(route), route->path, app->routes[other].place,
                 app->routes[other].path);
    else if (rc == BQ_INVALID)
        complain(app, "%s: the route's path \"%s\": %s", route->place, route->path, error);
    return rc;
}

static int add_routes(struct bq_app *app)
{
    int result = BQ_OK;
    for (size_t i = 0; i < app->route_count; i++) {
        int rc = add_route(app, &app->routes[i]);
        if (rc == BQ_MEMORY)
            return rc;
        if (rc != BQ_OK)
            result = BQ_INVALID;
    }
    return result == BQ_OK ? bq_router_freeze(app->router) : result;
}

int bq_routes_compile(struct bq_app *app, lua_State *L, int index)
{
    size_t n = lua_objlen(L, index);
    int result = BQ_OK;
    app->router = bq_router_new();
    app->routes = bq_alloc_zero((n ? n : 1) * sizeof *app->routes);
    if (!app->router || !app->routes)
        return BQ_MEMORY;
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        struct bq_route *route = &app->routes[i];
        char error[512];
        app->route_count++; /* what follows may raise, and what it has copied is freed */
        read_route(app, L, route);
        if (read_declarations(app, L, route, error) != BQ_OK) {
            complain(app, "%s: %s", route->place ? route->place : "?", error);
            result = BQ_INVALID;
        }
        lua_pop(L, 1);
    }
    int rc = add_routes(app);
    return rc == BQ_OK ? result : rc;
}

void bq_routes_free(struct bq_app *app)
{
    for (size_t i = 0; i < app->route_count; i++) {
        bq_free(app->routes[i].path);
        bq_free(app->routes[i].name);
        bq_free(app->routes[i].place);
    }
    bq_free(app->routes);
    if (app->router)
        bq_router_free(app->router);
    app->routes = NULL;
    app->router = NULL;
    app->route_count = 0;
}
