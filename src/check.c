/* check.c: one application, in a state of its own, asked for its problems. */
#include "check.h"

#include "app/app.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/offload.h"
#include "modules.h"
#include "server.h"

struct check {
    struct bq_config *config;
    FILE *out;
    struct bq_stores *stores;
    struct bq_offload *offload;
    struct bq_loop *loop;
    struct bq_app *app;
    struct bq_buf told; /* every problem, each with a line feed on both sides */
    unsigned count;
};

static void open_modules(lua_State *L, void *arg)
{
    const struct check *c = arg;
    bq_modules_preload(L, &(struct bq_modules_env){.stores = c->stores, .offload = c->offload});
}

/* The same mistake shows in every route that shares what is wrong. Without memory to remember it,
 * a problem is told again. */
static bool is_told(struct check *c, bq_str text)
{
    const bq_str told = bq_buf_str(&c->told);
    size_t begin = told.n;
    if (bq_buf_append(&c->told, BQ_STR("\n")) != BQ_OK || bq_buf_append(&c->told, text) != BQ_OK ||
        bq_buf_append(&c->told, BQ_STR("\n")) != BQ_OK)
        return false;
    const bq_str all = bq_buf_str(&c->told);
    return memmem(all.p, begin, all.p + begin, text.n + 2) != NULL;
}

/* What require says of a module that does not compile begins with its place one line later. */
static const char *skip_lead(const char *text)
{
    const char *line = strstr(text, "':\n\t");
    return line && strncmp(text, "error loading module '", 22) == 0 ? line + 4 : text;
}

static void tell(void *arg, const char *text)
{
    struct check *c = arg;
    text = skip_lead(text);
    if (is_told(c, bq_str_cstr(text)))
        return;
    fprintf(c->out, "%s\n", text);
    c->count++;
}

/* Every setting is tried: the walk goes on. */
static int set_from_app(void *arg, bq_str name, bq_str value, const char *place)
{
    struct check *c = arg;
    struct bq_config_error error;
    if (bq_config_set(c->config, BQ_ORIGIN_APP, name, value, place, &error) != BQ_OK)
        tell(c, error.text);
    return BQ_OK;
}

static bool open_app(struct check *c)
{
    const struct bq_app_env env = {
        .open_modules = open_modules, .open_modules_arg = c, .version = bq_version};
    c->stores = bq_stores_new();
    c->offload = bq_offload_new();
    c->loop = bq_loop_new();
    if (c->stores && c->offload && c->loop)
        c->app = bq_app_new(c->loop, &env, c->config->lua_bytes_max);
    return c->app && bq_app_begin_check(c->app, tell, c) == BQ_OK;
}

/* The later steps judge what the earlier ones have left, whether those failed or not. */
static void judge(struct check *c, const char *path)
{
    struct bq_config_error error;
    int rc = bq_app_load(c->app, path);
    bq_app_each_config(c->app, set_from_app, c);
    if (bq_config_check(c->config, &error) != BQ_OK)
        tell(c, error.text);
    const struct bq_app_options options = bq_config_app_options(c->config);
    int frozen = bq_app_freeze(c->app, &options);
    int finished = bq_app_finish_check(c->app, path);
    if (c->count == 0 && (rc != BQ_OK || frozen != BQ_OK || finished != BQ_OK))
        tell(c, "the application does not load: the log says why");
}

static void close_app(struct check *c)
{
    if (c->app)
        bq_app_free(c->app);
    bq_loop_free(c->loop);
    bq_offload_free(c->offload);
    if (c->stores)
        bq_stores_free(c->stores);
    bq_buf_release(&c->told);
}

bool bq_check(const char *app_path, struct bq_config *config, FILE *out)
{
    struct check c = {.config = config, .out = out, .told = BQ_BUF_INIT};
    if (open_app(&c))
        judge(&c, app_path);
    else
        tell(&c, "out of memory");
    if (c.count)
        fprintf(out, "%u problem%s\n", c.count, c.count == 1 ? "" : "s");
    close_app(&c);
    return c.count == 0;
}
