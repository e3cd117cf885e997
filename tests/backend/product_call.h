/* Builds calls of products (Conv, ConvTranspose, MatMul) by hand, for the tests and the bench: views in a layout, slices of larger buffers
 * with canaries around them, random data, packing, and running a kernel. Memory comes from malloc and a failure ends the program. */
#ifndef INGOT_PRODUCT_CALL_H
#define INGOT_PRODUCT_CALL_H
#include "backend/backend.h"
#include "base/cpu.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct product_call {
  ingot__call call;
  ingot__node node;
  ingot__view in[4], out[1];
  union { ingot__attrs_Conv conv; ingot__attrs_ConvTranspose transpose; ingot__attrs_MatMul matmul; ingot__attrs_FusedAttention attention; } attrs;
  int64_t kernel_shape[2], strides[2], pads[4], dilations[2], output_padding[2];
  void *memory[32];
  size_t n_memory;
  float *out_memory;
  size_t out_floats;
} product_call;

static inline void *product_memory(product_call *p, size_t bytes) {
  void *m = aligned_alloc(64, (bytes + 127) / 64 * 64);
  if (!m || p->n_memory == 32) abort();
  return p->memory[p->n_memory++] = m;
}
static inline void product_free(product_call *p) {
  while (p->n_memory) free(p->memory[--p->n_memory]);
}
static inline float product_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (float)((double)(*state >> 40) / (1 << 23) - 1);
}

/* A view of these dims: CHANNELS_LAST with `slack` channels more in each pixel than it has, PLAIN with as many more in the last axis. Its
 * memory is `value` everywhere when it isn't to be random. */
static inline void product_view(product_call *p, ingot__view *v, int rank, const int64_t *dim, ingot__layout layout, int64_t slack, uint64_t *seed,
                                float value) {
  *v = (ingot__view){.dtype = INGOT_FLOAT32, .rank = (uint8_t)rank, .layout = (uint8_t)layout, .dense = slack == 0};
  int64_t step = 1;
  for (int i = 0; i < rank; i++) v->dim[i] = dim[i];
  if (layout == INGOT__CHANNELS_LAST) {
    v->stride[1] = 1, step = dim[1] + slack;
    for (int i = rank - 1; i >= 2; i--) v->stride[i] = step, step *= dim[i];
    v->stride[0] = step, step *= dim[0];
  } else {
    for (int i = rank - 1; i >= 0; i--) v->stride[i] = step, step *= dim[i] + (i == rank - 1 ? slack : 0);
  }
  size_t floats = (size_t)step + 128;
  float *data = product_memory(p, floats * sizeof(float));
  for (size_t i = 0; i < floats; i++) data[i] = seed ? product_random(seed) : value;
  v->data = data + 64 + slack / 2;
  p->out_memory = data, p->out_floats = floats; /* of the last one made */
}

static inline int64_t product_at(const ingot__view *v, const int64_t *index) {
  int64_t at = 0;
  for (int i = 0; i < v->rank; i++) at += index[i] * v->stride[i];
  return at;
}

/* Zeros stand for the usual: rank 4, one image, stride, dilation and group 1. */
typedef struct conv_shape {
  int rank;                                           /* 3 or 4 */
  int64_t n, c, h, w, oc, kh, kw, sh, sw, ph, pw, ph2, pw2, dh, dw, group;
  bool no_bias, residual;
  ingot__act act;
  float alpha, beta;
  int64_t in_slack, out_slack;
  int64_t oph, opw;                                   /* output padding, of a transposed one */
} conv_shape;

static inline conv_shape conv_filled(conv_shape s) {
  int64_t *ones[] = {&s.n, &s.sh, &s.sw, &s.dh, &s.dw, &s.group, &s.kh, &s.kw, &s.h};
  for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++)
    if (!*ones[i]) *ones[i] = 1;
  if (!s.rank) s.rank = 4;
  return s;
}

