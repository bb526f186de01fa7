/*
 * access_log.h: one line for each answer, on standard output.
 *
 * A worker formats its line on its own thread and puts it into its lane of the
 * line writer (base/line_writer.h); it never waits for the reader.
 *
 *   text      192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] "GET / HTTP/1.1" 200 31 "-" "curl" 0.0012
 *   combined  192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] "GET / HTTP/1.1" 200 31 "-" "curl"
 *   json      {"time":"2026-11-25T02:31:53Z","ip":"192.0.2.7","method":"GET","target":"/",
 *              "version":"1.1","status":200,"bytes":31,"duration":0.001200,"referer":null,
 *              "user_agent":"curl"}
 *   dev       GET     200   0.112 ms       31 B  /
 *
 * combined is Apache's, where nothing sent is "-"; text has the duration in seconds behind it. dev
 * is for a terminal, and has colours on one. Bytes that could forge or break a line, or drive a
 * terminal, are escaped; text beyond BQ_ACCESS_FIELD_BYTES_MAX is cut and ends in "...". A request
 * that has an id has it at the end of text, and in json, as the trace.
 */
#ifndef BQ_ACCESS_LOG_H
#define BQ_ACCESS_LOG_H

#include "base/line_writer.h"
#include "net/loop.h"
#include "serve/serve.h"

#include <time.h>

/* In the order of the words of the option access_log. */
enum bq_access_format {
    BQ_ACCESS_OFF,
    BQ_ACCESS_TEXT,
    BQ_ACCESS_COMBINED,
    BQ_ACCESS_JSON,
    BQ_ACCESS_DEV,
};

#define BQ_ACCESS_FIELD_BYTES_MAX 4096

/* An escaped byte takes up to six ("\u001f"), and four texts come from the client; ids are short.
 */
#define BQ_ACCESS_LINE_BYTES_MAX (4 * (6 * BQ_ACCESS_FIELD_BYTES_MAX + 3) + 1024)

/* A worker's part. */
struct bq_access_log {
    enum bq_access_format format;
    bool coloured;                 /* dev */
    struct bq_line_writer *writer; /* shared */
    unsigned lane;
    const struct bq_loop *loop; /* for the time */
    time_t second;              /* that date is of */
    char date[32];
    size_t date_bytes;
    char line[BQ_ACCESS_LINE_BYTES_MAX];
};

void bq_access_log_init(struct bq_access_log *log, enum bq_access_format format,
                        struct bq_line_writer *writer, unsigned lane, const struct bq_loop *loop);

/* Whether lines for a terminal may have colours: the descriptor is one, and NO_COLOR does not speak
 * against it (no-color.org). */
bool bq_access_log_may_colour(int fd);

/* Formats the record into log->line, newline included, and gives its length. now: wall-clock
 * seconds. */
size_t bq_access_log_format(struct bq_access_log *log, const struct bq_access_record *record,
                            time_t now);

/* A bq_access_fn, whose arg is the worker's struct bq_access_log. */
void bq_access_log_write(void *arg, const struct bq_access_record *record);

#endif
