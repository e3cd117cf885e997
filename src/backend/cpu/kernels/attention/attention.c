/* FusedAttention in float32: softmax(Q K^T scale + mask) V, a tile of queries at a time, so that scores stay in L1 or L2. For each batch
 * element (head) K and V are packed into panels first; a thread takes a stretch of all heads' query tiles and packs what it enters. */
#include "backend/cpu/kernels/attention/attention.h"
#include "ops/attention.h"
#include <math.h>

typedef struct attention {
  const ingot__call *call;
  const ingot__attention *set;
  size_t batches, l, s, d, e, s_panels, e_panels, parts;
  size_t line;                                       /* floats from a row of scores to the next */
  float scale;
  size_t k_floats, v_floats, per_thread;             /* packed K and V; bytes of workspace */
} attention;

static bool prepare(const ingot__call *call, const ingot__attention *set, attention *a) {
  *a = (attention){.call = call, .set = set};
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  if (call->n_in < 3 || !ingot__has_out(call, 0) || ingot__has_out(call, 1) || ingot__has_in(call, 4) || ingot__has_in(call, 5)) return false;
  if (attrs->causal || attrs->softcap != 0 || attrs->left >= 0 || attrs->right >= 0 || attrs->precision > INGOT_FLOAT32) return false;
  if (ingot__attention_group(call, &call->in[1]) != 1 || ingot__attention_group(call, &call->in[2]) != 1) return false;
  const ingot__view *q = &call->in[0], *k = &call->in[1], *v = &call->in[2], *o = &call->out[0];
  const ingot__view *views[] = {q, k, v, o};
  for (size_t i = 0; i < 4; i++)
    if (views[i]->dtype != INGOT_FLOAT32 || views[i]->layout != INGOT__PLAIN || views[i]->rank < 2 || views[i]->rank > o->rank) return false;
  a->l = (size_t)q->dim[q->rank - 2], a->d = (size_t)q->dim[q->rank - 1];
  a->s = (size_t)k->dim[k->rank - 2], a->e = (size_t)v->dim[v->rank - 1];
  if ((a->d > 1 && q->stride[q->rank - 1] != 1) || (a->e > 1 && o->stride[o->rank - 1] != 1) || a->e < 1) return false;
  if (ingot__has_in(call, 3)) { /* added like a residual: its rows must lie as they are used */
    const ingot__view *m = &call->in[3];
    if (m->dtype != INGOT_FLOAT32 || m->layout != INGOT__PLAIN || m->rank < 1 || m->rank > o->rank) return false;
    if ((size_t)m->dim[m->rank - 1] != a->s || (a->s > 1 && m->stride[m->rank - 1] != 1)) return false;
  }
  const float scale = INGOT__ATTRS(call, FusedAttention)->scale;
  a->scale = scale != 0 ? scale : (float)(1 / sqrt((double)(a->d ? a->d : 1)));
  a->batches = 1;
  for (int i = 0; i < o->rank - 2; i++) a->batches *= (size_t)o->dim[i];
  a->s_panels = ingot__panels(a->s), a->e_panels = ingot__panels(a->e);
  if (!set) return true;
  const size_t most = ingot__tile_rows(set->tiles, a->s_panels, (size_t)q->stride[q->rank - 2]);
  a->parts = (a->l + most - 1) / most;
  a->line = a->s_panels * INGOT__PANEL + INGOT__PANEL;
  a->k_floats = a->s_panels * INGOT__PANEL * a->d, a->v_floats = a->e_panels * INGOT__PANEL * a->s;
  a->per_thread = ingot__align((a->k_floats + a->v_floats + most * a->line) * sizeof(float), 64);
  return true;
}

/* Where batch element `batch` of the result's leading dims begins in a view. */
static size_t offset(const attention *a, const ingot__view *v, size_t batch) {
  const ingot__view *o = &a->call->out[0];
  size_t at = 0;
  for (int i = o->rank - 3, j = v->rank - 3; i >= 0; i--, j--) {
    const size_t x = batch % (size_t)o->dim[i];
    batch /= (size_t)o->dim[i];
    if (j >= 0 && v->dim[j] != 1) at += x * (size_t)v->stride[j];
  }
  return at;
}

static void work(void *arg, int index, int n) {
  const attention *a = arg;
  const ingot__call *call = a->call;
  const ingot__tiles *tiles = a->set->tiles;
  const ingot__view *q = &call->in[0], *k = &call->in[1], *v = &call->in[2], *o = &call->out[0], *m = ingot__has_in(call, 3) ? &call->in[3] : NULL;
  const ingot__finish none = {.low = -INFINITY, .high = INFINITY};
  const size_t zero = 0, q_row = (size_t)q->stride[q->rank - 2], o_row = (size_t)o->stride[o->rank - 2];
  const size_t m_row = m && m->rank >= 2 && m->dim[m->rank - 2] != 1 ? (size_t)m->stride[m->rank - 2] : 0;
  float *keys = NULL, *values = NULL, *scores = NULL;
  if (call->workspace) { /* NULL where there are no elements */
    keys = (float *)(void *)((char *)call->workspace + (size_t)index * a->per_thread);
    values = keys + a->k_floats;
    scores = values + a->v_floats;
  }
  size_t begin, end, packed = SIZE_MAX;
  ingot__share(a->batches * a->parts, 1, index, n, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    const size_t batch = u / a->parts, part = u % a->parts, row = a->l * part / a->parts, count = a->l * (part + 1) / a->parts - row;
    if (batch != packed) {
      ingot__pack_panels((const float *)k->data + offset(a, k, batch), (size_t)k->stride[k->rank - 1], (size_t)k->stride[k->rank - 2], a->d, a->s,
                         a->scale, 0, a->s_panels, keys);
      ingot__pack_panels((const float *)v->data + offset(a, v, batch), (size_t)v->stride[v->rank - 2], (size_t)v->stride[v->rank - 1], a->s, a->e,
                         1.0f, 0, a->e_panels, values);
      packed = batch;
    }
    const float *from = (const float *)q->data + offset(a, q, batch) + row * q_row;
    ingot__tile tile = {.a = &from, .b_row = &zero, .runs = 1, .length = a->d, .a_stride = q_row, .b = keys, .b_stride = a->d * INGOT__PANEL,
                        .c = scores, .c_stride = a->line};
    if (m) {
      tile.residual = (const float *)m->data + offset(a, m, batch) + (m->rank >= 2 ? row * m_row : 0);
      tile.residual_stride = m_row;
    }
    ingot__tile_panels(tiles, &tile, &none, count, a->s, 0, a->s_panels);
    a->set->softmax(scores, a->line, count, a->s);
    from = scores;
    tile = (ingot__tile){.a = &from, .b_row = &zero, .runs = 1, .length = a->s, .a_stride = a->line, .b = values, .b_stride = a->s * INGOT__PANEL,
                         .c = (float *)o->data + offset(a, o, batch) + row * o_row, .c_stride = o_row};
    ingot__tile_panels(tiles, &tile, &none, count, a->e, 0, a->e_panels);
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
  double seconds = ingot__product_seconds(set->tiles, rows, a.l, a.d, a.s, 1) + ingot__product_seconds(set->tiles, rows, a.l, a.s, a.e, 1);
  const double rate = ingot__cpu_rates_get(set->tiles->isa)->f32_flops;
  seconds += rows * (double)a.s * 60 / rate; /* softmax */
  seconds += (double)a.batches * (double)a.s * (double)(a.d + a.e) / 4e9;
  return 1e-6 + seconds / threads;
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