static inline void product_attrs(product_call *p, const conv_shape *s, bool transposed) {
  const bool image = s->rank == 4;
  const size_t axes = image ? 2 : 1;
  memset(p, 0, sizeof *p);
  const int64_t k[2] = {s->kh, s->kw}, st[2] = {s->sh, s->sw}, pad[2] = {s->ph, s->pw}, pad2[2] = {s->ph2, s->pw2}, d[2] = {s->dh, s->dw};
  const int64_t op[2] = {s->oph, s->opw};
  for (size_t i = 0; i < axes; i++) {
    const size_t from = image ? i : 1;
    p->kernel_shape[i] = k[from], p->strides[i] = st[from], p->dilations[i] = d[from], p->output_padding[i] = op[from];
    p->pads[i] = pad[from], p->pads[axes + i] = pad2[from];
  }
  if (transposed)
    p->attrs.transpose = (ingot__attrs_ConvTranspose){.auto_pad = "NOTSET", .kernel_shape = {axes, p->kernel_shape}, .strides = {axes, p->strides},
      .pads = {2 * axes, p->pads}, .dilations = {axes, p->dilations}, .output_padding = {axes, p->output_padding}, .group = s->group,
      .act = s->act, .act_alpha = s->alpha, .act_beta = s->beta};
  else
    p->attrs.conv = (ingot__attrs_Conv){.auto_pad = "NOTSET", .kernel_shape = {axes, p->kernel_shape}, .strides = {axes, p->strides},
      .pads = {2 * axes, p->pads}, .dilations = {axes, p->dilations}, .group = s->group, .act = s->act, .act_alpha = s->alpha,
      .act_beta = s->beta};
  p->node.op = transposed ? INGOT__OP_ConvTranspose : INGOT__OP_Conv;
  p->node.name = "product";
  p->node.attrs = &p->attrs;
  p->call = (ingot__call){.node = &p->node, .attrs = &p->attrs, .in = p->in, .out = p->out, .n_in = 4, .n_out = 1, .threads = 1};
}

static inline int64_t conv_out(int64_t in, int64_t k, int64_t s, int64_t p, int64_t p2, int64_t d) { return (in + p + p2 - (k - 1) * d - 1) / s + 1; }

static inline void product_conv(product_call *p, const conv_shape *s, ingot__layout in_layout, ingot__layout out_layout) {
  product_attrs(p, s, false);
  uint64_t seed = 12345;
  const int64_t oh = conv_out(s->h, s->kh, s->sh, s->ph, s->ph2, s->dh), ow = conv_out(s->w, s->kw, s->sw, s->pw, s->pw2, s->dw);
  int64_t x[4] = {s->n, s->c, s->h, s->w}, w[4] = {s->oc, s->c / s->group, s->kh, s->kw}, y[4] = {s->n, s->oc, oh, ow}, b[1] = {s->oc};
  if (s->rank == 3) x[2] = s->w, w[2] = s->kw, y[2] = ow;
  product_view(p, &p->in[0], s->rank, x, in_layout, s->in_slack, &seed, 0);
  product_view(p, &p->in[1], s->rank, w, INGOT__PLAIN, 0, &seed, 0);
  p->in[1].constant = true;
  if (!s->no_bias) product_view(p, &p->in[2], 1, b, INGOT__PLAIN, 0, &seed, 0), p->in[2].constant = true;
  if (s->residual) product_view(p, &p->in[3], s->rank, y, out_layout, s->out_slack ? s->out_slack + 3 : 0, &seed, 0);
  product_view(p, &p->out[0], s->rank, y, out_layout, s->out_slack, NULL, 777.0f);
}

/* The definition, in double. */
static inline double conv_expect(const product_call *p, const conv_shape *s, int64_t n, int64_t o, int64_t y, int64_t x) {
  const int64_t cg = s->c / s->group, g = o / (s->oc / s->group);
  const bool image = s->rank == 4;
  double sum = 0;
  for (int64_t c = 0; c < cg; c++)
    for (int64_t ky = 0; ky < (image ? s->kh : 1); ky++)
      for (int64_t kx = 0; kx < s->kw; kx++) {
        const int64_t iy = image ? y * s->sh - s->ph + ky * s->dh : 0, ix = x * s->sw - s->pw + kx * s->dw;
        if (iy < 0 || ix < 0 || iy >= (image ? s->h : 1) || ix >= s->w) continue;
        const int64_t xi[4] = {n, g * cg + c, image ? iy : ix, ix}, wi[4] = {o, c, image ? ky : kx, kx};
        sum += (double)((const float *)p->in[0].data)[product_at(&p->in[0], xi)] * ((const float *)p->in[1].data)[product_at(&p->in[1], wi)];
      }
  const int64_t at[4] = {n, o, image ? y : x, x};
  if (!s->no_bias) sum += ((const float *)p->in[2].data)[o];
  if (s->residual) sum += ((const float *)p->in[3].data)[product_at(&p->in[3], at)];
  return ingot__act_apply(s->act, s->alpha, s->beta, (float)sum);
}

