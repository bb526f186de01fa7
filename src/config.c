/*
 * config.c: the options' values, from four origins.
 */
#include "config.h"

#include "base/log.h"
#include "base/rc.h"
#include "data/offload.h"
#include "option.h"
#include "processors.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#define NAME_BYTES_MAX 64

int bq_config_fail(struct bq_config_error *error, int rc, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(error->text, sizeof error->text, format, ap);
    va_end(ap);
    return rc;
}

static int refuse_value(const struct bq_option *o, bq_str value, const char *place,
                        struct bq_config_error *error)
{
    char right[BQ_OPTION_TEXT_MAX];
    int shown = value.n > 80 ? 80 : (int)value.n;
    bq_option_describe(o, right);
    return bq_config_fail(error, BQ_INVALID, "%s: option \"%s\" cannot be \"%.*s\": give %s", place,
                          o->name, shown, value.p, right);
}

static int refuse_name(enum bq_origin origin, bq_str name, const char *place,
                       struct bq_config_error *error)
{
    char hint[BQ_OPTION_TEXT_MAX];
    int shown = name.n > 80 ? 80 : (int)name.n;
    bq_option_suggest(origin, name, hint);
    if (origin == BQ_ORIGIN_COMMAND_LINE)
        return bq_config_fail(error, BQ_INVALID, "unknown option \"%.80s\": %s", place, hint);
    return bq_config_fail(error, BQ_INVALID, "%s: unknown option \"%.*s\": %s", place, shown,
                          name.p, hint);
}

static void *field_of(struct bq_config *c, const struct bq_option *o)
{
    return (char *)c + o->offset;
}

static int keep_text(struct bq_config *c, bq_str text, bq_str *out, struct bq_config_error *error)
{
    bq_str copy = bq_arena_dup(&c->arena, text);
    if (!copy.p)
        return bq_config_fail(error, BQ_MEMORY, "out of memory");
    *out = copy;
    return BQ_OK;
}

static int keep_item(struct bq_config *c, const struct bq_option *o, bool first, bq_str text,
                     const char *place, struct bq_config_error *error)
{
    struct bq_list_value *list = field_of(c, o);
    if (first)
        list->count = 0;
    if (list->count == BQ_LISTEN_MAX)
        return bq_config_fail(error, BQ_INVALID, "%s: option \"%s\" takes %d values at most", place,
                              o->name, BQ_LISTEN_MAX);
    int rc = keep_text(c, text, &list->items[list->count], error);
    list->count += rc == BQ_OK;
    return rc;
}

static int keep_network(struct bq_config *c, const struct bq_option *o, bool first, bq_str text,
                        const char *place, struct bq_config_error *error)
{
    struct bq_networks *set = field_of(c, o);
    if (first)
        *set = (struct bq_networks){.count = 0};
    if (bq_networks_add(set, text) == BQ_OK)
        return BQ_OK;
    return bq_config_fail(error, BQ_INVALID, "%s: option \"%s\" takes %d networks at most", place,
                          o->name, BQ_NETWORKS_MAX);
}

static int set_option(struct bq_config *c, enum bq_origin origin, const struct bq_option *o,
                      bq_str text, const char *place, struct bq_config_error *error)
{
    struct bq_option_value value;
    unsigned char *from = &c->origins[o - bq_options];
    int rc = BQ_OK;
    if (!bq_option_read(o, text, &value))
        return refuse_value(o, text, place, error);
    if (origin < *from)
        return BQ_OK;
    if (o->type == BQ_OPTION_LIST)
        rc = keep_item(c, o, origin > *from, value.text, place, error);
    else if (o->type == BQ_OPTION_NETWORKS)
        rc = keep_network(c, o, origin > *from, value.text, place, error);
    else if (o->type == BQ_OPTION_STRING)
        rc = keep_text(c, value.text, field_of(c, o), error);
    else
        *(uint64_t *)field_of(c, o) = value.number;
    if (rc == BQ_OK)
        *from = (unsigned char)origin;
    return rc;
}

