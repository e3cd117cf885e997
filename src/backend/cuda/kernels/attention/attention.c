/* FusedAttention (ops/attention.h): of halves on tensor cores, by warps or by warpgroups, of floats by multiply-adds. Here its views become strides
 * along few leading dims, and blocks are shared out: over tiles of queries, over parts of wide values, and, where queries are too few to fill the
 * device, over parts of the keys. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/attention/attention.h"
#include "ops/attention.h"
#include <math.h>
#include <string.h>

enum { FOLD = 64, LEAST_KEYS = 256 }; /* rows that heads are folded up to; keys below which a block's part isn't split further */
typedef enum kind { FLOATS, WARPS, GROUPS } kind;

typedef struct plan {
  attention_params p;
  kind kind;
  int64_t batches;
  int head, width, keys, stages; /* the code's HEAD, WIDTH, KEYS and STAGES */
  int rows;                      /* of a block */
  int warps;                     /* of a block: 4 or 8; of WARPS, 8 share queries always */
  bool few;                      /* warps share queries */
  size_t shared;
} plan;

static bool fixed(const ingot__call *call, size_t i, int from_end) { /* the dim doesn't vary */
  const ingot__type *t = &call->node->in[i]->type;
  return t->rank < from_end || t->dim[t->rank - from_end] >= 0;
}

static size_t element_size(const plan *a) { return a->kind == FLOATS ? 4 : 2; }

enum { FEW = 16, PANEL = 64, PANEL_ROW = 128 }; /* queries of a block that its warps share; features that warpgroups have in a row, its bytes */
static size_t panels(int features) { return (size_t)ingot__divide_up(features, PANEL); }
static size_t shared_size(const plan *a, int rows, int stages) {
  if (a->kind == GROUPS) /* the results, which come last, take less */
    return PANEL_ROW * ((size_t)rows * panels(a->head) + (size_t)(stages * a->keys) * (panels(a->head) + panels(a->width))) +
           2 * (size_t)a->keys * sizeof(float); /* masks */
  const size_t size = element_size(a), piece = 16 / size, head = (size_t)a->head + piece, width = (size_t)a->width + piece;
  const size_t tiles = (size_t)stages * (size_t)a->keys * (head + width) * size;
  if (a->kind == FLOATS) return tiles + (size_t)rows * (head + (size_t)a->keys + 4) * size;
  const size_t joined = rows == FEW ? (size_t)a->warps * FEW * (2 + (size_t)a->width + 8) * sizeof(float) : 0;
  const size_t own = tiles + (size_t)rows * (head > width ? head : width) * size;
  return own > joined ? own : joined;
}

/* What the code is made for: dims that don't vary. */
static void choose_code(plan *a, int64_t head, int64_t width) {
  a->head = (int)(ingot__divide_up(head < 1 ? 1 : head, 16) * 16);
  a->width = (int)(ingot__divide_up(width < 1 ? 1 : width, 16) * 16);
  if (a->kind == GROUPS) {
    a->width = (int)(ingot__divide_up(a->width, 32) * 32);
    if (a->head < 32) a->head = 32; /* 16 features are too few pieces for threads to have columns of them, and registers spill */
    a->keys = 64, a->stages = a->warps > 4 && panels(a->head) + panels(a->width) == 2 ? 3 : 2;
    return;
  }
  const bool halves = a->kind == WARPS;
  if (a->width > (halves ? 256 : 128)) a->width = 128;
  if (a->head > 256 && a->width > 128) a->width = 128;
  const int both = a->head + a->width;
  a->keys = !halves ? 32 : both <= 256 ? 64 : both <= 384 ? 32 : 16;
  if (a->warps > 4 && a->keys > 16) a->keys /= 2;
  const size_t most = ingot__cuda_info_get()->shared;
  while (halves && a->keys > 16 && most && shared_size(a, FEW, a->warps) > most) a->keys /= 2; /* a tile for each warp */
  a->stages = !halves ? (a->head > 256 ? 1 : 2) : both <= 160 ? 3 : 2;
}
static int rows_of(const plan *a) { return a->kind == FLOATS ? 32 : a->kind == WARPS ? 64 : a->warps * 16; }

