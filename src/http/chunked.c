/* chunked.c: one byte at a time through the lines, in one step through the data. */
#include "http/chunked.h"

#include "http/chars.h"

static uint8_t extension_byte(struct bq_chunked *c, char byte)
{
    if (byte == '\r')
        return BQ_CHUNK_AT_SIZE_LF;
    if (++c->extension_bytes > BQ_CHUNK_EXTENSION_BYTES_MAX ||
        ++c->extension_bytes_sum > BQ_CHUNK_EXTENSION_BYTES_SUM_MAX)
        return BQ_CHUNK_AT_FAULT;
    /* No quoted string can hide a CR or LF, so that its end is the line's end for
     * every reader. */
    return bq_char_is(byte, BQ_CHAR_VALUE) ? BQ_CHUNK_AT_EXTENSION : BQ_CHUNK_AT_FAULT;
}

static uint8_t size_byte(struct bq_chunked *c, char byte)
{
    int digit = bq_hex_value(byte);
    if (digit >= 0 && c->digits < BQ_CHUNK_DIGITS_MAX) {
        c->left = c->left << 4 | (unsigned)digit;
        c->digits++;
        return BQ_CHUNK_AT_SIZE;
    }
    if (c->digits && byte == '\r')
        return BQ_CHUNK_AT_SIZE_LF;
    return c->digits && byte == ';' ? extension_byte(c, byte) : BQ_CHUNK_AT_FAULT;
}

static uint8_t next_state(struct bq_chunked *c, char byte)
{
    switch ((enum bq_chunk_state)c->state) {
    case BQ_CHUNK_AT_SIZE:
        return size_byte(c, byte);
    case BQ_CHUNK_AT_EXTENSION:
        return extension_byte(c, byte);
    case BQ_CHUNK_AT_SIZE_LF:
        c->digits = 0;
        c->extension_bytes = 0;
        if (byte != '\n')
            return BQ_CHUNK_AT_FAULT;
        return c->left ? BQ_CHUNK_AT_DATA : BQ_CHUNK_AT_END;
    case BQ_CHUNK_AT_DATA_CR:
        return byte == '\r' ? BQ_CHUNK_AT_DATA_LF : BQ_CHUNK_AT_FAULT;
    case BQ_CHUNK_AT_DATA_LF:
        return byte == '\n' ? BQ_CHUNK_AT_SIZE : BQ_CHUNK_AT_FAULT;
    case BQ_CHUNK_AT_DATA:
    case BQ_CHUNK_AT_END:
    case BQ_CHUNK_AT_FAULT:
        break;
    }
    return BQ_CHUNK_AT_FAULT;
}

static void take_data(struct bq_chunked *c, bq_str *in, bq_str *data)
{
    size_t n = in->n < c->left ? in->n : (size_t)c->left;
    *data = bq_str_of(in->p, n);
    in->p += n;
    in->n -= n;
    c->left -= n;
    if (c->left == 0)
        c->state = BQ_CHUNK_AT_DATA_CR;
}

enum bq_chunk_event bq_chunked_feed(struct bq_chunked *c, bq_str *in, bq_str *data)
{
    for (;;) {
        if (c->state == BQ_CHUNK_AT_END)
            return BQ_CHUNK_LAST;
        if (c->state == BQ_CHUNK_AT_FAULT)
            return BQ_CHUNK_INVALID;
        if (in->n == 0)
            return BQ_CHUNK_MORE;
        if (c->state == BQ_CHUNK_AT_DATA) {
            take_data(c, in, data);
            return BQ_CHUNK_DATA;
        }
        c->state = next_state(c, in->p[0]);
        in->p++;
        in->n--;
    }
}
