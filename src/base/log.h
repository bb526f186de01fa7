/*
 * log.h: the server's own log, one line per record on standard error.
 *
 * A record is formatted on the stack and written with one write(2), so lines
 * of several threads do not mix. Control characters (C0, C1, DEL) and invalid
 * UTF-8 in the text become "\xNN"; newlines stay, for tracebacks, and the lines
 * after them are indented: a request can forge no record. What makes a record
 * longer than PIPE_BUF (4096 bytes) is cut, and the record says so.
 */
#ifndef BQ_BASE_LOG_H
#define BQ_BASE_LOG_H

#include "base/str.h"

enum bq_log_level { BQ_LOG_DEBUG, BQ_LOG_INFO, BQ_LOG_WARN, BQ_LOG_ERROR, BQ_LOG_OFF };

/* Records below level are dropped. Called at start, before there are threads. */
void bq_log_set_level(enum bq_log_level level);
bool bq_log_enabled(enum bq_log_level level);

/* "debug" … "off". Fails: BQ_INVALID. */
int bq_log_level_of(bq_str name, enum bq_log_level *out);

/* How many records of that level there were, dropped ones included. Thread: any. */
unsigned long long bq_log_count(enum bq_log_level level);

/* Keeps errno. Thread: any. */
void bq_log(enum bq_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define bq_debug(...) (bq_log_enabled(BQ_LOG_DEBUG) ? bq_log(BQ_LOG_DEBUG, __VA_ARGS__) : (void)0)
#define bq_info(...)  bq_log(BQ_LOG_INFO, __VA_ARGS__)
#define bq_warn(...)  bq_log(BQ_LOG_WARN, __VA_ARGS__)
#define bq_error(...) bq_log(BQ_LOG_ERROR, __VA_ARGS__)

#endif
