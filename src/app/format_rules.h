/*
 * format_rules.h: the single formats, for format.c. Each gives NULL if all of the text is one, else
 * the reason why it is not, as the end of a sentence.
 */
#ifndef BQ_APP_FORMAT_RULES_H
#define BQ_APP_FORMAT_RULES_H

#include "base/str.h"

const char *bq_format_email(bq_str text);
const char *bq_format_uuid(bq_str text);
const char *bq_format_uri(bq_str text);
const char *bq_format_date(bq_str text);
const char *bq_format_time(bq_str text);
const char *bq_format_datetime(bq_str text);
const char *bq_format_ipv4(bq_str text);
const char *bq_format_ipv6(bq_str text);
const char *bq_format_base64(bq_str text);

static inline bool bq_format_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool bq_format_letter(char c)
{
    return bq_lower(c) >= 'a' && bq_lower(c) <= 'z';
}

static inline bool bq_format_hex(char c)
{
    return bq_format_digit(c) || (bq_lower(c) >= 'a' && bq_lower(c) <= 'f');
}

#endif
