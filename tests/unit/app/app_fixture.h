/*
 * app_fixture.h: an application without a server: Lua source in, exchanges through its handler,
 * answers out of a sink that remembers them.
 */
#ifndef BQ_TESTS_APP_FIXTURE_H
#define BQ_TESTS_APP_FIXTURE_H

#include "app/app.h"
#include "app/instance.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct answer {
    int count; /* times respond was called */
    int status;
    char type[128];
    char body[4096];
    char fields[2048]; /* "name: value\n" … */
};

struct fixture {
    struct bq_loop *loop;
    struct bq_app *app;
    struct bq_app_options options;
    char path[64];
};

/* From now on nothing is compiled: this LuaJIT does not survive an allocation that is refused
 * inside code that it compiled (vm/memory.h), so a sweep of failing ones is for the interpreter. */
static inline void fixture_interpret(struct fixture *f)
{
    luaJIT_setmode(f->app->vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
}

static inline void remember(char *out, size_t cap, bq_str s)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    memcpy(out, s.n ? s.p : "", n);
    out[n] = '\0';
}

static inline void sink_respond(struct bq_exchange *ex, const struct bq_response *r)
{
    struct answer *a = ex->conn;
    size_t used = 0;
    a->count++;
    a->status = r->status;
    remember(a->type, sizeof a->type, r->content_type);
    remember(a->body, sizeof a->body, r->body);
    for (size_t i = 0; i < r->field_count; i++)
        used += (size_t)snprintf(a->fields + used, sizeof a->fields - used, "%.*s: %.*s\n",
                                 BQ_STR_ARG(r->fields[i].name), BQ_STR_ARG(r->fields[i].value));
    bq_exchange_reset(ex);
}

static inline size_t sink_peer(const struct bq_exchange *ex, char out[static 64])
{
    (void)ex;
    memcpy(out, "192.0.2.7", 9);
    return 9;
}

static const struct bq_sink fixture_sink = {sink_respond, sink_peer};

/* barq's own Lua files from the source tree; what belongs to other rooms is empty. */
static inline void open_sources(lua_State *L, void *arg)
{
    (void)arg;
    if (luaL_dostring(L, "package.path = '" BARQ_SOURCE_DIR "/lua/?.lua;" BARQ_SOURCE_DIR
                         "/lua/?/init.lua;' .. package.path\n"
                         "package.preload['barq.shared'] = function() return {} end\n"
                         "package.preload['barq.sqlite'] = function() return {} end\n"
                         "package.preload['barq.offload'] = function() return {} end\n"
                         "package.preload['barq.docs.core'] = function()\n"
                         "  return { files = {} }\n"
                         "end\n"
                         "local load = loadfile\n"
                         "table.insert(package.loaders, 1, function(name)\n"
                         "  local file = name == 'barq' and 'barq/init.lua' or\n"
                         "    name:match('^barq%.') and name:gsub('%.', '/') .. '.lua'\n"
                         "  local f = file and io.open('" BARQ_SOURCE_DIR "/lua/' .. file)\n"
                         "  if not f or package.preload[name] then return nil end\n"
                         "  local source = f:read('*a') f:close()\n"
                         "  return assert(loadstring(source, '@barq:' .. file))\n"
                         "end)\n"))
        lua_error(L);
}

static inline int fixture_load(struct fixture *f, const char *source)
{
    FILE *file = fopen(f->path, "w");
    if (!file)
        return BQ_SYSTEM;
    fputs("local barq = require 'barq'\n", file);
    fputs(source, file);
    fclose(file);
    return bq_app_load(f->app, f->path);
}

static inline void fixture_open(struct fixture *f, uint64_t lua_bytes_max)
{
    static const struct bq_app_env env = {
        .open_modules = open_sources, .version = "0.0.0", .worker = 3};
    *f = (struct fixture){.options = {.body_bytes_max = 1 << 20, .lua_bytes_max = lua_bytes_max}};
    snprintf(f->path, sizeof f->path, "/tmp/barq-app-test-%d.lua", (int)getpid());
    f->loop = bq_loop_new();
    f->app = bq_app_new(f->loop, &env, lua_bytes_max);
}

static inline void fixture_close(struct fixture *f)
{
    unlink(f->path);
    if (f->app)
        bq_app_free(f->app);
    bq_loop_free(f->loop);
}

static inline enum bq_method method_named(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (int i = 0; i < BQ_METHOD_OTHER; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum bq_method)i;
    return BQ_METHOD_OTHER;
}

struct question {
    const char *method, *target, *body;
    const struct bq_field *fields;
    size_t field_count;
};

/* An exchange that has not been answered when this returns must be kept by the caller. */
static inline struct bq_exchange *fixture_begin(struct fixture *f, const struct question *q,
                                                struct answer *a)
{
    struct bq_exchange *ex = malloc(sizeof *ex);
    struct bq_handler handler = bq_app_handler(f->app);
    const char *mark = strchr(q->target, '?');
    *a = (struct answer){0};
    bq_exchange_init(ex, &fixture_sink, a);
    struct bq_request *r = &ex->request;
    r->method = method_named(q->method);
    r->method_name = bq_str_cstr(q->method);
    r->target = bq_str_cstr(q->target);
    r->path = mark ? bq_str_of(q->target, (size_t)(mark - q->target)) : r->target;
    if (mark)
        r->query = bq_str_cstr(mark + 1);
    r->host = BQ_STR("example.org");
    r->version_minor = 1;
    r->fields = q->fields;
    r->field_count = q->field_count;
    handler.head(handler.self, ex);
    ex->body = bq_str_cstr(q->body ? q->body : "");
    handler.request(handler.self, ex);
    return ex;
}

static inline void fixture_end(struct bq_exchange *ex)
{
    bq_exchange_release(ex);
    free(ex);
}

/* Asks and turns the loop until there is an answer. */
static inline struct answer fixture_ask(struct fixture *f, const struct question *q)
{
    struct answer a;
    struct bq_exchange *ex = fixture_begin(f, q, &a);
    for (int i = 0; i < 1000 && !a.count; i++)
        bq_loop_run_once(f->loop, 10);
    fixture_end(ex);
    return a;
}

static inline struct answer fixture_get(struct fixture *f, const char *target)
{
    return fixture_ask(f, &(struct question){.method = "GET", .target = target});
}

#endif
