/* What FusedAttention computes, for its reference and its kernels.
 *
 * softmax(Q K^T * scale + mask) V for Q (.., L, D), K (.., S, D), V (.., S, E); leading dims broadcast, and the last of them may be a
 * multiple of K's and V's: that many heads of queries share one of keys. scale 0 stands for 1/sqrt(D). Beyond that, all optional:
 *   softcap    scores become softcap * tanh(score / softcap) before the mask
 *   mask       broadcast to (.., L, S); added, of Q's type or, where that is narrower, of float32, which scores with it and the softmax then
 *              are as well; or of bools: a key takes part where it is true. With mask_pads its last dim is as it is, and keys past it take no
 *              part
 *   lengths    of keys that take part, one for all or one for each of the first leading dim
 *   offset     the position of query 0 among the keys, the same way; 0 without
 *   causal     a query at position p sees keys up to p
 *   left, right   and those from p - left up to p + right, where these aren't -1
 *   scores     what a second output gives: 0 the products, 1 those with the softcap, 2 with the mask, 3 the softmax
 *   precision  the type of the softmax, when it isn't Q's
 *   swapped    bits for Q (1), K (2), V (4) and the result (8): its heads stand behind its positions, (.., L, heads, D)
 * A query without any key gives zeros. */
#ifndef INGOT_OPS_ATTENTION_H
#define INGOT_OPS_ATTENTION_H
#include "ops/call.h"

/* in[i] (out[0] for i = 3) with its heads before its positions, whichever way it lies. */
enum { INGOT__ATTENTION_OUT = 3 };
ingot__view ingot__attention_view(const ingot__call *call, int i);
/* Of `keys` those [begin, end) that query `l` of batch element `batch` (the first leading dim's) may see, but for the mask. */
void ingot__attention_keys(const ingot__call *call, int64_t keys, int64_t batch, int64_t l, int64_t *begin, int64_t *end);
/* How many heads of queries share a head of K or V (as ingot__attention_view gives them): 1 where they have as many, or one for all. */
int64_t ingot__attention_group(const ingot__view *q, const ingot__view *v);
#endif
