/* What follows a product and can be done while its result is in registers: the residual that is added, then an activation. */
#include "passes/rewrite.h"
#include <math.h>
#include <string.h>

typedef struct epilogue { int64_t *act; float *alpha, *beta; bool residual; } epilogue;

/* The product's attributes, when it can take something more. */
static bool open_epilogue(const ingot__node *p, epilogue *e) {
  bool has_residual = p->n_in > 3 && p->in[3];
  switch (p->op) {
  case INGOT__OP_Conv: {
    ingot__attrs_Conv *a = p->attrs;
    *e = (epilogue){&a->act, &a->act_alpha, &a->act_beta, !has_residual};
    break;
  }
  case INGOT__OP_ConvTranspose: {
    ingot__attrs_ConvTranspose *a = p->attrs;
    *e = (epilogue){&a->act, &a->act_alpha, &a->act_beta, false};
    break;
  }
  case INGOT__OP_MatMul: {
    ingot__attrs_MatMul *a = p->attrs;
    *e = (epilogue){&a->act, &a->act_alpha, &a->act_beta, !has_residual && p->in[0]->type.rank >= 2 && p->in[1]->type.rank >= 2};
    break;
  }
  default: return false;
  }
  return *e->act == INGOT__ACT_NONE && ingot__is_float32(p->out[0]) && ingot__is_float32(p->in[0]);
}

/* The activation that a node is, with its parameters. */
static bool activation(const ingot__node *n, ingot__act *act, float *alpha, float *beta) {
  *alpha = *beta = 0;
  switch (n->op) {
  case INGOT__OP_Relu: *act = INGOT__ACT_RELU; return true;
  case INGOT__OP_Sigmoid: *act = INGOT__ACT_SIGMOID; return true;
  case INGOT__OP_Tanh: *act = INGOT__ACT_TANH; return true;
  case INGOT__OP_Silu: *act = INGOT__ACT_SILU; return true;
  case INGOT__OP_HardSwish: *act = INGOT__ACT_HARD_SWISH; return true;
  case INGOT__OP_Softplus: *act = INGOT__ACT_SOFTPLUS; return true;
  case INGOT__OP_Mish: *act = INGOT__ACT_MISH; return true;
  case INGOT__OP_LeakyRelu: *act = INGOT__ACT_LEAKY_RELU; *alpha = ((const ingot__attrs_LeakyRelu *)n->attrs)->alpha; return true;
  case INGOT__OP_Elu: *act = INGOT__ACT_ELU; *alpha = ((const ingot__attrs_Elu *)n->attrs)->alpha; return true;
  case INGOT__OP_HardSigmoid: {
    const ingot__attrs_HardSigmoid *a = n->attrs;
    *act = INGOT__ACT_HARD_SIGMOID, *alpha = a->alpha, *beta = a->beta;
    return true;
  }
  case INGOT__OP_Gelu: {
    const char *form = ((const ingot__attrs_Gelu *)n->attrs)->approximate;
    *act = form && !strcmp(form, "tanh") ? INGOT__ACT_GELU_TANH : INGOT__ACT_GELU;
    return true;
  }
  case INGOT__OP_Clip: {
    *act = INGOT__ACT_CLIP, *alpha = -INFINITY, *beta = INFINITY;
    if (n->n_in > 1 && n->in[1] && !ingot__constant_scalar(n->in[1], alpha)) return false;
    if (n->n_in > 2 && n->in[2] && !ingot__constant_scalar(n->in[2], beta)) return false;
    return true;
  }
  default: return false;
  }
}

/* The other addend, when the sum is of two tensors of the same shape. Kernels of convolutions want it to lie as their output does, and constants stay
 * plain. */
static ingot__value *residual_of(const ingot__node *add, const ingot__value *y) {
  if (add->op != INGOT__OP_Add || add->in[0] == add->in[1]) return NULL;
  ingot__value *r = add->in[0] == y ? add->in[1] : add->in[0];
  if (r && ingot__value_is_const(r) && y->producer->op == INGOT__OP_Conv) return NULL;
  if (!r || !ingot__is_float32(r) || !ingot__type_same(&r->type, &y->type) || r->type.rank < 0) return NULL;
  for (int d = 0; d < r->type.rank; d++)
    if (r->type.dim[d] == INGOT__DIM_UNKNOWN) return NULL;
  return r;
}

static bool pad_inputs(ingot__node *p, size_t n) {
  while (p->n_in < n)
    if (!ingot__node_set_input(p, p->n_in, NULL)) return false;
  return true;
}

