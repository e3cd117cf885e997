/* Float32 as float16 or bfloat16, where the caller allows it and the target computes them: products, pools, normalisations, elementwise work and
 * what moves elements. Such a node's float32 inputs get Casts (constants are converted) and its results are narrow; other nodes get Casts back.
 *
 * What stays float32: operators that aren't in the list below (kernels accumulate in float32 all the same), those that may leave float16's range
 * whatever their inputs (powers, exponentials, quotients, sums of many), which elementwise chains compute in float32 in between; and
 * nodes with a constant beyond the range, with a word, or one that would be zero, or with a value that leaves the range, or is rounded too much,
 * where the network was measured (compile/measure.c). The network's inputs and outputs keep their types. */
#include "passes/rewrite.h"
#include "base/floats.h"
#include "base/pool.h"
#include <math.h>

#define LARGEST_HALF 65504.0f
#define LARGEST_BFLOAT 0x1.fep127f
#define VANISHING_HALF 0x1p-25f /* and what is below it are zero */

typedef struct narrower {
  ingot__network *network;
  const ingot__pass_context *context;
  ingot_dtype to;
  ingot__value **narrow, **wide;  /* by value id: its copy in the other type, in its own graph */
  size_t n_value;
  bool changed;
} narrower;

/* Which inputs are data of the type in question; 0: the node stays as it is. */
static unsigned data_inputs(const ingot__node *n) {
  switch (n->op) {
  case INGOT__OP_Conv: return ((const ingot__attrs_Conv *)n->attrs)->exact || n->n_in > 4 ? 0 : ~0u;
  case INGOT__OP_MatMul: case INGOT__OP_ConvTranspose: case INGOT__OP_MaxPool: case INGOT__OP_AveragePool: case INGOT__OP_GlobalAveragePool:
  case INGOT__OP_GlobalMaxPool: case INGOT__OP_Softmax: case INGOT__OP_LayerNormalization: case INGOT__OP_RMSNormalization:
  case INGOT__OP_GroupNormalization: case INGOT__OP_InstanceNormalization: case INGOT__OP_BatchNormalization: case INGOT__OP_LRN:
  case INGOT__OP_Concat: case INGOT__OP_Transpose: case INGOT__OP_DepthToSpace: case INGOT__OP_SpaceToDepth: case INGOT__OP_Clip:
  case INGOT__OP_PRelu: case INGOT__OP_Gelu: case INGOT__OP_Add: case INGOT__OP_Sub: case INGOT__OP_Mul: case INGOT__OP_Max: case INGOT__OP_Min:
  case INGOT__OP_Neg: case INGOT__OP_Abs: case INGOT__OP_Relu: case INGOT__OP_LeakyRelu: case INGOT__OP_Sigmoid: case INGOT__OP_HardSigmoid:
  case INGOT__OP_HardSwish: case INGOT__OP_Silu: case INGOT__OP_Tanh: case INGOT__OP_Erf: case INGOT__OP_Elu: case INGOT__OP_Mish: return ~0u;
  case INGOT__OP_Where: return 6u;
  case INGOT__OP_FusedAttention: return 7u; /* the mask is as it comes: see narrow_mask */
  case INGOT__OP_Reshape: case INGOT__OP_Split: case INGOT__OP_Slice: case INGOT__OP_Expand: case INGOT__OP_Tile: case INGOT__OP_Gather:
  case INGOT__OP_Resize: case INGOT__OP_ReduceMean: case INGOT__OP_ReduceMax: case INGOT__OP_ReduceMin: return 1u;
  case INGOT__OP_Pad: return 5u;
  default: return 0;
  }
}

/* Whether it does nothing but move elements: then it is narrow only if what it moves is narrow already. */
static bool moves(const ingot__node *n) {
  switch (n->op) {
  case INGOT__OP_Reshape: case INGOT__OP_Split: case INGOT__OP_Slice: case INGOT__OP_Expand: case INGOT__OP_Tile: case INGOT__OP_Gather:
  case INGOT__OP_Transpose: case INGOT__OP_Pad: case INGOT__OP_DepthToSpace: case INGOT__OP_SpaceToDepth: return true;
  default: return false;
  }
}