/* Each of the items between commas; a value that has none is a wrong one. */
static int set_items(struct bq_config *c, enum bq_origin origin, const struct bq_option *o,
                     bq_str value, const char *place, struct bq_config_error *error)
{
    bq_str rest = value, item;
    int rc = BQ_OK;
    bool any = false;
    for (; rc == BQ_OK && bq_str_next_token(&rest, &item); any = true)
        rc = set_option(c, origin, o, item, place, error);
    return any ? rc : refuse_value(o, value, place, error);
}

/* An endpoint may have a comma in its path, but for the environment, where nothing else would
 * divide a list. */
static int set_value(struct bq_config *c, enum bq_origin origin, const struct bq_option *o,
                     bq_str value, const char *place, struct bq_config_error *error)
{
    bool divided = o->type == BQ_OPTION_NETWORKS ||
                   (o->type == BQ_OPTION_LIST && origin == BQ_ORIGIN_ENVIRONMENT);
    return divided ? set_items(c, origin, o, value, place, error)
                   : set_option(c, origin, o, value, place, error);
}

void bq_config_init(struct bq_config *c)
{
    *c = (struct bq_config){0};
    bq_arena_init(&c->arena, NULL, 0);
    for (const struct bq_option *o = bq_options; o < bq_options + bq_option_count; o++) {
        struct bq_option_value value = {0, {NULL, 0}};
        bool ok = !o->preset || bq_option_read(o, bq_str_cstr(o->preset), &value);
        assert(ok && "a default is within its own bounds");
        (void)ok;
        if (o->type == BQ_OPTION_STRING)
            *(bq_str *)field_of(c, o) = value.text;
        else if (o->type != BQ_OPTION_LIST && o->type != BQ_OPTION_NETWORKS)
            *(uint64_t *)field_of(c, o) = value.number;
    }
}

void bq_config_release(struct bq_config *c)
{
    bq_arena_release(&c->arena);
}

int bq_config_set(struct bq_config *c, enum bq_origin origin, bq_str name, bq_str value,
                  const char *place, struct bq_config_error *error)
{
    const struct bq_option *o = bq_option_find(name);
    if (!o)
        return refuse_name(origin, name, place, error);
    return set_value(c, origin, o, value, place, error);
}

/* Environment. */

static void warn_of_variable(const char *place, bq_str name)
{
    char hint[BQ_OPTION_TEXT_MAX];
    if (bq_str_eq(name, BQ_STR("fault"))) /* for tests, see base/fault.h */
        return;
    bq_option_suggest(BQ_ORIGIN_ENVIRONMENT, name, hint);
    bq_warn("unknown variable \"%s\" in the environment: %s", place, hint);
}

static int read_variable(struct bq_config *c, const char *text, struct bq_config_error *error)
{
    static const char prefix[] = "BARQ_";
    char place[NAME_BYTES_MAX], name[NAME_BYTES_MAX];
    size_t n = strcspn(text, "="), skip = sizeof prefix - 1;
    if (strncmp(text, prefix, skip) != 0 || text[n] == 0 || text[n + 1] == 0 || n >= sizeof place)
        return BQ_OK;
    snprintf(place, sizeof place, "%.*s", (int)n, text);
    for (size_t i = skip; i <= n; i++)
        name[i - skip] = (char)tolower((unsigned char)place[i]);
    const struct bq_option *o = bq_option_find(bq_str_cstr(name));
    if (o)
        return set_value(c, BQ_ORIGIN_ENVIRONMENT, o, bq_str_cstr(text + n + 1), place, error);
    warn_of_variable(place, bq_str_cstr(name));
    return BQ_OK;
}

int bq_config_read_environment(struct bq_config *c, char *const *environment,
                               struct bq_config_error *error)
{
    int rc = BQ_OK;
    for (; rc == BQ_OK && *environment; environment++)
        rc = read_variable(c, *environment, error);
    return rc;
}

/* The application. */

struct app_reading {
    struct bq_config *config;
    struct bq_config_error *error;
};

static int set_from_app(void *arg, bq_str name, bq_str value, const char *place)
{
    const struct app_reading *r = arg;
    return bq_config_set(r->config, BQ_ORIGIN_APP, name, value, place, r->error);
}

