/*
 * load_answer.c: whether an answer is the right one, in as little time as a benchmark's client has.
 *
 * A head that is byte for byte the last one needs no parsing; a body is compared with the texts
 * that are right, the last one first.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODIES_BYTES_MAX (1024 * 1024)
#define HEAD_END         "\r\n\r\n"
#define HEAD_END_BYTES   4
#define LENGTH_FIELD     "\r\ncontent-length:"

static bool read_text(struct bodies *all, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    all->text = calloc(1, BODIES_BYTES_MAX + 1);
    if (all->text)
        all->text[fread(all->text, 1, BODIES_BYTES_MAX, file)] = '\0';
    fclose(file);
    return all->text != NULL;
}

bool bodies_load(struct bodies *all, const char *path)
{
    if (!read_text(all, path))
        return false;
    size_t lines = 0;
    for (const char *p = all->text; *p; p++)
        lines += *p == '\n';
    all->lines = calloc(lines + 1, sizeof *all->lines);
    all->lengths = calloc(lines + 1, sizeof *all->lengths);
    if (!all->lines || !all->lengths)
        return false;
    char *rest = all->text;
    for (char *end; (end = strchr(rest, '\n')); rest = end + 1) {
        all->lines[all->count] = rest;
        all->lengths[all->count++] = (size_t)(end - rest);
    }
    errno = EINVAL;
    return all->count > 0;
}

/* Learns a new head. Fails: false (not complete, or not one that is taken). */
static bool learn_head(struct known_head *known, const char *p, size_t n)
{
    const char *end = memmem(p, n, HEAD_END, HEAD_END_BYTES);
    size_t bytes = end ? (size_t)(end - p) + HEAD_END_BYTES : 0;
    if (bytes == 0 || bytes >= sizeof known->bytes)
        return false;
    memcpy(known->bytes, p, bytes);
    known->bytes[bytes] = '\0';
    const char *field = strcasestr(known->bytes, LENGTH_FIELD);
    if (strncmp(known->bytes, "HTTP/1.1 2", 10) != 0 || !field)
        return false;
    known->body_bytes = strtoul(field + sizeof LENGTH_FIELD - 1, NULL, 10);
    known->n = bytes;
    return true;
}

static bool is_known_head(const struct known_head *known, const char *p, size_t n)
{
    return known->n > 0 && n >= known->n && memcmp(p, known->bytes, known->n) == 0;
}

static bool is_right_body(const struct bodies *all, struct known_head *known, const char *body)
{
    for (size_t i = 0; i < all->count; i++) {
        size_t at = (known->body + i) % all->count;
        if (all->lengths[at] == known->body_bytes &&
            memcmp(all->lines[at], body, known->body_bytes) == 0) {
            known->body = at;
            return true;
        }
    }
    return false;
}

long answer_check(const struct bodies *all, struct known_head *known, const char *p, size_t n)
{
    if (!is_known_head(known, p, n) && !learn_head(known, p, n))
        return memmem(p, n, HEAD_END, HEAD_END_BYTES) ? -1 : 0;
    size_t size = known->n + known->body_bytes;
    if (n < size)
        return size <= ANSWER_BYTES_MAX ? 0 : -1;
    return is_right_body(all, known, p + known->n) ? (long)size : -1;
}