/* Takes in what follows; true as long as something did. */
static ingot_status fuse_one(ingot__node *p, ingot__diag *diag, bool *again) {
  epilogue e;
  *again = false;
  if (!open_epilogue(p, &e)) return INGOT_OK;
  ingot__value *y = p->out[0];
  ingot__node *u = y->is_output ? NULL : ingot__value_only_user(y);
  if (!u || u->graph != p->graph) return INGOT_OK;
  ingot__act act;
  float alpha, beta;
  ingot__value *r = e.residual ? residual_of(u, y) : NULL;
  if (r) {
    ingot__node_move(p, u); /* r is computed by then */
    if (!pad_inputs(p, 3) || !ingot__node_set_input(p, 3, r)) return ingot__no_memory(diag);
  } else if (u->in[0] == y && activation(u, &act, &alpha, &beta)) {
    *e.act = act, *e.alpha = alpha, *e.beta = beta;
  } else return INGOT_OK;
  if (!ingot__node_absorb_origin(p, u)) return ingot__no_memory(diag);
  *again = true;
  return ingot__rewrite_replace(u, y, diag);
}

/* Mul by a number, Round, Clip to 256 levels: what pair_quantizers makes of an 8-bit quantiser. A ReLU before it is in the bounds when they
 * begin at 0. */
static ingot_status fuse_quantizer(ingot__node *p, ingot__diag *diag, bool *changed) {
  epilogue e;
  int64_t act = 0;
  float scale, low, high;
  if (p->op == INGOT__OP_Conv) act = ((ingot__attrs_Conv *)p->attrs)->act;
  else if (p->op == INGOT__OP_MatMul) act = ((ingot__attrs_MatMul *)p->attrs)->act;
  if ((p->op != INGOT__OP_Conv && p->op != INGOT__OP_MatMul) || (act != INGOT__ACT_NONE && act != INGOT__ACT_RELU)) return INGOT_OK;
  ingot__node *step[3] = {0};
  static const ingot__op wanted[3] = {INGOT__OP_Mul, INGOT__OP_Round, INGOT__OP_Clip};
  const ingot__value *v = p->out[0];
  for (int i = 0; i < 3; i++) {
    step[i] = v->is_output ? NULL : ingot__value_only_user(v);
    if (!step[i] || step[i]->op != wanted[i] || step[i]->graph != p->graph || step[i]->in[0] != v) return INGOT_OK;
    v = step[i]->out[0];
  }
  if (!ingot__constant_scalar(step[0]->in[1], &scale) || step[0]->in[1]->type.rank != 0) return INGOT_OK;
  if (step[2]->n_in < 3 || !ingot__constant_scalar(step[2]->in[1], &low) || !ingot__constant_scalar(step[2]->in[2], &high)) return INGOT_OK;
  if (high - low != 255 || (act == INGOT__ACT_RELU && low != 0)) return INGOT_OK;
  if (p->op == INGOT__OP_Conv) ((ingot__attrs_Conv *)p->attrs)->act = INGOT__ACT_NONE;
  else ((ingot__attrs_MatMul *)p->attrs)->act = INGOT__ACT_NONE;
  if (!open_epilogue(p, &e)) return INGOT_OK;
  *e.act = INGOT__ACT_QUANTIZE, *e.alpha = scale, *e.beta = low;
  for (int i = 0; i < 3; i++) {
    if (!ingot__node_absorb_origin(p, step[i])) return ingot__no_memory(diag);
    INGOT_TRY(ingot__rewrite_replace(step[i], p->out[0], diag));
  }
  *changed = true;
  return INGOT_OK;
}

static ingot_status fuse_graph(ingot__graph *graph, ingot__diag *diag, bool *changed) {
  for (ingot__node *n = graph->last, *prev; n; n = prev) { /* backwards: of two products added, the later one takes the other as residual */
    prev = n->prev;
    for (bool again = true; again;) {
      INGOT_TRY(fuse_one(n, diag, &again));
      *changed |= again;
    }
    INGOT_TRY(fuse_quantizer(n, diag, changed));
  }
  return INGOT_OK;
}

ingot_status ingot__pass_fuse_epilogues(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (size_t g = 0; g < network->n_graph; g++)
    if (network->graph[g] && !network->graph[g]->removed) INGOT_TRY(fuse_graph(network->graph[g], context->diag, changed));
  return INGOT_OK;
}