static bool is_constant(const ingot__value *v) { return !v->producer && !v->is_input; }
static bool is_float(const ingot__value *v) { return v && v->type.kind == INGOT__TENSOR && v->type.dtype == INGOT_FLOAT32; }

/* Whether they aren't all zero but would be as halves; weights say no with their first one. */
static bool vanish(const float *x, size_t n) {
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(x[i])) continue;
    if (fabsf(x[i]) > VANISHING_HALF) return false;
    any |= x[i] != 0;
  }
  return any;
}

/* Whether a constant of it isn't zero but would be as a half, such as what norms are kept from being zero by before something is divided by them. */
static bool has_vanishing(const ingot__node *n) {
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__value *v = n->in[i];
    if (is_float(v) && is_constant(v) && v->data && vanish(v->data, v->bytes / sizeof(float))) return true;
  }
  return false;
}

bool ingot__narrows_to_half(const ingot__node *n) { return data_inputs(n) && !moves(n) && !has_vanishing(n); }

static bool in_range(const narrower *w, const ingot__value *v) {
  if (!is_constant(v) || !v->data) return true;
  return ingot__floats_largest(v->data, v->bytes / sizeof(float)) <= (w->to == INGOT_FLOAT16 ? LARGEST_HALF : LARGEST_BFLOAT);
}

/* Whether a constant beyond the range may be among its elements, or in their sums: a mask of the smallest float32, which bfloat16 rounds to minus
 * infinity. */
static bool may_exceed(const narrower *w, const ingot__value *v, int depth) {
  const ingot__node *n = v->producer;
  if (!is_float(v) || !depth) return false;
  if (is_constant(v)) return !in_range(w, v);
  if (!n || !(moves(n) || n->op == INGOT__OP_Where || n->op == INGOT__OP_Add || n->op == INGOT__OP_Sub || n->op == INGOT__OP_Mul ||
              n->op == INGOT__OP_Max || n->op == INGOT__OP_Min)) return false;
  for (size_t i = 0; i < n->n_in; i++)
    if (n->in[i] && may_exceed(w, n->in[i], depth - 1)) return true;
  return false;
}

/* Whether its elements are to stay in float32 by what was measured, of them or before they were moved; for bfloat16 nothing is measured. */
static bool stays_wide(const narrower *w, const ingot__value *v) {
  enum { DEPTH = 5 }; /* such as the constant, a choice, its shape, a bias, the scores */
  const ingot__name_list *wide = w->context->wide, *exact = w->context->exact;
  if (w->to != INGOT_FLOAT16) return !is_constant(v) && may_exceed(w, v, DEPTH); /* constants themselves are looked at once, by can_be_narrow */
  for (; is_float(v); v = v->producer->in[0]) {
    if (is_constant(v)) return false;
    if (ingot__name_list_has(wide, v->name) || ingot__name_list_has(exact, v->name)) return true;
    if (!v->producer || !moves(v->producer)) return false;
  }
  return false;
}

static bool can_be_narrow(const narrower *w, const ingot__node *n) {
  unsigned inputs = data_inputs(n);
  bool any = false;
  if (!inputs || n->graph->outer) return false;
  if (n->op == INGOT__OP_LayerNormalization && n->n_out > 1) return false; /* mean and deviation are float32 */
  if (w->to == INGOT_FLOAT16 && has_vanishing(n)) return false;
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__value *v = n->in[i];
    if (!v || !(inputs >> (i < 31 ? i : 31) & 1)) continue;
    if (v->type.dtype != INGOT_FLOAT32 && v->type.dtype != w->to) return false;
    any |= is_float(v);
    if (stays_wide(w, v)) return false;
    if (is_float(v) && !in_range(w, v)) {
      ingot__logf(w->context->log, INGOT_LOG_INFO, "%s stays in float32: a constant of it is beyond %s's range", ingot__where(n),
                  ingot_dtype_name(w->to));
      return false;
    }
  }
  for (size_t i = 0; i < n->n_out; i++)
    if (stays_wide(w, n->out[i])) return false;
  if (moves(n)) return any && n->in[0] && n->in[0]->id < w->n_value && w->narrow[n->in[0]->id];
  return any;
}