/* The transposed convolution of the shape: weights are (c, oc / group, kh, kw). */
static inline void product_transposed(product_call *p, const conv_shape *s) {
  product_attrs(p, s, true);
  uint64_t seed = 4321;
  const int64_t oh = (s->h - 1) * s->sh + s->oph + (s->kh - 1) * s->dh + 1 - s->ph - s->ph2;
  const int64_t ow = (s->w - 1) * s->sw + s->opw + (s->kw - 1) * s->dw + 1 - s->pw - s->pw2;
  int64_t x[4] = {s->n, s->c, s->h, s->w}, w[4] = {s->c, s->oc / s->group, s->kh, s->kw}, y[4] = {s->n, s->oc, oh, ow}, b[1] = {s->oc};
  if (s->rank == 3) x[2] = s->w, w[2] = s->kw, y[2] = ow;
  product_view(p, &p->in[0], s->rank, x, INGOT__CHANNELS_LAST, s->in_slack, &seed, 0);
  product_view(p, &p->in[1], s->rank, w, INGOT__PLAIN, 0, &seed, 0);
  p->in[1].constant = true;
  if (!s->no_bias) product_view(p, &p->in[2], 1, b, INGOT__PLAIN, 0, &seed, 0), p->in[2].constant = true;
  if (s->residual) product_view(p, &p->in[3], s->rank, y, INGOT__CHANNELS_LAST, s->out_slack ? s->out_slack + 3 : 0, &seed, 0);
  product_view(p, &p->out[0], s->rank, y, INGOT__CHANNELS_LAST, s->out_slack, NULL, 777.0f);
}

/* The definition, in double. */
static inline double transposed_expect(const product_call *p, const conv_shape *s, int64_t n, int64_t o, int64_t y, int64_t x) {
  const int64_t cg = s->c / s->group, og = s->oc / s->group, g = o / og;
  const bool image = s->rank == 4;
  double sum = 0;
  for (int64_t iy = 0; iy < (image ? s->h : 1); iy++)
    for (int64_t ix = 0; ix < s->w; ix++) {
      const int64_t ky = image ? y + s->ph - iy * s->sh : 0, kx = x + s->pw - ix * s->sw; /* times the dilation */
      if (ky < 0 || kx < 0 || (image && (ky % s->dh || ky / s->dh >= s->kh)) || kx % s->dw || kx / s->dw >= s->kw) continue;
      for (int64_t c = 0; c < cg; c++) {
        const int64_t xi[4] = {n, g * cg + c, image ? iy : ix, ix}, wi[4] = {g * cg + c, o % og, image ? ky / s->dh : kx / s->dw, kx / s->dw};
        sum += (double)((const float *)p->in[0].data)[product_at(&p->in[0], xi)] * ((const float *)p->in[1].data)[product_at(&p->in[1], wi)];
      }
    }
  const int64_t at[4] = {n, o, image ? y : x, x};
  if (!s->no_bias) sum += ((const float *)p->in[2].data)[o];
  if (s->residual) sum += ((const float *)p->in[3].data)[product_at(&p->in[3], at)];
  return ingot__act_apply(s->act, s->alpha, s->beta, (float)sum);
}

typedef struct matmul_shape {
  int a_rank, b_rank;                                 /* batch dims before the last two (one for vectors) */
  int64_t a_batch[4], b_batch[4];                     /* right-aligned with the result's */
  int64_t m, k, n;
  bool trans_a, trans_b, constant, bias, residual;
  float alpha;                                        /* 0: 1 */
  ingot__act act;
  int64_t a_slack, b_slack, out_slack;
} matmul_shape;