int bq_config_read_app(struct bq_config *c, struct bq_app *app, struct bq_config_error *error)
{
    struct app_reading r = {c, error};
    *error->text = 0;
    int rc = bq_app_each_config(app, set_from_app, &r);
    if (rc != BQ_OK && !*error->text)
        return bq_config_fail(error, rc, "barq.config: %s", bq_rc_text(rc));
    return rc;
}

static bool is_same_list(const struct bq_list_value *a, const struct bq_list_value *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = bq_str_eq(a->items[i], b->items[i]);
    return same;
}

static bool is_same_set(const struct bq_networks *a, const struct bq_networks *b)
{
    bool same = a->count == b->count && a->unix_sockets == b->unix_sockets;
    for (size_t i = 0; same && i < a->count; i++) {
        char one[BQ_IP_TEXT_MAX], other[BQ_IP_TEXT_MAX];
        size_t n = bq_ip_text(&a->items[i].ip, one), m = bq_ip_text(&b->items[i].ip, other);
        same = bq_str_eq(bq_str_of(one, n), bq_str_of(other, m)) &&
               a->items[i].prefix == b->items[i].prefix;
    }
    return same;
}

static bool is_same(const struct bq_option *o, const struct bq_config *a, const struct bq_config *b)
{
    const void *one = (const char *)a + o->offset, *other = (const char *)b + o->offset;
    if (o->type == BQ_OPTION_LIST)
        return is_same_list(one, other);
    if (o->type == BQ_OPTION_NETWORKS)
        return is_same_set(one, other);
    if (o->type == BQ_OPTION_STRING)
        return bq_str_eq(*(const bq_str *)one, *(const bq_str *)other);
    return *(const uint64_t *)one == *(const uint64_t *)other;
}

size_t bq_config_changes(const struct bq_config *c, const struct bq_config *anew, char *out,
                         size_t max)
{
    size_t count = 0, n = 0;
    *out = 0;
    for (size_t i = 0; i < bq_option_count; i++) {
        const struct bq_option *o = &bq_options[i];
        if (c->origins[i] > BQ_ORIGIN_APP || is_same(o, c, anew))
            continue;
        if (n < max)
            n += (size_t)snprintf(out + n, max - n, "%s%s", count ? ", " : "", o->name);
        count++;
    }
    return count;
}

/* Command line. */

/* The option that "--body-max" names; underscores are not its spelling. */
static const struct bq_option *find_argument(bq_str name, char copy[NAME_BYTES_MAX])
{
    size_t n = name.n < NAME_BYTES_MAX ? name.n : NAME_BYTES_MAX - 1;
    for (size_t i = 0; i < n; i++)
        copy[i] = name.p[i] == '-' ? '_' : name.p[i];
    copy[n] = 0;
    if (memchr(name.p, '_', name.n))
        return NULL;
    return bq_option_find(bq_str_of(copy, n));
}

/* The value behind "=" or the next argument. An option that can stand alone takes the next
 * argument only if that is a value of it, so that "--dev app.lua" is what it seems. */
static const char *value_of(const struct bq_option *o, const char *equals, const char *next,
                            bool *took_next)
{
    struct bq_option_value ignored;
    *took_next = false;
    if (*equals)
        return equals + 1;
    if (o->implied && !(next && bq_option_read(o, bq_str_cstr(next), &ignored)))
        return o->implied;
    *took_next = next;
    return next;
}

/* "--no-docs" is "--docs=false". */
static const struct bq_option *find_negation(bq_str name)
{
    char copy[NAME_BYTES_MAX];
    if (name.n < 3 || memcmp(name.p, "no-", 3) != 0)
        return NULL;
    const struct bq_option *o = find_argument(bq_str_of(name.p + 3, name.n - 3), copy);
    return o && o->type == BQ_OPTION_BOOLEAN ? o : NULL;
}

