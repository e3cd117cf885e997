/* RegexFullMatch. */
#include "ops/move.h"
#include "ops/ints.h"
#include "ops/regex.h"

ingot_status ingot__infer_RegexFullMatch(ingot__infer *f) {
  const ingot__attrs_RegexFullMatch *a = f->attrs;
  if (!ingot__infer_has(f, 0) || f->in[0]->dtype != INGOT_STRING) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the input must be strings");
  f->out[0] = *f->in[0];
  f->out[0].dtype = INGOT_BOOL;
  if (!f->dims) return INGOT_OK; /* seen when the network was built */
  ingot__regex *regex;
  return ingot__regex_compile(f->arena, a->pattern, ingot__where(f->node), f->diag, &regex);
}

ingot_status ingot__ref_RegexFullMatch(const ingot__call *call) {
  const ingot_string *in = call->in[0].data;
  uint8_t *out = call->out[0].data;
  if (!call->store) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "strings can't be matched here");
  ingot__arena scratch;
  ingot__arena_init(&scratch, &call->store->heap);
  ingot__regex *regex;
  ingot_status status =
      ingot__regex_compile(&scratch, INGOT__ATTRS(call, RegexFullMatch)->pattern, ingot__where(call->node), call->diag, &regex);
  for (int64_t i = 0, n = ingot__view_count(&call->in[0]); status == INGOT_OK && i < n; i++)
    out[i] = ingot__regex_match(regex, in[i].data, in[i].size);
  ingot__arena_free(&scratch);
  return status;
}
