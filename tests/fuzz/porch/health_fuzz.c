/* health_fuzz.c: whatever a peer says first is a status of three digits or none, and what follows
 * the status line's first twelve bytes does not matter. */
#include "health.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str answer = bq_str_of((const char *)data, n);
    char digits[16];
    unsigned status = bq_health_status(answer);
    if (status == 0)
        return 0;
    snprintf(digits, sizeof digits, "%u", status);
    if (n < 12 || status < 100 || status > 999 || memcmp(digits, data + 9, 3) != 0 ||
        bq_health_status(bq_str_of(answer.p, 12)) != status)
        abort();
    return 0;
}
