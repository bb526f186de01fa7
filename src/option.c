/*
 * option.c: the table of options, and what can be said of each from its row.
 */
#include "option.h"

#include "base/quantity.h"
#include "base/rc.h"
#include "data/offload.h"
#include "nearest.h"

#include <ctype.h>

static const char *const access_words[] = {"off", "text", "combined", "json", "dev", NULL};
static const char *const forwarded_words[] = {"auto", "x-forwarded", "forwarded", NULL};
static const char *const proxy_words[] = {"off", "trusted", "any", NULL};
static const char *const loop_words[] = {"auto", "epoll", "uring", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", "off", NULL};

#define HOUR_MS   UINT64_C(3600000)
#define MIB       (UINT64_C(1) << 20)
#define GIB       (UINT64_C(1) << 30)
#define AT(field) offsetof(struct bq_config, field)

const struct bq_option bq_options[] = {
    {"host", BQ_OPTION_STRING, AT(host), "127.0.0.1",
     .help = "address to listen on; \"*\" is every address"},
    {"port", BQ_OPTION_INTEGER, AT(port), "8000", 0, 65535,
     .help = "port to listen on; 0 takes a free one"},
    {"listen", BQ_OPTION_LIST, AT(listen), NULL,
     .help = "host:port or unix:/path, instead of host and port; repeatable"},
    {"workers", BQ_OPTION_INTEGER, AT(workers), "auto", 1, BQ_WORKERS_MAX, .zero = "auto",
     .help = "threads that serve; auto is one for each processor"},
    {"adoption", BQ_OPTION_BOOLEAN, AT(adoption), "true", .implied = "true",
     .help = "others take over the connections of a worker that is inside Lua for long"},
    {"adoption_after", BQ_OPTION_DURATION, AT(adoption_ms), "4ms", 1, HOUR_MS,
     .help = "how long that is"},
    {"standby_workers", BQ_OPTION_INTEGER, AT(standby_max), "16", 0, BQ_STANDBY_MAX,
     .help = "further workers that may start for it while all are inside Lua"},
    {"standby_timeout", BQ_OPTION_DURATION, AT(standby_ms_max), "30", 1, 24 * HOUR_MS,
     .help = "after which a standby worker that nobody needed ends"},
    {"loop", BQ_OPTION_ENUM, AT(loop), "auto", .words = loop_words,
     .help = "send by io_uring; auto: where it is allowed"},
    {"offload_threads", BQ_OPTION_INTEGER, AT(offload_threads), "auto", 1, BQ_OFFLOAD_THREADS_MAX,
     .zero = "auto", .help = "threads for barq.offload; auto is one for each processor"},
    {"trust_proxy", BQ_OPTION_NETWORKS, AT(trust_proxy), NULL,
     .help = "proxies whose word about their clients counts: loopback,10.0.0.0/8"},
    {"trust_proxy_fields", BQ_OPTION_ENUM, AT(trust_proxy_fields), "auto", .words = forwarded_words,
     .help = "fields in which they say it"},
    {"proxy_protocol", BQ_OPTION_ENUM, AT(proxy_protocol), "off", .words = proxy_words,
     .implied = "trusted", .help = "connections begin with a PROXY header"},
    {"request_id", BQ_OPTION_BOOLEAN, AT(request_id), "false", .implied = "true",
     .help = "give each request an id: in X-Request-Id of its answer, and in the logs"},
    {"dev", BQ_OPTION_BOOLEAN, AT(dev), "false", .implied = "true",
     .help = "for development: reload on change, show errors to clients"},
    {"admin", BQ_OPTION_STRING, AT(admin), NULL,
     .help = "host:port or unix:/path for metrics, health and a live page; off without"},
    {"access_log", BQ_OPTION_ENUM, AT(access_log), "off", .words = access_words, .implied = "text",
     .help = "on standard output"},
    {"log_level", BQ_OPTION_ENUM, AT(log_level), "info", .words = level_words,
     .help = "least level that is logged"},
    {"drain_timeout", BQ_OPTION_DURATION, AT(drain_ms_max), "10", 0, 24 * HOUR_MS,
     .help = "how long the end waits for requests in flight"},
    {"request_line_max", BQ_OPTION_SIZE, AT(line_bytes_max), "8KiB", 64, MIB,
     .help = "longer request lines are refused with 414"},
    {"head_max", BQ_OPTION_SIZE, AT(head_bytes_max), "16KiB", 256, 16 * MIB,
     .help = "longer request heads are refused with 431"},
    {"fields_max", BQ_OPTION_INTEGER, AT(fields_max), "100", 1, 10000,
     .help = "more header fields are refused with 431"},
    {"body_max", BQ_OPTION_SIZE, AT(body_bytes_max), "1MiB", 0, 16 * GIB,
     .help = "longer request bodies are refused with 413"},
    {"head_timeout", BQ_OPTION_DURATION, AT(head_ms_max), "10", 1, 24 * HOUR_MS,
     .help = "for a request's head, from its first byte"},
    {"body_timeout", BQ_OPTION_DURATION, AT(body_ms_max), "30", 1, 24 * HOUR_MS,
     .help = "between two pieces of a request's body"},
    {"keep_alive_timeout", BQ_OPTION_DURATION, AT(idle_ms_max), "30", 1, 24 * HOUR_MS,
     .help = "for the next request on a connection"},
    {"write_timeout", BQ_OPTION_DURATION, AT(write_ms_max), "30", 1, 24 * HOUR_MS,
     .help = "for a client that takes no byte of its answer"},
    /* Nothing of a request outlives it, so this is not about memory: a proxy's connections,
     * which would stay where they once landed, are spread over the workers again now and
     * then, at a price (one handshake in so many requests) that nobody can measure. */
    {"requests_max", BQ_OPTION_INTEGER, AT(requests_max), "100000", 0, UINT32_MAX,
     .help = "on one connection, which is closed then; 0 is no limit"},
    {"connections_max", BQ_OPTION_INTEGER, AT(connections_max), "10000", 1, 10000000,
     .help = "of each worker; more wait to be accepted"},
    {"backlog", BQ_OPTION_INTEGER, AT(backlog), "1024", 1, 65535,
     .help = "connections that may wait to be accepted"},
    {"lua_memory_max", BQ_OPTION_SIZE, AT(lua_bytes_max), "1GiB", 0, UINT64_C(1) << 46,
     .help = "what Lua may hold in each worker; 0 is no limit"},
    {"redirect_slashes", BQ_OPTION_BOOLEAN, AT(redirect_slashes), "false", .implied = "true",
     .help = "redirect /items/ to /items, or back, where only one is a route"},
    {"docs", BQ_OPTION_BOOLEAN, AT(docs), "true", .implied = "true",
     .help = "serve the OpenAPI document at /openapi.json, and a page for it at /docs"},
};

const size_t bq_option_count = sizeof bq_options / sizeof bq_options[0];
_Static_assert(sizeof bq_options / sizeof bq_options[0] <= BQ_OPTIONS_MAX, "raise BQ_OPTIONS_MAX");

const struct bq_option *bq_option_find(bq_str name)
{
    for (size_t i = 0; i < bq_option_count; i++)
        if (bq_str_eq(name, bq_str_cstr(bq_options[i].name)))
            return &bq_options[i];
    return NULL;
}

/* Reading values, by type. */

static bool read_number(const struct bq_option *o, bq_str text, struct bq_option_value *out)
{
    int rc;
    if (o->zero && bq_str_eq(text, bq_str_cstr(o->zero))) {
        out->number = 0;
        return true;
    }
    if (o->type == BQ_OPTION_DURATION)
        rc = bq_quantity_ms(text, &out->number);
    else if (o->type == BQ_OPTION_SIZE)
        rc = bq_quantity_bytes(text, &out->number);
    else
        rc = bq_str_u64(text, &out->number);
    return rc == BQ_OK && out->number >= o->min && out->number <= o->max;
}

static bool read_boolean(bq_str text, struct bq_option_value *out)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    for (unsigned i = 0; i < 8; i++) {
        if (bq_str_eq_nocase(text, bq_str_cstr(words[i]))) {
            out->number = i & 1;
            return true;
        }
    }
    return false;
}