/* Constants become narrow by several threads. Weights of products are `sums` of `length` each, side by side or `sums` apart; other constants are
 * one row. */
typedef struct conversion {
  const float *from;
  uint16_t *to;
  size_t sums, length;
  bool apart, rounds_sums;
  ingot_dtype dtype;
  float *scratch;                 /* apart: room for AT_ONCE sums of each thread, in floats and in halves */
} conversion;
enum { AT_ONCE = 32 };
static size_t scratch_bytes(const conversion *c) { return c->length * AT_ONCE * (sizeof(float) + sizeof(uint16_t)); }
static void convert_row(const conversion *c, uint16_t *to, const float *from, size_t n) {
  const bool half = c->dtype == INGOT_FLOAT16;
  if (c->rounds_sums) (half ? ingot__floats_to_f16_sum : ingot__floats_to_bf16_sum)(to, from, n);
  else (half ? ingot__floats_to_f16 : ingot__floats_to_bf16)(to, from, n);
}

/* Sums [begin, end) that are columns, some at a time through memory where each is a row. */
static void convert_columns(const conversion *c, float *rows, size_t begin, size_t end) {
  uint16_t *made = (uint16_t *)(rows + c->length * AT_ONCE);
  for (size_t first = begin; first < end; first += AT_ONCE) {
    const size_t count = end - first < AT_ONCE ? end - first : AT_ONCE;
    for (size_t k = 0; k < c->length; k++)
      for (size_t i = 0; i < count; i++) rows[i * c->length + k] = c->from[k * c->sums + first + i];
    for (size_t i = 0; i < count; i++) convert_row(c, made + i * c->length, rows + i * c->length, c->length);
    for (size_t k = 0; k < c->length; k++)
      for (size_t i = 0; i < count; i++) c->to[k * c->sums + first + i] = made[i * c->length + k];
  }
}

static void convert(void *arg, int i, int n) {
  const conversion *c = arg;
  size_t begin, end;
  if (!c->rounds_sums) {
    ingot__share(c->length, 1 << 14, i, n, &begin, &end);
    convert_row(c, c->to + begin, c->from + begin, end - begin);
    return;
  }
  ingot__share(c->sums, c->apart ? AT_ONCE : 1, i, n, &begin, &end);
  if (c->apart) convert_columns(c, (float *)((char *)c->scratch + (size_t)i * scratch_bytes(c)), begin, end);
  for (size_t row = begin; row < end && !c->apart; row++) convert_row(c, c->to + row * c->length, c->from + row * c->length, c->length);
}

/* What the elements of a constant are added up by: a convolution's output channels are rows, a matrix's columns or rows. */
static conversion conversion_of(const narrower *w, const ingot__value *v, uint16_t *to) {
  const size_t count = v->bytes / sizeof(float);
  conversion c = {.from = v->data, .to = to, .sums = 1, .length = count, .dtype = w->to};
  const ingot__node *n = v->n_user ? v->user[0] : NULL;
  const int rank = v->type.rank;
  if (!n || !count || rank < 2 || n->n_in < 2 || n->in[1] != v) return c;
  if (n->op == INGOT__OP_Conv) c.sums = (size_t)v->type.dim[0];
  else if (n->op == INGOT__OP_MatMul && rank == 2) c.apart = !((const ingot__attrs_MatMul *)n->attrs)->trans_b, c.sums = (size_t)v->type.dim[c.apart];
  else return c;
  c.rounds_sums = true;
  c.length = count / c.sums;
  return c;
}

