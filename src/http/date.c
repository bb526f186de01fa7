/* date.c: IMF-fixdate (RFC 9110, section 5.6.7), the same in every locale. */
#include "http/h1_write.h"

#include <assert.h>

#define YEAR_0_S    INT64_C(-62167219200)
#define YEAR_9999_S INT64_C(253402300799)

static char *put_digits(char *w, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        w[i] = (char)('0' + value % 10);
    return w + digits;
}

static char *put_text(char *w, const char *text, size_t n)
{
    memcpy(w, text, n);
    return w + n;
}

void bq_date_format(time_t t, char out[static BQ_DATE_BYTES])
{
    static const char days[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
    static const char months[] = " Jan  Feb  Mar  Apr  May  Jun  Jul  Aug  Sep  Oct  Nov  Dec ";
    struct tm tm;
    t = t < YEAR_0_S ? YEAR_0_S : t > YEAR_9999_S ? YEAR_9999_S : t;
    if (!gmtime_r(&t, &tm))
        assert(!"gmtime_r fails only beyond the years above");
    char *w = put_text(out, days + (ptrdiff_t)5 * tm.tm_wday, 5);
    w = put_digits(w, tm.tm_mday, 2);
    w = put_text(w, months + (ptrdiff_t)5 * tm.tm_mon, 5);
    w = put_digits(w, tm.tm_year + 1900, 4);
    *w++ = ' ';
    w = put_digits(w, tm.tm_hour, 2);
    *w++ = ':';
    w = put_digits(w, tm.tm_min, 2);
    *w++ = ':';
    w = put_digits(w, tm.tm_sec, 2);
    w = put_text(w, " GMT", 4);
    assert(w == out + BQ_DATE_BYTES);
}