/* An enum that can stand alone takes true and false too: its implied word, its first word. */
static bool read_word(const struct bq_option *o, bq_str text, struct bq_option_value *out)
{
    struct bq_option_value on;
    if (o->implied && read_boolean(text, &on))
        text = bq_str_cstr(on.number ? o->implied : o->words[0]);
    for (unsigned i = 0; o->words[i]; i++) {
        if (bq_str_eq(text, bq_str_cstr(o->words[i]))) {
            out->number = i;
            return true;
        }
    }
    return false;
}

static bool read_text(bq_str text, struct bq_option_value *out)
{
    out->text = text;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    return text.n > 0;
}

static bool read_network(bq_str text, struct bq_option_value *out)
{
    struct bq_networks one = {.count = 0};
    out->text = text;
    return bq_networks_add(&one, text) == BQ_OK;
}

bool bq_option_read(const struct bq_option *o, bq_str text, struct bq_option_value *out)
{
    switch (o->type) {
    case BQ_OPTION_BOOLEAN:
        return read_boolean(text, out);
    case BQ_OPTION_ENUM:
        return read_word(o, text, out);
    case BQ_OPTION_STRING:
    case BQ_OPTION_LIST:
        return read_text(text, out);
    case BQ_OPTION_NETWORKS:
        return read_network(text, out);
    default:
        return read_number(o, text, out);
    }
}

/* What would have been right. */

static void describe_bounds(const struct bq_option *o, const char *what, char *out, size_t n)
{
    char min[BQ_QUANTITY_TEXT_MAX], max[BQ_QUANTITY_TEXT_MAX];
    if (o->type == BQ_OPTION_DURATION) {
        bq_quantity_ms_text(o->min, min);
        bq_quantity_ms_text(o->max, max);
    } else if (o->type == BQ_OPTION_SIZE) {
        bq_quantity_bytes_text(o->min, min);
        bq_quantity_bytes_text(o->max, max);
    } else {
        snprintf(min, sizeof min, "%llu", (unsigned long long)o->min);
        snprintf(max, sizeof max, "%llu", (unsigned long long)o->max);
    }
    snprintf(out, n, "%s%s%s from %s to %s", o->zero ? o->zero : "", o->zero ? " or " : "", what,
             min, max);
}

