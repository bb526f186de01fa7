/*
 * line_writer.h: lines of several threads, written to a descriptor by one thread.
 *
 * Each producing thread has a lane of its own, a ring of bytes that it fills and
 * the writing thread empties; neither ever waits for the other. What does not fit
 * its lane because the descriptor is slow is dropped and counted, and the server's
 * log says how many. The writing thread sleeps while nothing comes, and gathers
 * for some milliseconds while something does, so that it writes large chunks.
 */
#ifndef BQ_BASE_LINE_WRITER_H
#define BQ_BASE_LINE_WRITER_H

#include "base/str.h"

#include <stdint.h>

struct bq_line_writer;

/* Starts the thread, which inherits the caller's signal mask. lane_bytes, a power of
 * two, is what each lane holds. name ("access log") starts the log's notices.
 * Takes: fd and name stay the caller's and outlive the writer.
 * Fails: NULL (errno). */
struct bq_line_writer *bq_line_writer_open(const char *name, int fd, unsigned lanes,
                                           size_t lane_bytes);

/* Takes a copy of the line, which ends in a newline. Never waits. False: dropped.
 * Thread: any, but one at a time for a lane. */
bool bq_line_writer_put(struct bq_line_writer *w, unsigned lane, bq_str line);

/* Lines dropped until now. Thread: any. */
uint64_t bq_line_writer_dropped(const struct bq_line_writer *w);

/* Writes what the lanes hold, ends the thread and frees the writer. False when that
 * took longer than wait_ms because nobody reads the descriptor: the writer is
 * then left to its thread, and the descriptor must stay open. */
bool bq_line_writer_close(struct bq_line_writer *w, unsigned wait_ms);

#endif