static bool takes(const ingot__call *call, plan *a, kind kind, int warps) {
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  *a = (plan){.kind = kind, .warps = warps};
  if (call->n_in < 3 || !ingot__has_out(call, 0) || ingot__has_out(call, 1) || attrs->precision == INGOT_FLOAT64) return false;
  const ingot_dtype type = call->in[0].dtype;
  if (kind == FLOATS ? type != INGOT_FLOAT32 : !ingot__dtype_is_half(type)) return false;
  const ingot__view *views[] = {&call->in[0], &call->in[1], &call->in[2], &call->out[0]};
  for (size_t i = 0; i < 4; i++)
    if (views[i]->dtype != type || views[i]->layout != INGOT__PLAIN || views[i]->rank < 2 || views[i]->rank > call->out[0].rank) return false;
  if ((!fixed(call, 0, 1) && !fixed(call, 1, 1)) || !fixed(call, 2, 1)) return false;
  const ingot__view *m = &call->in[3];
  if (ingot__has_in(call, 3) && ((m->dtype != type && m->dtype != INGOT_FLOAT32 && m->dtype != INGOT_BOOL) || m->layout != INGOT__PLAIN ||
      m->rank > call->out[0].rank)) return false;
  for (size_t i = 4; i < 6; i++)
    if (ingot__has_in(call, i) && call->in[i].dtype != INGOT_INT64 && call->in[i].dtype != INGOT_INT32) return false;
  const ingot__view q = ingot__attention_view(call, 0), k = ingot__attention_view(call, 1), v = ingot__attention_view(call, 2);
  if (ingot__attention_group(&q, &k) != ingot__attention_group(&q, &v)) return false;
  choose_code(a, q.dim[q.rank - 1], v.dim[v.rank - 1]);
  if (kind == GROUPS && (a->head > 2 * PANEL || a->width > 2 * PANEL)) return false;
  if (kind == WARPS && warps > 4 && shared_size(a, FEW, warps) > ingot__cuda_info_get()->shared) return false;
  return a->head <= 512 && shared_size(a, rows_of(a), a->stages) <= ingot__cuda_info_get()->shared;
}

/* The last two dims' strides, and whether pieces of 16 bytes are aligned. */
static void set_tensor(attention_tensor *t, const ingot__view *v) {
  *t = (attention_tensor){.data = v->data, .row = v->stride[v->rank - 2], .column = v->stride[v->rank - 1]};
  if (v->dim[v->rank - 1] == 1) t->column = 1;
  const int64_t piece = 16 / (int64_t)ingot__dtype_size(v->dtype);
  bool whole = t->column == 1 && v->dim[v->rank - 1] % piece == 0 && (uintptr_t)v->data % 16 == 0;
  for (int i = 0; i < v->rank - 1; i++) whole = whole && (v->dim[i] == 1 || v->stride[i] % piece == 0);
  t->whole = whole;
}

static void set_mask(attention_tensor *t, const ingot__view *m) {
  *t = (attention_tensor){.data = m->data};
  if (m->rank >= 2 && m->dim[m->rank - 2] != 1) t->row = m->stride[m->rank - 2];
  if (m->rank >= 1 && m->dim[m->rank - 1] != 1) t->column = m->stride[m->rank - 1];
}

/* The stride of dim i (of the output's `rank`) in a view of rank <= rank; 0 where it is broadcast. */
static int64_t lead_stride(const ingot__view *v, int rank, int i) {
  const int j = i - (rank - v->rank);
  return j >= 0 && v->dim[j] != 1 ? v->stride[j] : 0;
}

static void add_lead(attention_params *p, int64_t dim, const int64_t stride[5]) {
  if (dim == 1) return;
  attention_tensor *t[5] = {&p->q, &p->k, &p->v, &p->o, &p->mask};
  int at = p->lead;
  if (at) { /* one with the dim before, where all strides go on */
    bool same = (int64_t)p->dim[at - 1] * dim <= INT32_MAX;
    for (int i = 0; i < 5; i++) same = same && t[i]->lead[at - 1] == stride[i] * dim;
    if (same) at--;
  }
  p->dim[at] = (int32_t)(at < p->lead ? p->dim[at] * dim : dim);
  for (int i = 0; i < 5; i++) t[i]->lead[at] = stride[i];
  p->lead = at + 1;
}

