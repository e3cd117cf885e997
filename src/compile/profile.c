/* The shapes an engine is built for. Dims that the profile fixes become numbers in the whole network, so that passes can fold with them. */
#include "compile/compile.h"
#include <string.h>

static const ingot__shape_range *range_of(const ingot_config *config, const char *input, size_t profile) {
  for (size_t i = 0; i < config->n_range; i++)
    if (config->range[i].profile == profile && !strcmp(config->range[i].input, input)) return &config->range[i];
  return profile ? range_of(config, input, 0) : NULL; /* what isn't set in a further profile is as in the first */
}

static ingot_status input_profile(ingot__build *b, const ingot__value *v, size_t index, ingot__profile *profile) {
  const ingot__shape_range *range = range_of(b->config, v->name, index);
  const ingot__dims *dims = &b->engine->network->dims;
  if (v->type.kind != INGOT__TENSOR) {
    return range ? ingot__fail(b->diag, INGOT_E_SHAPE, v->name, "is no tensor: a profile can't be set for it") : INGOT_OK;
  }
  if (v->type.rank < 0) return ingot__fail(b->diag, INGOT_E_SHAPE, v->name, "this input has no rank in the model; it can't be run");
  if (range && range->rank != v->type.rank)
    return ingot__fail(b->diag, INGOT_E_SHAPE, v->name, "the profile has %d dims, the input has %d", range->rank, v->type.rank);
  for (int d = 0; d < v->type.rank; d++) {
    int64_t fixed;
    bool known = ingot__dim_value(dims, v->type.dim[d], &fixed);
    if (range) {
      profile->min[d] = range->min[d], profile->opt[d] = range->opt[d], profile->max[d] = range->max[d];
      if (range->min[d] < 0 || range->min[d] > range->opt[d] || range->opt[d] > range->max[d])
        return ingot__fail(b->diag, INGOT_E_SHAPE, v->name, "dim %d of the profile is not min <= opt <= max: %lld, %lld, %lld", d,
                           (long long)range->min[d], (long long)range->opt[d], (long long)range->max[d]);
      if (known && (range->min[d] != fixed || range->max[d] != fixed))
        return ingot__fail(b->diag, INGOT_E_SHAPE, v->name, "dim %d is %lld in the model and can't be %lld", d, (long long)fixed,
                           (long long)(range->min[d] != fixed ? range->min[d] : range->max[d]));
    } else if (known) {
      profile->min[d] = profile->opt[d] = profile->max[d] = fixed;
    } else if (d == 0) {
      profile->min[d] = profile->opt[d] = 1;
      profile->max[d] = INGOT__DEFAULT_MAX_BATCH;
    } else {
      char text[64];
      ingot__fail(b->diag, INGOT_E_SHAPE, v->name, "dim %d (%s) is not fixed; give the input a profile, such as --shapes=%s:...", d,
                  ingot__dim_text(dims, v->type.dim[d], text, sizeof text), v->name);
    }
  }
  return INGOT_OK;
}

/* Puts the number for a symbol into every input that has it, so that equal symbols stay equal. */
static void substitute(ingot__network *net, ingot__dim symbol, int64_t number) {
  for (size_t i = 0; i < net->main->n_input; i++) {
    ingot__type *type = &net->main->input[i]->type;
    for (int d = 0; d < type->rank; d++)
      if (type->dim[d] == symbol) type->dim[d] = number;
  }
}

static bool fixed(const ingot_engine *e, size_t n, size_t i, int d) { /* one number in all profiles */
  for (size_t k = 0; k < e->n_profile; k++) {
    const ingot__profile *p = &e->profile[k * n + i];
    if (p->min[d] != p->max[d] || p->min[d] != e->profile[i].min[d]) return false;
  }
  return true;
}

ingot_status ingot__build_profile(ingot__build *b) {
  ingot_engine *e = b->engine;
  ingot__network *net = e->network;
  size_t n = net->main->n_input;
  for (size_t i = 0; i < b->config->n_range; i++) {
    bool found = false;
    for (size_t k = 0; k < n; k++) found |= !strcmp(net->main->input[k]->name, b->config->range[i].input);
    if (!found) ingot__fail(b->diag, INGOT_E_ARGUMENT, b->config->range[i].input, "the profile names an input that the network doesn't have");
  }
  e->n_profile = b->config->n_profile;
  e->profile = INGOT_NEW_ARRAY(&e->arena, e->n_profile * n + 1, ingot__profile);
  if (!e->profile) return ingot__no_memory(b->diag);
  for (size_t i = 0; i < e->n_profile * n; i++) input_profile(b, net->main->input[i % n], i / n, &e->profile[i]);
  if (b->diag->status != INGOT_OK) return b->diag->status;
  bool changed = false;
  for (size_t i = 0; i < n; i++) {
    ingot__type *type = &net->main->input[i]->type;
    for (int d = 0; d < type->rank; d++) {
      if (ingot__dim_is_number(type->dim[d]) || !fixed(e, n, i, d)) continue;
      substitute(net, type->dim[d], e->profile[i].opt[d]);
      changed = true;
    }
  }
  for (size_t i = 0; i < e->n_profile * n; i++) /* an input whose dim was fixed through another's */
    for (int d = 0; d < net->main->input[i % n]->type.rank; d++) {
      int64_t dim = net->main->input[i % n]->type.dim[d];
      if (dim < 0) continue;
      if (dim < e->profile[i].min[d] || dim > e->profile[i].max[d])
        return ingot__fail(b->diag, INGOT_E_SHAPE, net->main->input[i % n]->name, "dim %d must be %lld, as in another input", d, (long long)dim);
      e->profile[i].min[d] = e->profile[i].opt[d] = e->profile[i].max[d] = dim;
    }
  bool untold = false; /* a network that was defined layer by layer */
  for (size_t i = 0; i < net->n_value; i++) untold |= net->value[i] && net->value[i]->producer && net->value[i]->type.dtype == INGOT_UNDEFINED;
  if (!changed) return untold ? ingot__infer_network(net, b->diag) : INGOT_OK;
  for (size_t i = 0; i < net->n_value; i++) { /* types that held the symbols */
    ingot__value *v = net->value[i];
    if (!v || !v->producer) continue;
    for (int d = 0; d < v->type.rank; d++)
      if (!ingot__dim_is_number(v->type.dim[d])) v->type.dim[d] = INGOT__DIM_UNKNOWN;
    v->known = NULL;
  }
  return ingot__infer_network(net, b->diag);
}