static void describe_words(const struct bq_option *o, char *out, size_t n)
{
    size_t used = (size_t)snprintf(out, n, "one of %s", o->words[0]);
    for (int i = 1; o->words[i] && used < n; i++)
        used += (size_t)snprintf(out + used, n - used, ", %s", o->words[i]);
}

void bq_option_describe(const struct bq_option *o, char out[static BQ_OPTION_TEXT_MAX])
{
    const size_t n = BQ_OPTION_TEXT_MAX;
    switch (o->type) {
    case BQ_OPTION_INTEGER:
        describe_bounds(o, "a whole number", out, n);
        break;
    case BQ_OPTION_DURATION:
        describe_bounds(o, "a duration (30, 0.5, 500ms, 2m)", out, n);
        break;
    case BQ_OPTION_SIZE:
        describe_bounds(o, "a size (4096, 16k, 1MiB)", out, n);
        break;
    case BQ_OPTION_ENUM:
        describe_words(o, out, n);
        break;
    case BQ_OPTION_BOOLEAN:
        snprintf(out, n, "true or false");
        break;
    case BQ_OPTION_NETWORKS:
        snprintf(out, n,
                 "an address, a network (10.0.0.0/8, fd00::/8: no bits behind the prefix), "
                 "loopback, private or unix");
        break;
    default:
        snprintf(out, n, "text without control characters");
    }
}

/* The name behind a prefix, in capitals or with dashes. */
static void spell(char out[BQ_OPTION_TEXT_MAX], const char *prefix, bq_str name, bool capitals)
{
    size_t n = (size_t)snprintf(out, BQ_OPTION_TEXT_MAX, "%s", prefix);
    for (size_t i = 0; i < name.n && n < BQ_OPTION_TEXT_MAX - 1; i++) {
        char c = name.p[i];
        out[n++] = capitals ? (char)toupper((unsigned char)c) : c == '_' ? '-' : c;
    }
    out[n] = 0;
}

void bq_option_spell(enum bq_origin origin, bq_str name, char out[static BQ_OPTION_TEXT_MAX])
{
    if (origin == BQ_ORIGIN_COMMAND_LINE)
        spell(out, "--", name, false);
    else if (origin == BQ_ORIGIN_ENVIRONMENT)
        spell(out, "BARQ_", name, true);
    else
        snprintf(out, BQ_OPTION_TEXT_MAX, "%.*s", BQ_STR_ARG(name));
}

void bq_option_suggest(enum bq_origin origin, bq_str name, char out[static BQ_OPTION_TEXT_MAX])
{
    char spelling[BQ_OPTION_TEXT_MAX];
    struct bq_nearest nearest;
    bq_nearest_init(&nearest, name);
    for (size_t i = 0; i < bq_option_count; i++)
        bq_nearest_offer(&nearest, bq_options[i].name);
    if (!nearest.best) {
        snprintf(out, BQ_OPTION_TEXT_MAX, "barq-server --help lists the options");
        return;
    }
    bq_option_spell(origin, bq_str_cstr(nearest.best), spelling);
    snprintf(out, BQ_OPTION_TEXT_MAX, "did you mean \"%.100s\"?", spelling);
}

/* The right column starts here. */
#define HELP_COLUMN 31

static const char *value_name(const struct bq_option *o)
{
    static const char *const names[] = {
        [BQ_OPTION_INTEGER] = " N",     [BQ_OPTION_DURATION] = " SECONDS",
        [BQ_OPTION_SIZE] = " SIZE",     [BQ_OPTION_BOOLEAN] = "",
        [BQ_OPTION_ENUM] = " WORD",     [BQ_OPTION_STRING] = " TEXT",
        [BQ_OPTION_LIST] = " ENDPOINT", [BQ_OPTION_NETWORKS] = " NETWORKS",
    };
    return o->implied && o->type == BQ_OPTION_ENUM ? "[=WORD]" : names[o->type];
}

void bq_options_print(FILE *out)
{
    for (const struct bq_option *o = bq_options; o < bq_options + bq_option_count; o++) {
        char name[BQ_OPTION_TEXT_MAX], left[BQ_OPTION_TEXT_MAX + 16], right[BQ_OPTION_TEXT_MAX];
        bq_option_spell(BQ_ORIGIN_COMMAND_LINE, bq_str_cstr(o->name), name);
        snprintf(left, sizeof left, "  %s%s", name, value_name(o));
        fprintf(out, "%-*s%s", HELP_COLUMN, left, o->help);
        if (o->type == BQ_OPTION_ENUM) {
            bq_option_describe(o, right);
            fprintf(out, ": %s", right);
        }
        if (o->preset)
            fprintf(out, " (%s)", o->preset);
        fputc('\n', out);
    }
}