/* Leading dims: outermost first, heads that share keys split in two, the inner of them perhaps folded into the rows. */
static bool set_leads(plan *a, const ingot__view *q, const ingot__view *k, const ingot__view *v, const ingot__view *o, const ingot__view *m) {
  attention_params *p = &a->p;
  const int rank = o->rank;
  const ingot__view *views[5] = {q, k, v, o, m};
  const int64_t group = ingot__attention_group(q, k);
  int64_t fold = 1, per_element = 1;
  a->batches = 1;
  for (int i = 0; i < rank - 2; i++) {
    int64_t stride[5], dim = o->dim[i];
    for (int j = 0; j < 5; j++) stride[j] = views[j] && views[j]->rank ? lead_stride(views[j], rank, i) : 0;
    if (dim > INT32_MAX || (dim > 0 && a->batches > INT32_MAX / dim)) return false;
    a->batches *= dim;
    if (i > 0) per_element *= dim;
    if (i < rank - 3) {
      add_lead(p, dim, stride);
      continue;
    }
    int64_t inner = group > 1 ? group : stride[1] == 0 && stride[2] == 0 ? dim : 1; /* heads of one head of keys */
    if (inner < dim || inner == 1) {
      int64_t outer[5];
      for (int j = 0; j < 5; j++) outer[j] = inner > 1 && j != 1 && j != 2 ? stride[j] * inner : stride[j];
      add_lead(p, dim / inner, outer);
    }
    if (inner == 1) continue;
    stride[1] = stride[2] = 0;
    if (inner * p->queries <= FOLD && (rank > 3 || !(p->lengths_each || p->offsets_each))) {
      fold = inner;
      p->q.fold = stride[0], p->o.fold = stride[3], p->mask.fold = stride[4];
    } else {
      add_lead(p, inner, stride);
    }
  }
  a->batches /= fold > 0 ? fold : 1;
  p->rows = (int32_t)(p->queries * fold);
  p->per_element = (int32_t)(rank > 3 ? per_element / fold : 1);
  if (p->per_element < 1) p->per_element = 1;
  if (rank < 3) p->per_element = INT32_MAX;
  return true;
}

static void set_counts(const ingot__call *call, size_t i, const void **data, int32_t *bytes, int32_t *each) {
  if (!ingot__has_in(call, i)) return;
  *data = call->in[i].data;
  *bytes = (int32_t)ingot__dtype_size(call->in[i].dtype);
  *each = ingot__view_count(&call->in[i]) > 1;
}

static int multiprocessors(void) { return ingot__cuda_info_get()->sms > 0 ? ingot__cuda_info_get()->sms : 100; }
/* Whether blocks of 64 queries are enough for the device. */
static bool are_many(const plan *a) { return a->batches * a->p.chunks * ingot__divide_up(a->p.rows, 64) >= multiprocessors(); }

/* Queries to a block, and parts of the keys. */
static void share_out(plan *a) {
  attention_params *p = &a->p;
  const int sms = multiprocessors();
  p->chunks = (int32_t)ingot__divide_up(p->width, a->width);
  a->rows = rows_of(a);
  if (a->kind == WARPS && (p->rows <= FEW || a->warps > 4 || !are_many(a))) a->few = true, a->rows = FEW;
  p->tiles = (int32_t)ingot__divide_up(p->rows, a->rows);
  const int64_t blocks = a->batches * p->chunks * p->tiles;
  int64_t splits = blocks > 0 ? sms * 2 / blocks : 1, most = p->keys / LEAST_KEYS;
  if (splits > most) splits = most;
  if (splits > 32) splits = 32;
  if (splits < 1 || (a->kind != FLOATS && !a->few)) splits = 1;
  p->split_keys = (int32_t)(ingot__divide_up(ingot__divide_up(p->keys, splits), a->keys) * a->keys);
  p->splits = splits > 1 ? (int32_t)ingot__divide_up(p->keys, p->split_keys) : 1;
  /* A second tile for each warp, to be fetched meanwhile, where it has more than one to take and there is room. */
  p->ring = a->few && p->split_keys > a->warps * a->keys && shared_size(a, FEW, 2 * a->warps) <= ingot__cuda_info_get()->shared ? 2 : 1;
  a->shared = shared_size(a, a->rows, a->few ? p->ring * a->warps : a->stages);
}

