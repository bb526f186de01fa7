/*
 * write_fuzz.c: what the writers write reads back as what it was. The input is taken as
 * a string, strict and lossy, and each eight bytes of it as a double.
 */
#include "base/rc.h"
#include "base/utf8.h"
#include "json/check.h"
#include "json/write.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Undoes the escapes that the writer may use, in place. Gives the length. */
static size_t unescape(char *s, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
        if (s[i] != '\\') {
            s[len++] = s[i];
            continue;
        }
        i++;
        if (s[i] == 'u') {
            char hex[3] = {s[i + 3], s[i + 4], 0};
            require(s[i + 1] == '0' && s[i + 2] == '0');
            s[len++] = (char)strtol(hex, NULL, 16);
            i += 4;
        } else {
            const char *letter = strchr(from, s[i]);
            require(letter && *letter);
            s[len++] = to[letter - from];
        }
    }
    return len;
}

static void try_string(bq_str s)
{
    struct bq_buf strict = BQ_BUF_INIT, lossy = BQ_BUF_INIT;
    struct bq_json_error error;
    bool valid = bq_utf8_valid(s);
    require(bq_json_write_string(&strict, s) == (valid ? BQ_OK : BQ_INVALID));
    require(bq_json_write_lossy(&lossy, s) == BQ_OK);
    require(bq_json_check(bq_buf_str(&lossy), 0, &error) == BQ_OK);
    if (valid) {
        require(bq_str_eq(bq_buf_str(&strict), bq_buf_str(&lossy)));
        size_t n = unescape(strict.data + 1, strict.len - 2);
        require(bq_str_eq(bq_str_of(strict.data + 1, n), s));
    } else {
        require(bq_buf_size(&strict) == 0);
    }
    bq_buf_release(&strict);
    bq_buf_release(&lossy);
}

static void try_number(double v)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_json_error error;
    require(bq_json_write_number(&out, v) == (isfinite(v) ? BQ_OK : BQ_INVALID));
    if (isfinite(v)) {
        require(bq_json_check(bq_buf_str(&out), 0, &error) == BQ_OK);
        require(bq_buf_size(&out) <= sizeof "-0.0000012345678901234567" - 1);
        require(bq_buf_push(&out, '\0') == BQ_OK);
        double back = strtod(out.data, NULL);
        require(memcmp(&back, &v, sizeof v) == 0);
    }
    bq_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size ? size : 1);
    require(exact);
    memcpy(exact, data, size);
    try_string(bq_str_of(exact, size));
    for (size_t i = 0; i + sizeof(double) <= size; i += sizeof(double)) {
        double v;
        memcpy(&v, data + i, sizeof v);
        try_number(v);
        /* Shorter ones, as people write them. */
        if (fabs(v) < 1e15)
            try_number((double)(int64_t)v / 1000);
    }
    free(exact);
    return 0;
}