int bq_config_read_argument(struct bq_config *c, int argc, char *const *argv, int *at,
                            struct bq_config_error *error)
{
    const char *argument = argv[*at];
    assert(strncmp(argument, "--", 2) == 0);
    char name[NAME_BYTES_MAX], place[NAME_BYTES_MAX];
    size_t n = strcspn(argument + 2, "=");
    bool took_next;
    const struct bq_option *o = find_argument(bq_str_of(argument + 2, n), name);
    const struct bq_option *negated = o ? NULL : find_negation(bq_str_cstr(argument + 2));
    snprintf(place, sizeof place, "%.*s", (int)(n < 60 ? n + 2 : 62), argument);
    if (negated) {
        ++*at;
        return set_option(c, BQ_ORIGIN_COMMAND_LINE, negated, BQ_STR("false"), place, error);
    }
    if (!o)
        return refuse_name(BQ_ORIGIN_COMMAND_LINE, bq_str_cstr(name), place, error);
    const char *value =
        value_of(o, argument + 2 + n, *at + 1 < argc ? argv[*at + 1] : NULL, &took_next);
    if (!value) {
        char right[BQ_OPTION_TEXT_MAX];
        bq_option_describe(o, right);
        return bq_config_fail(error, BQ_INVALID, "%s: the value is missing: give %s", place, right);
    }
    *at += 1 + took_next;
    return set_value(c, BQ_ORIGIN_COMMAND_LINE, o, bq_str_cstr(value), place, error);
}

int bq_config_check(const struct bq_config *c, struct bq_config_error *error)
{
    if (c->proxy_protocol != BQ_PROXY_PROTOCOL_TRUSTED || bq_config_trust(c).proxies)
        return BQ_OK;
    return bq_config_fail(
        error, BQ_INVALID,
        "option \"proxy_protocol\" is on, and no proxy is trusted: say with "
        "\"trust_proxy\" which ones may name clients, or \"any\" instead of \"trusted\" "
        "if nobody else can connect");
}

/* What the rooms want to know. */

enum bq_origin bq_config_origin(const struct bq_config *c, const char *name)
{
    const struct bq_option *o = bq_option_find(bq_str_cstr(name));
    assert(o);
    return (enum bq_origin)c->origins[o - bq_options];
}

bool bq_config_uses_listen(const struct bq_config *c)
{
    enum bq_origin listen = bq_config_origin(c, "listen");
    return c->listen.count > 0 && listen >= bq_config_origin(c, "host") &&
           listen >= bq_config_origin(c, "port");
}

unsigned bq_config_worker_count(const struct bq_config *c)
{
    return c->workers ? (unsigned)c->workers : bq_processors_count(BQ_WORKERS_MAX);
}

unsigned bq_config_offload_threads(const struct bq_config *c)
{
    return c->offload_threads ? (unsigned)c->offload_threads
                              : bq_processors_count(BQ_OFFLOAD_THREADS_MAX);
}

enum bq_access_format bq_config_access_format(const struct bq_config *c)
{
    if (c->dev && bq_config_origin(c, "access_log") == BQ_ORIGIN_DEFAULT)
        return BQ_ACCESS_DEV;
    return (enum bq_access_format)c->access_log;
}

struct bq_app_options bq_config_app_options(const struct bq_config *c)
{
    return (struct bq_app_options){
        .body_bytes_max = c->body_bytes_max,
        .redirect_slashes = c->redirect_slashes,
        .docs = c->docs,
        .dev = c->dev,
        .lua_bytes_max = c->lua_bytes_max,
    };
}

struct bq_serve_limits bq_config_serve_limits(const struct bq_config *c)
{
    return (struct bq_serve_limits){
        .h1 = {.line_bytes_max = (uint32_t)c->line_bytes_max,
               .head_bytes_max = (uint32_t)c->head_bytes_max,
               .fields_max = (uint32_t)c->fields_max},
        .head_ms_max = (uint32_t)c->head_ms_max,
        .body_ms_max = (uint32_t)c->body_ms_max,
        .idle_ms_max = (uint32_t)c->idle_ms_max,
        .write_ms_max = (uint32_t)c->write_ms_max,
        .requests_max = (uint32_t)c->requests_max,
        .connections_max = (uint32_t)c->connections_max,
    };
}

struct bq_trust bq_config_trust(const struct bq_config *c)
{
    const struct bq_networks *set = &c->trust_proxy;
    return (struct bq_trust){
        .proxies = set->count || set->unix_sockets ? set : NULL,
        .by = (enum bq_forwarded_by)c->trust_proxy_fields,
    };
}

bool bq_config_sends_together(const struct bq_config *c)
{
    return c->loop == BQ_LOOP_URING || (c->loop == BQ_LOOP_AUTO && c->adoption);
}
