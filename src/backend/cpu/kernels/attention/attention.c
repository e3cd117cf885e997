/* FusedAttention in float32: softmax(Q K^T scale + mask) V, a tile of queries at a time, so that scores stay in L1 or L2. For each head of
 * keys, K and V are packed into panels first; a thread takes a stretch of all heads' query tiles and packs what it enters. Queries few to a
 * head of keys, as when text is written word by word, aren't worth the packing: they go over K and V as these lie, one by one.
 * Keys that no query of a tile may see (causality, windows, lengths) are passed over. */
#include "backend/cpu/kernels/attention/attention.h"
#include "ops/attention.h"
#include <math.h>

enum { FEW = 8 }; /* queries for which packing doesn't pay */

typedef struct attention {
  const ingot__call *call;
  const ingot__attention *set;
  ingot__view q, k, v, o;
  const ingot__view *m;                              /* the mask, or NULL */
  size_t batches, l, s, d, e, s_panels, e_panels, parts;
  size_t per_element;                                /* of `batches` to one element of the batch */
  size_t group;                                      /* heads of queries to one of keys */
  size_t keys;                                       /* that the mask has numbers for */
  size_t m_row, m_step;
  bool direct;                                       /* without packing */
  bool add;                                          /* the mask, as a residual of the product */
  size_t line;                                       /* floats from a row of scores to the next */
  float scale;
  size_t k_floats, v_floats, per_thread;             /* packed K and V; bytes of workspace */
} attention;

static bool takes_mask(attention *a) {
  const ingot__call *call = a->call;
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  a->keys = a->s;
  if (!ingot__has_in(call, 3)) return true;
  const ingot__view *m = a->m = &call->in[3];
  if ((m->dtype != INGOT_FLOAT32 && m->dtype != INGOT_BOOL) || m->layout != INGOT__PLAIN || m->rank > a->o.rank) return false;
  a->m_row = m->rank >= 2 && m->dim[m->rank - 2] != 1 ? (size_t)m->stride[m->rank - 2] : 0;
  a->m_step = m->rank >= 1 && m->dim[m->rank - 1] != 1 ? (size_t)m->stride[m->rank - 1] : 0;
  if (attrs->mask_pads && m->rank && (size_t)m->dim[m->rank - 1] < a->s) a->keys = (size_t)m->dim[m->rank - 1];
  a->add = m->dtype == INGOT_FLOAT32 && a->m_step == 1 && attrs->softcap == 0;
  return true;
}

static bool prepare(const ingot__call *call, const ingot__attention *set, attention *a) {
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  *a = (attention){.call = call, .set = set, .per_element = 1};
  if (call->n_in < 3 || !ingot__has_out(call, 0) || ingot__has_out(call, 1)) return false;
  if (attrs->precision > INGOT_FLOAT32 || attrs->softcap < 0) return false;
  a->q = ingot__attention_view(call, 0), a->k = ingot__attention_view(call, 1), a->v = ingot__attention_view(call, 2);
  a->o = ingot__attention_view(call, INGOT__ATTENTION_OUT);
  const ingot__view *q = &a->q, *k = &a->k, *v = &a->v, *o = &a->o, *views[] = {q, k, v, o};
  for (size_t i = 0; i < 4; i++)
    if (views[i]->dtype != INGOT_FLOAT32 || views[i]->layout != INGOT__PLAIN || views[i]->rank < 2 || views[i]->rank > o->rank) return false;
  a->l = (size_t)q->dim[q->rank - 2], a->d = (size_t)q->dim[q->rank - 1];
  a->s = (size_t)k->dim[k->rank - 2], a->e = (size_t)v->dim[v->rank - 1];
  if ((a->d > 1 && q->stride[q->rank - 1] != 1) || (a->e > 1 && o->stride[o->rank - 1] != 1) || a->e < 1) return false;
  if (!takes_mask(a)) return false;
  a->group = (size_t)ingot__attention_group(q, k);
  if (a->group != (size_t)ingot__attention_group(q, v)) return false;
  a->scale = attrs->scale != 0 ? attrs->scale : (float)(1 / sqrt((double)(a->d ? a->d : 1)));
  a->batches = 1;
  for (int i = 0; i < o->rank - 2; i++) {
    a->batches *= (size_t)o->dim[i];
    if (i > 0) a->per_element *= (size_t)o->dim[i];
  }
  a->s_panels = ingot__panels(a->s), a->e_panels = ingot__panels(a->e);
  a->direct = a->l * a->group <= FEW && (a->d <= 1 || k->stride[k->rank - 1] == 1) && (a->e <= 1 || v->stride[v->rank - 1] == 1);
  if (!set) return true;
  const size_t most = ingot__tile_rows(set->tiles, a->s_panels, (size_t)q->stride[q->rank - 2]);
  a->parts = a->direct ? a->l : (a->l + most - 1) / most;
  a->line = a->s_panels * INGOT__PANEL + INGOT__PANEL;
  if (!a->direct) a->k_floats = a->s_panels * INGOT__PANEL * a->d, a->v_floats = a->e_panels * INGOT__PANEL * a->s;
  a->per_thread = ingot__align((a->k_floats + a->v_floats + (a->direct ? 1 : most) * a->line) * sizeof(float), 64);
  return true;
}