static ingot__value *constant(narrower *w, const ingot__value *v) {
  size_t count = v->bytes / sizeof(float);
  uint16_t *now = ingot__arena_raw(&w->network->arena, (count + 1) * sizeof *now);
  if (!now) return NULL;
  conversion c = conversion_of(w, v, now);
  ingot__heap *heap = w->network->arena.heap;
  const size_t bytes = c.apart ? scratch_bytes(&c) * (size_t)ingot__pool_threads(w->context->pool) : 0;
  if (bytes && !(c.scratch = ingot__alloc(heap, bytes))) return NULL;
  ingot__pool_run(w->context->pool, convert, &c);
  ingot__free(heap, c.scratch, bytes);
  ingot__type type = v->type;
  type.dtype = w->to;
  return ingot__constant_new(v->graph, v->name, &type, now, count * sizeof *now);
}

static ingot__value *cast(ingot__value *v, ingot_dtype to) {
  ingot__node *before = v->producer ? v->producer->next : v->graph->first;
  ingot__node *n = ingot__node_new(v->graph, INGOT__OP_Cast, NULL, before, &v, 1, 1, NULL);
  if (!n) return NULL;
  ((ingot__attrs_Cast *)n->attrs)->to = to;
  n->out[0]->type = v->type;
  n->out[0]->type.dtype = to;
  return n->out[0];
}

/* v in the other type; made once. */
static ingot__value *converted(narrower *w, ingot__value *v, ingot_dtype to) {
  ingot__value **table = to == INGOT_FLOAT32 ? w->wide : w->narrow;
  if (v->id < w->n_value && table[v->id]) return table[v->id];
  ingot__value *made = is_constant(v) && v->data ? constant(w, v) : cast(v, to);
  if (made && v->id < w->n_value) table[v->id] = made;
  return made;
}

/* A Cast that widened what was narrow before: its readers may have that. */
static bool widens(const narrower *w, const ingot__node *n) {
  return n->op == INGOT__OP_Cast && n->in[0]->type.dtype == w->to && is_float(n->out[0]) && n->out[0]->id < w->n_value;
}

/* Attention's mask is narrow where that costs and changes nothing: large numbers, such as the smallest float32, would be minus infinity, and rows
 * that are masked whole zeros instead of averages. */
static bool narrow_mask(narrower *w, ingot__node *n) {
  ingot__value *mask = n->op == INGOT__OP_FusedAttention && n->n_in > 3 ? n->in[3] : NULL, *now = mask;
  if (!mask || !is_float(mask)) return true;
  if (is_constant(mask) && mask->data && in_range(w, mask)) now = converted(w, mask, w->to);
  else if (mask->producer && widens(w, mask->producer)) now = mask->producer->in[0];
  return now && (now == mask || ingot__node_set_input(n, 3, now));
}

