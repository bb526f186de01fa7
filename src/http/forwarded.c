/*
 * forwarded.c: from proxies' fields to the client's address, scheme and host.
 *
 * The surprising part is that Forwarded is cut into elements from its end: a client's part, which
 * stands in front, may have an open quotation mark that would swallow what proxies have added.
 */
#include "http/forwarded.h"

#include "base/rc.h"
#include "http/chars.h"
#include "http/target.h"

#define HOST_BYTES_MAX 255

/* From the nearest proxy's word to that of the farthest that is trusted. */
struct walk {
    const struct bq_networks *proxies;
    struct bq_client *client;
    bq_str host;
    size_t depth; /* addresses that were read */
};

/* What one proxy says. p is NULL for what it does not. */
struct hop {
    bq_str client, scheme, host;
};

/* --- the parts of a hop ------------------------------------------------------------------- */

/* "" or ":" and a port, which may be obfuscated ("_x"). */
static bool is_port(bq_str s)
{
    if (s.n == 0)
        return true;
    return s.p[0] == ':' && s.n > 1 &&
           bq_chars_all(bq_str_of(s.p + 1, s.n - 1), BQ_CHAR_UNRESERVED);
}

/* "[v6]", "[v6]:port", "v4", "v4:port"; and "v6", which only X-Forwarded-For may say. */
static bool read_node(bq_str s, struct bq_ip *ip)
{
    size_t colon = bq_str_find(s, ':', 0);
    if (s.n && s.p[0] == '[') {
        size_t end = bq_str_find(s, ']', 0);
        return colon < end && end < s.n && is_port(bq_str_of(s.p + end + 1, s.n - end - 1)) &&
               bq_ip_parse(ip, bq_str_of(s.p + 1, end - 1)) == BQ_OK;
    }
    if (bq_str_find(s, ':', colon + 1) < s.n)
        return bq_ip_parse(ip, s) == BQ_OK;
    return is_port(bq_str_of(s.p + colon, s.n - colon)) &&
           bq_ip_parse(ip, bq_str_of(s.p, colon)) == BQ_OK;
}

/* Whether the one behind this hop is a trusted proxy, too. */
static bool take_client(struct walk *w, bq_str node)
{
    struct bq_ip ip;
    if (!node.n || !read_node(node, &ip))
        return false;
    w->client->ip = ip;
    w->depth++;
    return bq_networks_have(w->proxies, &ip);
}

static void take_scheme(struct walk *w, bq_str said)
{
    static const struct {
        bq_str said, scheme;
    } schemes[] = {
        {{"http", 4}, {"http", 4}},
        {{"https", 5}, {"https", 5}},
        {{"ws", 2}, {"http", 4}}, /* of a request that asks for a WebSocket */
        {{"wss", 3}, {"https", 5}},
    };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (bq_str_eq_nocase(said, schemes[i].said))
            w->client->scheme = schemes[i].scheme;
}

static void take_host(struct walk *w, bq_str said)
{
    if (said.n > 0 && said.n <= HOST_BYTES_MAX && bq_host_valid(said))
        w->host = said;
}

/* --- X-Forwarded-… ------------------------------------------------------------------------ */

static bool is_field(const struct bq_field *f, bq_str name)
{
    return bq_str_eq_nocase(f->name, name);
}

static bool has_field(const struct bq_request *r, bq_str name)
{
    return bq_request_find(r, name) != NULL;
}

/* The last element of a list without quotation marks; the rest is what was in front of it. */
static bool take_last(bq_str *rest, bq_str *element)
{
    while (rest->n) {
        const char *comma = memrchr(rest->p, ',', rest->n);
        size_t from = comma ? (size_t)(comma - rest->p) + 1 : 0;
        *element = bq_str_trim(bq_str_of(rest->p + from, rest->n - from));
        rest->n = comma ? from - 1 : 0;
        if (element->n)
            return true;
    }
    return false;
}

static void walk_addresses(struct walk *w, const struct bq_request *r)
{
    bq_str node;
    for (size_t i = r->field_count; i-- > 0;) {
        bq_str rest = r->fields[i].value;
        if (!is_field(&r->fields[i], BQ_STR("x-forwarded-for")))
            continue;
        while (take_last(&rest, &node))
            if (!take_client(w, node))
                return;
    }
}

/* What the proxy says that has named the client: as many from the right as addresses were read. A
 * list that is shorter is one that not every proxy has added to; its first is the farthest. */
static bq_str element_at(const struct bq_request *r, bq_str name, size_t depth)
{
    bq_str found = BQ_STR(""), element;
    size_t n = 0;
    for (size_t i = r->field_count; i-- > 0;) {
        bq_str rest = r->fields[i].value;
        if (!is_field(&r->fields[i], name))
            continue;
        while (n < depth && take_last(&rest, &element)) {
            found = element;
            n++;
        }
    }
    return found;
}

static void read_x(struct walk *w, const struct bq_request *r)
{
    walk_addresses(w, r);
    size_t depth = w->depth ? w->depth : 1;
    take_scheme(w, element_at(r, BQ_STR("x-forwarded-proto"), depth));
    take_host(w, element_at(r, BQ_STR("x-forwarded-host"), depth));
}