/* Where batch element `batch` of the result's leading dims begins in a view. */
static size_t offset(const attention *a, const ingot__view *v, size_t batch) {
  const ingot__view *o = &a->o;
  const size_t group = v == &a->k || v == &a->v ? a->group : 1;
  size_t at = 0;
  for (int i = o->rank - 3, j = v->rank - 3; i >= 0; i--, j--) {
    const size_t x = batch % (size_t)o->dim[i];
    batch /= (size_t)o->dim[i];
    if (j >= 0 && v->dim[j] != 1) at += (i == o->rank - 3 ? x / group : x) * (size_t)v->stride[j];
  }
  return at;
}

static void keys_of(const attention *a, size_t batch, size_t row, size_t *begin, size_t *end) {
  int64_t from, to;
  ingot__attention_keys(a->call, (int64_t)a->s, (int64_t)(batch / a->per_element), (int64_t)row, &from, &to);
  *begin = (size_t)from, *end = (size_t)to;
}

/* What is left to do to the scores of query `row` from key `begin` on. */
static ingot__weighing weighing(const attention *a, size_t batch, size_t row, size_t begin, bool added) {
  ingot__weighing how = {.cap = INGOT__ATTRS(a->call, FusedAttention)->softcap, .step = a->m_step};
  if (!a->m || added) return how;
  const size_t at = offset(a, a->m, batch) + row * a->m_row + begin * a->m_step;
  if (a->m->dtype == INGOT_BOOL) how.keep = (const uint8_t *)a->m->data + at;
  else how.mask = (const float *)a->m->data + at;
  return how;
}

static void one_query(const attention *a, size_t batch, size_t row, float *scores) {
  const ingot__view *q = &a->q, *k = &a->k, *v = &a->v, *o = &a->o;
  const size_t k_row = (size_t)k->stride[k->rank - 2], v_row = (size_t)v->stride[v->rank - 2];
  size_t begin, end;
  keys_of(a, batch, row, &begin, &end);
  const ingot__weighing how = weighing(a, batch, row, begin, false);
  const float *query = (const float *)q->data + offset(a, q, batch) + row * (size_t)q->stride[q->rank - 2];
  a->set->score(query, (const float *)k->data + offset(a, k, batch) + begin * k_row, k_row, a->d, end - begin, a->scale, scores);
  a->set->weigh(scores, end - begin, &how);
  a->set->blend(scores, (const float *)v->data + offset(a, v, batch) + begin * v_row, v_row, end - begin, a->e,
                (float *)o->data + offset(a, o, batch) + row * (size_t)o->stride[o->rank - 2]);
}

/* Queries [row, row + count), with K and V packed. */
static void tile_of_queries(const attention *a, size_t batch, size_t row, size_t count, const float *keys, const float *values, float *scores) {
  const ingot__call *call = a->call;
  const ingot__view *q = &a->q, *o = &a->o;
  const ingot__finish none = {.low = -INFINITY, .high = INFINITY};
  const size_t q_row = (size_t)q->stride[q->rank - 2], o_row = (size_t)o->stride[o->rank - 2], zero = 0;
  size_t begin, end, ignored, last;
  keys_of(a, batch, row, &begin, &ignored);
  keys_of(a, batch, row + count - 1, &ignored, &end); /* both grow from a query to the next */
  float *out = (float *)o->data + offset(a, o, batch) + row * o_row;
  if (begin >= end) {
    for (size_t r = 0; r < count; r++) memset(out + r * o_row, 0, a->e * sizeof *out);
    return;
  }
  const float *from = (const float *)q->data + offset(a, q, batch) + row * q_row;
  const size_t first = begin / INGOT__PANEL;
  ingot__tile tile = {.a = &from, .b_row = &zero, .runs = 1, .length = a->d, .a_stride = q_row, .b = keys + first * a->d * INGOT__PANEL,
                      .b_stride = a->d * INGOT__PANEL, .c = scores, .c_stride = a->line};
  if (a->add) {
    tile.residual = (const float *)call->in[3].data + offset(a, a->m, batch) + row * a->m_row;
    tile.residual_stride = a->m_row;
  }
  ingot__tile_panels(a->set->tiles, &tile, &none, count, a->keys, first, ingot__panels(end));
  for (size_t r = 0; r < count; r++) {
    float *line = scores + r * a->line;
    size_t own;
    keys_of(a, batch, row + r, &own, &last);
    for (size_t i = begin; i < own; i++) line[i] = 0;
    for (size_t i = last; i < end; i++) line[i] = 0;
    const ingot__weighing how = weighing(a, batch, row + r, own, a->add);
    a->set->weigh(line + own, last - own, &how);
  }
  from = scores + begin;
  tile = (ingot__tile){.a = &from, .b_row = &begin, .runs = 1, .length = end - begin, .a_stride = a->line, .b = values,
                       .b_stride = a->s * INGOT__PANEL, .c = out, .c_stride = o_row};
  ingot__tile_panels(a->set->tiles, &tile, &none, count, a->e, 0, a->e_panels);
}

