/* Regular expressions of RE2's syntax, matched in time linear in the text: no pattern can make a run hang. */
#ifndef INGOT_OPS_REGEX_H
#define INGOT_OPS_REGEX_H
#include "base/mem.h"

typedef struct ingot__regex ingot__regex;
/* INGOT_E_NETWORK for a wrong pattern, INGOT_E_UNSUPPORTED for what is RE2's but not had here (Unicode classes \p, \C), INGOT_E_LIMIT for
 * patterns too large or nested too deeply; `where` goes into the message. The result lives in the arena. */
ingot_status ingot__regex_compile(ingot__arena *arena, const char *pattern, const char *where, ingot__diag *diag, ingot__regex **regex);
/* Whether all of the text, which is UTF-8, matches. Bytes that aren't UTF-8 match no character but . and negated classes. */
bool ingot__regex_match(const ingot__regex *regex, const char *text, size_t size);
#endif