/* --- Forwarded ---------------------------------------------------------------------------- */

/* How many backslashes stand in front of at. */
static size_t backslashes(const char *p, size_t at)
{
    size_t n = 0;
    while (n < at && p[at - 1 - n] == '\\')
        n++;
    return n;
}

/* The quotation mark that opens what the one at close closes; SIZE_MAX if none does. */
static size_t find_open(bq_str s, size_t close)
{
    for (size_t at = close; at-- > 0;) {
        if (s.p[at] != '"')
            continue;
        size_t escapes = backslashes(s.p, at);
        if (escapes % 2 == 0)
            return at;
        at -= escapes;
    }
    return SIZE_MAX;
}

/* As take_last, where commas may be quoted. False at the end, and where a quotation mark that
 * closes has no other. */
static bool take_last_quoted(bq_str *rest, bq_str *element)
{
    while (rest->n) {
        size_t from = rest->n;
        while (from > 0 && rest->p[from - 1] != ',') {
            from--;
            if (rest->p[from] == '"' && (from = find_open(*rest, from)) == SIZE_MAX)
                return false;
        }
        *element = bq_str_trim(bq_str_of(rest->p + from, rest->n - from));
        rest->n = from ? from - 1 : 0;
        if (element->n)
            return true;
    }
    return false;
}

/* The length of the quoted string at the front, both marks included; 0 if it has no end. */
static size_t quoted_length(bq_str s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"')
            return i + 1;
        i += s.p[i] == '\\';
    }
    return 0;
}

static size_t bare_length(bq_str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && !strchr("\",;\\", s.p[n]))
        n++;
    return n;
}

static bq_str behind(bq_str s, size_t n)
{
    return bq_str_trim(bq_str_of(s.p + n, s.n - n));
}

/* The value at the front of s, and s moves behind it. An escape in it stays: nothing that
 * is looked for has one. */
static bool take_value(bq_str *s, bq_str *value)
{
    bool quoted = s->n && s->p[0] == '"';
    size_t n = quoted ? quoted_length(*s) : bare_length(*s);
    if (n == 0)
        return false;
    *value = quoted ? bq_str_of(s->p + 1, n - 2) : bq_str_of(s->p, n);
    *s = behind(*s, n);
    return s->n == 0 || s->p[0] == ';';
}

/* A parameter must not occur twice (section 4). */
static bool keep(struct hop *hop, bq_str name, bq_str value)
{
    bq_str *slot = bq_str_eq_nocase(name, BQ_STR("for"))     ? &hop->client
                   : bq_str_eq_nocase(name, BQ_STR("proto")) ? &hop->scheme
                   : bq_str_eq_nocase(name, BQ_STR("host"))  ? &hop->host
                                                             : NULL;
    if (slot && slot->p)
        return false;
    if (slot)
        *slot = value;
    return true;
}

/* [ pair ] *( ";" [ pair ] ), with white space around them, which the grammar has not. */
static bool read_hop(bq_str s, struct hop *hop)
{
    bq_str value;
    *hop = (struct hop){0};
    while (s.n) {
        if (s.p[0] == ';') {
            s = behind(s, 1);
            continue;
        }
        size_t equals = bq_str_find(s, '=', 0);
        bq_str name = bq_str_of(s.p, equals);
        if (equals == s.n || name.n == 0 || !bq_chars_all(name, BQ_CHAR_TOKEN))
            return false;
        s = bq_str_of(s.p + equals + 1, s.n - equals - 1);
        if (!take_value(&s, &value) || !keep(hop, name, value))
            return false;
    }
    return true;
}

static bool take_hop(struct walk *w, bq_str element)
{
    struct hop hop;
    if (!read_hop(element, &hop))
        return false;
    take_scheme(w, hop.scheme);
    take_host(w, hop.host);
    return take_client(w, hop.client);
}

static void read_standard(struct walk *w, const struct bq_request *r)
{
    bq_str element;
    for (size_t i = r->field_count; i-- > 0;) {
        bq_str rest = r->fields[i].value;
        if (!is_field(&r->fields[i], BQ_STR("forwarded")))
            continue;
        while (take_last_quoted(&rest, &element))
            if (!take_hop(w, element))
                return;
        if (rest.n)
            return;
    }
}

/* --- both --------------------------------------------------------------------------------- */

void bq_forwarded_read(struct bq_request *r, const struct bq_trust *trust, const struct bq_ip *peer,
                       struct bq_client *out)
{
    struct walk w = {.proxies = trust->proxies, .client = out};
    *out = (struct bq_client){.ip = *peer, .scheme = BQ_STR("http")};
    bool standard = trust->by == BQ_FORWARDED_STANDARD ||
                    (trust->by == BQ_FORWARDED_AUTO && has_field(r, BQ_STR("forwarded")) &&
                     !has_field(r, BQ_STR("x-forwarded-for")));
    if (standard)
        read_standard(&w, r);
    else
        read_x(&w, r);
    if (w.host.n)
        r->host = w.host;
}
