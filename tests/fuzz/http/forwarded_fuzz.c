/* forwarded_fuzz.c: a client is an address or the peer, a scheme one of two, a host one that is
 * valid; and whatever a client sends in front of what a proxy adds, the client stays the same. */
#include "base/rc.h"
#include "http/forwarded.h"
#include "http/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static struct bq_client read_fields(struct bq_field *fields, size_t count, enum bq_forwarded_by by)
{
    struct bq_networks proxies = {.count = 0};
    struct bq_trust trust = {&proxies, by};
    struct bq_request r = {.fields = fields, .field_count = count, .host = BQ_STR("own")};
    struct bq_ip peer;
    struct bq_client client;
    bq_networks_add(&proxies, BQ_STR("private"));
    bq_ip_parse(&peer, BQ_STR("10.0.0.5"));
    bq_forwarded_read(&r, &trust, &peer, &client);
    demand(client.ip.bits == 32 || client.ip.bits == 128);
    demand(bq_str_eq(client.scheme, BQ_STR("http")) || bq_str_eq(client.scheme, BQ_STR("https")));
    demand(r.host.n > 0 && bq_host_valid(r.host));
    return client;
}

/* A field's value of the fuzzer's bytes, and an element behind it: whoever has written that names
 * the client. */
static void add_behind(bq_str name, bq_str bytes, const char *element, enum bq_forwarded_by by)
{
    size_t n = strlen(element);
    char *text = malloc(bytes.n + n);
    memcpy(text, bytes.p, bytes.n);
    memcpy(text + bytes.n, element, n);
    struct bq_field field = {name, bq_str_of(text, bytes.n + n)};
    struct bq_client client = read_fields(&field, 1, by);
    struct bq_ip expected;
    bq_ip_parse(&expected, BQ_STR("203.0.113.9"));
    demand(memcmp(&client.ip, &expected, sizeof expected) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str bytes = bq_str_of((const char *)data, n);
    struct bq_field fields[] = {
        {BQ_STR("X-Forwarded-For"), bytes},
        {BQ_STR("X-Forwarded-Proto"), bytes},
        {BQ_STR("X-Forwarded-Host"), bytes},
        {BQ_STR("Forwarded"), bytes},
    };
    for (int by = BQ_FORWARDED_AUTO; by <= BQ_FORWARDED_STANDARD; by++)
        read_fields(fields, 4, (enum bq_forwarded_by)by);
    read_fields(fields + 3, 1, BQ_FORWARDED_AUTO);
    add_behind(BQ_STR("x-forwarded-for"), bytes, ", 203.0.113.9, 10.1.1.1", BQ_FORWARDED_AUTO);
    add_behind(BQ_STR("forwarded"), bytes, ", for=203.0.113.9, for=10.1.1.1;by=\"a\\\",\"",
               BQ_FORWARDED_STANDARD);
    return 0;
}