static inline void product_matmul(product_call *p, const matmul_shape *s) {
  memset(p, 0, sizeof *p);
  uint64_t seed = 777;
  int64_t a[8], b[8], c[8], bias[1] = {s->n};
  const int a_own = s->a_rank > 1 ? s->a_rank - 2 : 0, b_own = s->b_rank > 1 ? s->b_rank - 2 : 0, own = a_own > b_own ? a_own : b_own;
  int rank = 0;
  for (int i = 0; i < a_own; i++) a[i] = s->a_batch[i];
  for (int i = 0; i < b_own; i++) b[i] = s->b_batch[i];
  for (int i = 0; i < own; i++) {
    const int64_t x = i + a_own >= own ? a[i + a_own - own] : 1, y = i + b_own >= own ? b[i + b_own - own] : 1;
    c[rank++] = x > y ? x : y;
  }
  if (s->a_rank > 1) a[a_own] = s->trans_a ? s->k : s->m, a[a_own + 1] = s->trans_a ? s->m : s->k, c[rank++] = s->m;
  else a[0] = s->k;
  if (s->b_rank > 1) b[b_own] = s->trans_b ? s->n : s->k, b[b_own + 1] = s->trans_b ? s->k : s->n, c[rank++] = s->n;
  else b[0] = s->k;
  p->attrs.matmul = (ingot__attrs_MatMul){.trans_a = s->trans_a, .trans_b = s->trans_b, .alpha = s->alpha != 0 ? s->alpha : 1, .act = s->act};
  p->node.op = INGOT__OP_MatMul, p->node.name = "product", p->node.attrs = &p->attrs;
  p->call = (ingot__call){.node = &p->node, .attrs = &p->attrs, .in = p->in, .out = p->out, .n_in = 4, .n_out = 1, .threads = 1};
  product_view(p, &p->in[0], s->a_rank, a, INGOT__PLAIN, s->a_slack, &seed, 0);
  product_view(p, &p->in[1], s->b_rank, b, INGOT__PLAIN, s->b_slack, &seed, 0);
  p->in[1].constant = s->constant;
  if (s->bias) product_view(p, &p->in[2], 1, bias, INGOT__PLAIN, 0, &seed, 0), p->in[2].constant = s->constant;
  if (s->residual) product_view(p, &p->in[3], rank, c, INGOT__PLAIN, s->out_slack ? s->out_slack + 2 : 0, &seed, 0);
  product_view(p, &p->out[0], rank, c, INGOT__PLAIN, s->out_slack, NULL, 777.0f);
}

/* The element of a product's result at `index`, by the definition. */
static inline double matmul_expect(const product_call *p, const matmul_shape *s, const int64_t *index) {
  const ingot__view *a = &p->in[0], *b = &p->in[1], *c = &p->out[0];
  const int a_own = s->a_rank > 1 ? s->a_rank - 2 : 0, b_own = s->b_rank > 1 ? s->b_rank - 2 : 0, own = c->rank - (s->a_rank > 1) - (s->b_rank > 1);
  int64_t ai[8] = {0}, bi[8] = {0};
  for (int i = 0; i < a_own; i++) ai[i] = a->dim[i] == 1 ? 0 : index[own - a_own + i];
  for (int i = 0; i < b_own; i++) bi[i] = b->dim[i] == 1 ? 0 : index[own - b_own + i];
  const int64_t m = s->a_rank > 1 ? index[own] : 0, n = s->b_rank > 1 ? index[c->rank - 1] : 0;
  double sum = 0;
  for (int64_t k = 0; k < s->k; k++) {
    if (s->a_rank > 1) ai[a_own] = s->trans_a ? k : m, ai[a_own + 1] = s->trans_a ? m : k;
    else ai[0] = k;
    if (s->b_rank > 1) bi[b_own] = s->trans_b ? n : k, bi[b_own + 1] = s->trans_b ? k : n;
    else bi[0] = k;
    sum += (double)((const float *)a->data)[product_at(a, ai)] * ((const float *)b->data)[product_at(b, bi)];
  }
  sum *= s->alpha != 0 ? s->alpha : 1;
  if (s->bias) sum += ((const float *)p->in[2].data)[n];
  if (s->residual) sum += ((const float *)p->in[3].data)[product_at(&p->in[3], index)];
  return ingot__act_apply(s->act, 0, 0, (float)sum);
}