static bool prepare(const ingot__call *call, plan *a, kind kind, int warps) {
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  if (!takes(call, a, kind, warps)) return false;
  attention_params *p = &a->p;
  const ingot__view q = ingot__attention_view(call, 0), k = ingot__attention_view(call, 1), v = ingot__attention_view(call, 2);
  const ingot__view o = ingot__attention_view(call, INGOT__ATTENTION_OUT);
  int64_t keys = k.dim[k.rank - 2], queries = q.dim[q.rank - 2];
  if (ingot__has_in(call, 3)) {
    const ingot__view *m = &call->in[3];
    set_mask(&p->mask, m);
    if (attrs->mask_pads && m->rank && m->dim[m->rank - 1] < keys) { /* keys past the mask take no part; one column isn't broadcast then */
      keys = m->dim[m->rank - 1];
    }
  }
  if (keys > INT32_MAX - 1024 || queries > INT32_MAX - 1024) return false;
  set_tensor(&p->q, &q), set_tensor(&p->k, &k), set_tensor(&p->v, &v), set_tensor(&p->o, &o);
  set_counts(call, 4, &p->lengths, &p->lengths_bytes, &p->lengths_each);
  set_counts(call, 5, &p->offsets, &p->offsets_bytes, &p->offsets_each);
  p->queries = (int32_t)queries, p->keys = (int32_t)keys;
  p->head = (int32_t)q.dim[q.rank - 1], p->width = (int32_t)v.dim[v.rank - 1];
  if (!set_leads(a, &q, &k, &v, &o, ingot__has_in(call, 3) ? &call->in[3] : NULL)) return false;
  p->causal = attrs->causal != 0;
  p->left = attrs->left >= 0 ? (int32_t)(attrs->left < INT32_MAX ? attrs->left : INT32_MAX) : -1;
  p->right = attrs->right >= 0 && attrs->right < keys ? (int32_t)attrs->right : -1;
  const double scale = attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)(p->head ? p->head : 1)), log2e = 1.4426950408889634;
  p->scale = (float)(scale * log2e);
  if (attrs->softcap > 0) p->cap = (float)((double)attrs->softcap * log2e), p->cap_scale = (float)(scale / (double)attrs->softcap);
  share_out(a);
  return true;
}

static size_t workspace(const ingot__call *call, kind kind, int warps) {
  plan a;
  if (!prepare(call, &a, kind, warps) || a.p.splits == 1) return 0;
  const size_t parts = (size_t)a.batches * (size_t)a.p.rows * (size_t)a.p.splits;
  return parts * ((size_t)a.p.chunks * (size_t)a.width + 2) * sizeof(float);
}

static double cost(const ingot__call *call, kind kind, int warps) {
  plan a;
  if (!prepare(call, &a, kind, warps)) return 1e9;
  const double products = 2.0 * (double)a.batches * (double)a.p.rows * (double)a.p.keys;
  const double rows = (double)(a.p.tiles * a.rows) / (double)(a.p.rows > 0 ? a.p.rows : 1);
  const double rate = kind == FLOATS ? 20e12 : kind == WARPS ? 150e12 : 250e12; /* as seen on an H200, of 128 to 200 keys */
  double seconds = ingot__cuda_cost(ingot__cuda_bytes(call), products * rows * (a.p.head + a.p.width), rate);
  const double alone = 2.5e-6 + 0.6e-6 * (double)ingot__divide_up(a.p.keys, a.keys); /* a block's own time, however few there are */
  if (kind == GROUPS && seconds < alone) seconds = alone;
  return (kind == WARPS && warps > 4 && are_many(&a) ? 4 : 1) * seconds + (a.p.splits > 1 ? 2e-6 : 1e-6);
}