/* The node's data inputs narrow, and its results: what others read of them in float32 are Casts. */
static ingot_status narrow_node(narrower *w, ingot__node *n) {
  unsigned inputs = data_inputs(n);
  for (size_t i = 0; i < n->n_in; i++) {
    ingot__value *v = n->in[i];
    if (!is_float(v) || !(inputs >> (i < 31 ? i : 31) & 1)) continue;
    ingot__value *now = converted(w, v, w->to);
    if (!now || !ingot__node_set_input(n, i, now)) return ingot__no_memory(w->context->diag);
  }
  if (!narrow_mask(w, n)) return ingot__no_memory(w->context->diag);
  for (size_t i = 0; i < n->n_out; i++) {
    ingot__value *v = n->out[i];
    if (!is_float(v)) continue;
    v->type.dtype = w->to;
    ingot__value *wide = cast(v, INGOT_FLOAT32);
    if (!wide) return ingot__no_memory(w->context->diag);
    ingot__node *back = wide->producer;
    if (v->is_output) {
      if (!ingot__value_replace(v, wide)) return ingot__no_memory(w->context->diag);
    } else {
      for (size_t u = v->n_user; u-- > 0;) {
        ingot__node *user = u < v->n_user ? v->user[u] : NULL;
        for (size_t k = 0; user && user != back && k < user->n_in; k++)
          if (user->in[k] == v && !ingot__node_set_input(user, k, wide)) return ingot__no_memory(w->context->diag);
      }
    }
    /* Readers in float32 find the Cast; those that become narrow find what is before it. */
    if (wide->id >= w->n_value) {
      size_t room = wide->id + 256;
      ingot__value **narrow = ingot__arena_array(&w->network->arena, room, sizeof *narrow), **wides = ingot__arena_array(&w->network->arena, room,
                                                                                                                        sizeof *wides);
      if (!narrow || !wides) return ingot__no_memory(w->context->diag);
      for (size_t k = 0; k < w->n_value; k++) narrow[k] = w->narrow[k], wides[k] = w->wide[k];
      w->narrow = narrow;
      w->wide = wides;
      w->n_value = room;
    }
    w->narrow[wide->id] = v;
  }
  w->changed = true;
  return INGOT_OK;
}

/* What is narrow again as it was before it was widened. */
static ingot_status drop_pairs(const narrower *w) {
  for (ingot__node *n = w->network->main->first, *next; n; n = next) {
    next = n->next;
    const ingot__node *wide = n->op == INGOT__OP_Cast && n->in[0]->producer && n->in[0]->producer->op == INGOT__OP_Cast ? n->in[0]->producer : NULL;
    if (!wide || n->out[0]->type.dtype != w->to || wide->in[0]->type.dtype != w->to || !is_float(wide->out[0])) continue;
    if (!ingot__value_is_public_pair(n->out[0], wide->in[0])) INGOT_TRY(ingot__rewrite_replace(n, wide->in[0], w->context->diag));
  }
  return INGOT_OK;
}

/* Whether most of its products are of 8-bit levels. What is float32 between those is little, and rounded to halves it would fall to another level
 * now and then, which is far more than a half's rounding. */
static bool is_quantised(const ingot__network *network) {
  size_t products = 0, levels = 0;
  for (const ingot__node *n = network->main->first; n; n = n->next) {
    if (n->op != INGOT__OP_Conv && n->op != INGOT__OP_MatMul && n->op != INGOT__OP_MatMulInteger) continue;
    products++;
    levels += n->in[0] && ingot__dtype_is_int(n->in[0]->type.dtype);
  }
  return levels > products / 2;
}

ingot_status ingot__pass_narrow_floats(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  if (context->narrow == INGOT_UNDEFINED) return INGOT_OK;
  if (is_quantised(network)) {
    ingot__logf(context->log, INGOT_LOG_INFO, "the network is quantised: what is float32 in it stays so");
    return INGOT_OK;
  }
  narrower w = {.network = network, .context = context, .to = context->narrow, .n_value = network->n_value};
  w.narrow = ingot__arena_array(&network->arena, w.n_value + 1, sizeof *w.narrow);
  w.wide = ingot__arena_array(&network->arena, w.n_value + 1, sizeof *w.wide);
  if (!w.narrow || !w.wide) return ingot__no_memory(context->diag);
  for (ingot__node *n = network->main->first, *next; n; n = next) {
    next = n->next;
    if (widens(&w, n) && !w.narrow[n->out[0]->id]) w.narrow[n->out[0]->id] = n->in[0];
    if (n->op != INGOT__OP_Cast && can_be_narrow(&w, n)) INGOT_TRY(narrow_node(&w, n));
  }
  if (!w.changed) return INGOT_OK;
  *changed = true;
  INGOT_TRY(drop_pairs(&w));
  ingot__network_sweep(network); /* Casts that nobody reads, constants in float32 */
  return ingot__infer_network(network, context->diag);
}