typedef struct attention_shape {
  int64_t batch, heads, l, s, d, e;
  int mask_rank;                                      /* 0: none; 2: (l, s); 4: (batch, 1, 1, s) */
  bool shared;                                        /* K and V have one head for all */
  float scale;
  int64_t slack;
} attention_shape;

static inline void product_attention(product_call *p, const attention_shape *s) {
  memset(p, 0, sizeof *p);
  uint64_t seed = 99;
  const int64_t h = s->shared ? 1 : s->heads;
  int64_t q[4] = {s->batch, s->heads, s->l, s->d}, k[4] = {s->batch, h, s->s, s->d}, v[4] = {s->batch, h, s->s, s->e}, o[4] = {s->batch, s->heads,
      s->l, s->e};
  int64_t m2[2] = {s->l, s->s}, m4[4] = {s->batch, 1, 1, s->s};
  p->attrs.attention = (ingot__attrs_FusedAttention){.scale = s->scale, .left = -1, .right = -1};
  p->node.op = INGOT__OP_FusedAttention, p->node.name = "product", p->node.attrs = &p->attrs;
  p->call = (ingot__call){.node = &p->node, .attrs = &p->attrs, .in = p->in, .out = p->out, .n_in = 4, .n_out = 1, .threads = 1};
  product_view(p, &p->in[0], 4, q, INGOT__PLAIN, s->slack, &seed, 0);
  product_view(p, &p->in[1], 4, k, INGOT__PLAIN, s->slack, &seed, 0);
  product_view(p, &p->in[2], 4, v, INGOT__PLAIN, s->slack, &seed, 0);
  if (s->mask_rank) product_view(p, &p->in[3], s->mask_rank, s->mask_rank == 2 ? m2 : m4, INGOT__PLAIN, 0, &seed, 0);
  product_view(p, &p->out[0], 4, o, INGOT__PLAIN, s->slack, NULL, 777.0f);
}

/* The definition, in double. */
static inline double attention_expect(const product_call *p, const attention_shape *s, const int64_t *index) {
  const double scale = s->scale != 0 ? s->scale : 1 / sqrt((double)s->d);
  double *score = malloc((size_t)s->s * sizeof *score), max = -INFINITY, sum = 0, result = 0;
  if (!score) abort();
  for (int64_t i = 0; i < s->s; i++) {
    int64_t q[4] = {index[0], index[1], index[2], 0}, k[4] = {index[0], s->shared ? 0 : index[1], i, 0};
    const int64_t m2[2] = {index[2], i}, m4[4] = {index[0], 0, 0, i};
    score[i] = 0;
    for (; q[3] < s->d; q[3]++, k[3]++)
      score[i] += (double)((const float *)p->in[0].data)[product_at(&p->in[0], q)] * ((const float *)p->in[1].data)[product_at(&p->in[1], k)];
    score[i] *= scale;
    if (s->mask_rank) score[i] += ((const float *)p->in[3].data)[product_at(&p->in[3], s->mask_rank == 2 ? m2 : m4)];
    if (score[i] > max) max = score[i];
  }
  for (int64_t i = 0; i < s->s; i++) {
    const int64_t v[4] = {index[0], s->shared ? 0 : index[1], i, index[3]};
    sum += exp(score[i] - max);
    result += exp(score[i] - max) * ((const float *)p->in[2].data)[product_at(&p->in[2], v)];
  }
  free(score);
  return result / sum;
}

/* Packs for the kernel and gives the call a workspace. The packed constants' data is taken away, as engines do. */
static inline void product_prepare(product_call *p, const ingot__kernel *kernel, int threads, ingot__pool *pool) {
  p->call.threads = threads, p->call.pool = pool;
  const ingot__kernel_functions *f = kernel->functions;
  if (f->pack_size) {
    size_t bytes = f->pack_size(&p->call);
    void *packed = product_memory(p, bytes);
    memset(packed, 0xff, bytes);
    f->pack(&p->call, packed);
    p->call.packed = packed;
  }
  size_t bytes = f->workspace ? f->workspace(&p->call) : 0;
  p->call.workspace = product_memory(p, bytes ? bytes : 64);
  memset(p->call.workspace, 0xff, bytes);
  p->call.workspace_size = bytes;
}
#endif