static void define(const ingot__call *call, ingot__text *text, kind kind, int warps) {
  plan a;
  if (!takes(call, &a, kind, warps)) return;
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define(text, "WARPS", a.warps);
  ingot__cuda_define(text, "HEAD", a.head);
  ingot__cuda_define(text, "WIDTH", a.width);
  ingot__cuda_define(text, "KEYS", a.keys);
  ingot__cuda_define(text, "STAGES", a.stages);
  const ingot_dtype mask = ingot__has_in(call, 3) ? call->in[3].dtype : INGOT_UNDEFINED;
  ingot__cuda_define(text, "MASK", mask == INGOT_UNDEFINED ? 0 : mask == INGOT_BOOL ? 2 : mask == call->in[0].dtype ? 1 : 3);
  const ingot__attrs_FusedAttention *attrs = INGOT__ATTRS(call, FusedAttention);
  const bool counts = ingot__has_in(call, 4) || ingot__has_in(call, 5);
  ingot__cuda_define(text, "CAPPED", attrs->softcap > 0);
  ingot__cuda_define(text, "WINDOWED", counts || attrs->causal || attrs->left >= 0 || attrs->right >= 0);
}

static ingot_status run(const ingot__call *call, kind kind, int warps) {
  plan a;
  if (!prepare(call, &a, kind, warps)) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "an attention that this kernel doesn't take");
  attention_params *p = &a.p;
  if (a.batches == 0 || p->rows == 0 || p->width == 0) return INGOT_OK;
  const size_t parts = (size_t)a.batches * (size_t)p->rows * (size_t)p->splits;
  if (p->splits > 1) p->partial = call->workspace, p->sums = p->partial + parts * (size_t)p->chunks * (size_t)a.width;
  const int64_t blocks = a.batches * p->chunks * p->tiles * p->splits;
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "has %lld blocks of queries", (long long)blocks);
  ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 32 * (unsigned)warps, .shared = (unsigned)a.shared, .early = true};
  const char *name = kind == FLOATS ? "attention_float" : kind == GROUPS ? "attention_groups" : a.few ? "attention_few" : "attention_wide";
  INGOT_TRY(ingot__cuda_launch(call, name, &grid, p, sizeof *p));
  if (p->splits == 1) return INGOT_OK;
  p->tiles = (int32_t)ingot__divide_up(p->rows, 4);
  grid = (ingot__cuda_grid){.x = (unsigned)(a.batches * p->tiles), .threads = 128, .early = true};
  return ingot__cuda_launch(call, "attention_join", &grid, p, sizeof *p);
}

/* The rows, by blocks of so many warps. */
#define ROW(name, kind, warps) \
  static bool name##_supports(const ingot__call *call) { plan a; return takes(call, &a, kind, warps); } \
  static double name##_cost(const ingot__call *call) { return cost(call, kind, warps); } \
  static size_t name##_workspace(const ingot__call *call) { return workspace(call, kind, warps); } \
  static ingot_status name##_run(const ingot__call *call) { return run(call, kind, warps); } \
  static void name##_define(const ingot__call *call, ingot__text *to) { define(call, to, kind, warps); } \
  const ingot__kernel_functions ingot__cuda_##name = { \
    .supports = name##_supports, .cost = name##_cost, .workspace = name##_workspace, .run = name##_run, .source = SOURCE_##kind, \
    .define = name##_define};
#define SOURCE_FLOATS "attention/attention_float.cu"
#define SOURCE_WARPS "attention/attention_mma.cu"
#define SOURCE_GROUPS "attention/attention_wgmma.cu"
ROW(attention_wgmma, GROUPS, 4)
ROW(attention_wgmma_8, GROUPS, 8)
ROW(attention_mma, WARPS, 4)
ROW(attention_mma_8, WARPS, 8)
ROW(attention_float, FLOATS, 4)