static void work(void *arg, int index, int n) {
  const attention *a = arg;
  const ingot__view *k = &a->k, *v = &a->v;
  float *keys = NULL, *values = NULL, *scores = NULL;
  if (a->call->workspace) { /* NULL where there are no elements */
    keys = (float *)(void *)((char *)a->call->workspace + (size_t)index * a->per_thread);
    values = keys + a->k_floats;
    scores = values + a->v_floats;
  }
  size_t begin, end, packed = SIZE_MAX;
  ingot__share(a->batches * a->parts, 1, index, n, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    const size_t batch = u / a->parts, part = u % a->parts, row = a->l * part / a->parts, count = a->l * (part + 1) / a->parts - row;
    if (a->direct) {
      one_query(a, batch, row, scores);
      continue;
    }
    if (batch / a->group != packed) {
      ingot__pack_panels((const float *)k->data + offset(a, k, batch), (size_t)k->stride[k->rank - 1], (size_t)k->stride[k->rank - 2], a->d, a->s,
                         a->scale, 0, a->s_panels, keys);
      ingot__pack_panels((const float *)v->data + offset(a, v, batch), (size_t)v->stride[v->rank - 2], (size_t)v->stride[v->rank - 1], a->s, a->e,
                         1.0f, 0, a->e_panels, values);
      packed = batch / a->group;
    }
    tile_of_queries(a, batch, row, count, keys, values, scores);
  }
}

static bool supports(const ingot__call *call) {
  attention a;
  return prepare(call, NULL, &a);
}

static double cost(const ingot__call *call, const ingot__attention *set) {
  attention a;
  if (!prepare(call, set, &a)) return 1e9;
  const double threads = call->threads > 1 ? call->threads : 1, rows = (double)a.batches * (double)a.l;
  const double rate = ingot__cpu_rates_get(set->tiles->isa)->f32_flops;
  const double read = (double)a.batches / (double)a.group * (double)a.s * (double)(a.d + a.e);
  double seconds = rows * (double)a.s * 60 / rate; /* softmax */
  if (a.direct) return 1e-6 + (seconds + rows * (double)a.s * ((double)(a.d + a.e) * 6 + 60) / rate + read / 4e9) / threads;
  seconds += ingot__product_seconds(set->tiles, rows, a.l, a.d, a.s, 1) + ingot__product_seconds(set->tiles, rows, a.l, a.s, a.e, 1);
  return 1e-6 + (seconds + read / 4e9) / threads;
}

static size_t workspace(const ingot__call *call, const ingot__attention *set) {
  attention a;
  return prepare(call, set, &a) ? a.per_thread * (call->threads > 1 ? (size_t)call->threads : 1) : 0;
}

static ingot_status run(const ingot__call *call, const ingot__attention *set) {
  attention a;
  if (!prepare(call, set, &a)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "an attention that this kernel doesn't take");
  ingot__pool_run(call->pool, work, &a);
  return INGOT_OK;
}

#define ROW(name, set) \
  static double name##_cost(const ingot__call *call) { return cost(call, &set); } \
  static size_t name##_workspace(const ingot__call *call) { return workspace(call, &set); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, &set); } \
  const ingot__kernel_functions ingot__cpu_##name = {.supports = supports, .cost = name##_cost, .workspace = name##_workspace, .run = name##_run};
ROW(attention_f32_avx512, ingot__attention_avx512)
ROW(attention_f32_avx2, ingot__attention_avx2)
ROW(attention_f32_portable, ingot__attention_portable)
