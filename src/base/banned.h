/*
 * banned.h: functions that nobody may call, as compile errors.
 *
 * They write without knowing how much room there is, hide state or errors, or
 * leave strings unterminated. Instead: bq_buf, snprintf, memcpy with a length,
 * bq_str_next_token, bq_str_u64, an arena. base/str.h includes this file, and so
 * nearly every source does. The headers that declare the functions come first,
 * because a declaration looks like a call to the preprocessor. (#pragma GCC
 * poison would say it better, but luaconf.h has sprintf in a macro.)
 */
#ifndef BQ_BASE_BANNED_H
#define BQ_BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BQ_BANNED(name) sorry_##name##_is_a_banned_function

#undef alloca
#define alloca(n) BQ_BANNED(alloca)
#undef atoi
#define atoi(s) BQ_BANNED(atoi)
#undef gets
#define gets(s) BQ_BANNED(gets)
#undef sprintf
#define sprintf(...) BQ_BANNED(sprintf)
#undef strcat
#define strcat(to, from) BQ_BANNED(strcat)
#undef strcpy
#define strcpy(to, from) BQ_BANNED(strcpy)
#undef strncpy
#define strncpy(to, from, n) BQ_BANNED(strncpy)
#undef strtok
#define strtok(s, separators) BQ_BANNED(strtok)
#undef vsprintf
#define vsprintf(to, format, ap) BQ_BANNED(vsprintf)

#endif
