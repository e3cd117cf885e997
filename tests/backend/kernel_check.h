/* Checking kernels against the reference, for the tests of each backend: networks of one node, given as text, with random inputs and what the
 * reference makes of them; and the ways in which a kernel's tensors may lie in memory: layouts, slices of larger buffers, in place. Bytes
 * around and between an output's elements are known, so that writing to them shows. */
#ifndef INGOT_TESTS_KERNEL_CHECK_H
#define INGOT_TESTS_KERNEL_CHECK_H
#include "testing.h"
#include "backend/backend.h"

enum { MAX_IO = 8, GUARD = 256, PATTERN = 0xa5 };
typedef struct tensor { ingot__view view; unsigned char *memory; size_t bytes; } tensor; /* a view and the memory it lies in */

static inline size_t offset_of(const ingot__view *v, int64_t k) { /* of the k-th element in the order of the dims, in bytes */
  int64_t at = 0;
  for (int i = v->rank - 1; i >= 0; i--) at += k % v->dim[i] * v->stride[i], k /= v->dim[i];
  return (size_t)at * ingot__dtype_size(v->dtype);
}

/* With `slack` elements more along `axis` than the view has, split before and after it. */
static inline void tensor_new(tensor *t, const ingot__type *type, ingot__layout layout, int axis, int64_t slack) {
  int64_t dim[INGOT_MAX_RANK];
  for (int i = 0; i < type->rank; i++) dim[i] = type->dim[i] + (i == axis ? slack : 0);
  t->view = (ingot__view){0};
  assert_true(ingot__view_set(&t->view, type->dtype, type->rank, dim, layout));
  size_t size = ingot__dtype_size(type->dtype);
  t->bytes = (size_t)ingot__view_count(&t->view) * size + 2 * GUARD;
  t->memory = aligned_alloc(64, ingot__align(t->bytes, 64));
  assert_non_null(t->memory);
  memset(t->memory, PATTERN, t->bytes);
  t->view.data = t->memory + GUARD;
  if (slack && type->rank > 0) {
    t->view.data = (char *)t->view.data + (size_t)(slack / 2 * t->view.stride[axis]) * size;
    t->view.dim[axis] -= slack;
    t->view.dense = false;
  }
}

static inline void copy_view(const ingot__view *to, const ingot__view *from) {
  size_t size = ingot__dtype_size(to->dtype);
  for (int64_t k = 0; k < ingot__view_count(to); k++)
    memcpy((char *)to->data + offset_of(to, k), (const char *)from->data + offset_of(from, k), size);
}

/* Which bytes of its memory are the view's elements: 1. From calloc. */
static inline unsigned char *own_bytes(const tensor *t) {
  size_t size = ingot__dtype_size(t->view.dtype), first = (size_t)((unsigned char *)t->view.data - t->memory);
  unsigned char *own = calloc(1, t->bytes + 1);
  assert_non_null(own);
  for (int64_t k = 0; k < ingot__view_count(&t->view); k++) memset(own + first + offset_of(&t->view, k), 1, size);
  return own;
}

/* Whether anything but the view's elements was written. */
static inline bool spilt(const tensor *t) {
  unsigned char *own = own_bytes(t);
  bool bad = false;
  for (size_t i = 0; i < t->bytes; i++) bad |= !own[i] && t->memory[i] != PATTERN;
  free(own);
  return bad;
}

static inline void randomise(const ingot__view *v, const char *name, uint64_t *seed) {
  static const double special[] = {INFINITY, -INFINITY, NAN, 0, -0.0, 1e30, -1e30, 3e-39, 90, -90, 1, -1, 5e-5, 20, -20};
  for (int64_t k = 0; k < ingot__view_count(v); k++) {
    double r = testing_random(seed) * 4 - 2;
    if (name[0] == 'p') r = fabs(r) + 0.01;
    if (name[0] == 's' && k % 3 == 0) r = special[(k / 3) % 15];
    if (v->dtype == INGOT_BOOL) r = r > 0;
    else if (v->dtype == INGOT_UINT8) r = floor(fabs(r) * 127.99);
    else if (ingot__dtype_is_int(v->dtype) && !ingot__dtype_is_unsigned(v->dtype) && (name[0] == 'x' || name[0] == 'z')) r = floor(r * 5);
    else if (!ingot__dtype_is_float(v->dtype)) r = floor(fabs(r) * 5);
    else if (v->dtype == INGOT_FLOAT32 && name[0] == 'x' && k % 7 == 0) r *= 30; /* some past the clips and into the tails */
    ingot__set_double(v->dtype, v->data, (size_t)k, r);
  }
}

static inline bool same(const ingot__view *got, const ingot__view *want, double tolerance, char *text, size_t n) {
  double most = 0;
  for (int64_t k = 0; tolerance > 0 && k < ingot__view_count(want); k++) {
    double w = fabs(ingot__get_double(want->dtype, want->data, (size_t)k));
    if (w > most && w < 1e20) most = w;
  }
  for (int64_t k = 0; k < ingot__view_count(want); k++) {
    double w = ingot__get_double(want->dtype, want->data, (size_t)k);
    double g = ingot__get_double(got->dtype, (char *)got->data + offset_of(got, k), 0);
    if (testing_close(g, w, tolerance, tolerance * most)) continue;
    snprintf(text, n, "element %lld of %lld is %.9g, not %.9g", (long long)k, (long long)ingot__view_count(want), g, w);
    return false;
  }
  return true;
}

/* One node with its inputs and the reference's outputs. */
typedef struct grid {
  ingot__network *network;
  const ingot__node *node;
  char text[3000];
  double tolerance;
  ingot__view in[MAX_IO], want[MAX_IO]; /* dense PLAIN */
  tensor memory[2 * MAX_IO];
} grid;

/* How in[0], the other inputs and the outputs are laid out. */
typedef struct variant { ingot__layout in, out; int64_t in_slack, out_slack, other_slack; bool in_place; int threads; int axis; } variant;

static inline int slice_axis(const ingot__type *t, ingot__layout layout, int axis) {
  return layout == INGOT__CHANNELS_LAST && t->rank >= 3 ? 1 : axis < t->rank ? axis : t->rank - 1;
}
static inline ingot__layout layout_in(const grid *g, size_t i, const variant *v) {
  const ingot__value *value = g->node->in[i];
  if (value->data || value->type.rank < 3) return INGOT__PLAIN;
  return i == 3 && (g->node->op == INGOT__OP_Conv || g->node->op == INGOT__OP_ConvTranspose) ? v->out : v->in;
}

static inline void make_call(const grid *g, const variant *v, tensor *in, tensor *out, ingot__view *in_view, ingot__view *out_view,
    ingot__call *call) {
  const ingot__node *node = g->node;
  *call = (ingot__call){.node = node, .attrs = node->attrs, .in = in_view, .out = out_view, .n_in = node->n_in, .n_out = node->n_out,
                        .threads = v->threads};
  for (size_t i = 0; i < node->n_in; i++) {
    in_view[i] = (ingot__view){0};
    in[i] = (tensor){0};
    if (!node->in[i]) continue;
    const ingot__type *type = &node->in[i]->type;
    bool residual = i == 3 && (node->op == INGOT__OP_Conv || node->op == INGOT__OP_ConvTranspose || node->op == INGOT__OP_MatMul);
    int64_t slack = node->in[i]->data ? 0 : i == 0 ? v->in_slack : residual ? v->out_slack : v->other_slack;
    tensor_new(&in[i], type, layout_in(g, i, v), slice_axis(type, layout_in(g, i, v), v->axis), slack);
    copy_view(&in[i].view, &g->in[i]);
    in_view[i] = in[i].view;
    in_view[i].constant = node->in[i]->data != NULL;
  }
  for (size_t i = 0; i < node->n_out; i++) {
    out_view[i] = (ingot__view){0};
    out[i] = (tensor){0};
    if (!node->out[i]) continue;
    const ingot__type *type = &node->out[i]->type;
    ingot__layout layout = type->rank < 3 ? INGOT__PLAIN : v->out;
    tensor_new(&out[i], type, layout, slice_axis(type, layout, v->axis), i == 0 ? v->out_slack : v->other_slack);
    out_view[i] = out[i].view;
  }
}

static inline void free_call(const grid *g, tensor *in, tensor *out) {
  for (size_t i = 0; i < g->node->n_in; i++) free(in[i].memory);
  for (size_t i = 0; i < g->node->n_out; i++) free(out[i].memory);
}

/* Reads the node: what stands between "network {" and the outputs. false, with words, where it isn't valid. */
static inline bool grid_read(grid *g, const char *body, double tolerance, ingot__diag *diag) {
  ingot__diag unheard;
  *g = (grid){.tolerance = tolerance};
  snprintf(g->text, sizeof g->text, "network {\n%s\n%s}\n", body, "output y\n");
  if (strstr(body, "_, y2")) strcpy(strstr(g->text, "output y\n"), "output y2\n}\n");
  ingot__diag_init(&unheard, NULL);
  if (!diag) diag = &unheard;
  if (ingot__network_parse(NULL, g->text, strlen(g->text), diag, &g->network) != INGOT_OK) return false;
  if (ingot__infer_network(g->network, diag) != INGOT_OK) {
    ingot__network_free(g->network);
    return false;
  }
  g->node = g->network->main->last;
  assert_true(g->node->n_in <= MAX_IO && g->node->n_out <= MAX_IO);
  return true;
}

static inline void grid_parse(grid *g, const char *body, double tolerance) {
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  if (!grid_read(g, body, tolerance, &diag)) fail_msg("%s\n%s", diag.text, g->text);
}

/* Inputs, and what the reference makes of them. */
static inline void grid_compute(grid *g) {
  const ingot__node *node = g->node;
  ingot__diag diag;
  uint64_t seed = 88172645463325252u;
  ingot__diag_init(&diag, NULL);
  for (size_t i = 0; i < node->n_in; i++) {
    if (!node->in[i]) continue;
    tensor_new(&g->memory[i], &node->in[i]->type, INGOT__PLAIN, 0, 0);
    g->in[i] = g->memory[i].view;
    if (node->in[i]->data) memcpy(g->in[i].data, node->in[i]->data, node->in[i]->bytes);
    else randomise(&g->in[i], node->in[i]->name, &seed);
    for (size_t k = 0; k < i; k++)
      if (node->in[k] == node->in[i]) copy_view(&g->in[i], &g->in[k]);
    g->in[i].constant = node->in[i]->data != NULL;
  }
  for (size_t i = 0; i < node->n_out; i++) {
    if (!node->out[i]) continue;
    tensor_new(&g->memory[MAX_IO + i], &node->out[i]->type, INGOT__PLAIN, 0, 0);
    g->want[i] = g->memory[MAX_IO + i].view;
  }
  ingot__call call = {.node = node, .attrs = node->attrs, .in = g->in, .out = g->want, .n_in = node->n_in, .n_out = node->n_out,
                      .threads = 1, .diag = &diag};
  call.workspace_size = ingot__reference_workspace(&call);
  call.workspace = aligned_alloc(64, ingot__align(call.workspace_size + 64, 64));
  if (ingot__reference(&call) != INGOT_OK) fail_msg("reference: %s\n%s", diag.text, g->text);
  free(call.workspace);
}

static inline void grid_free(grid *g) {
  for (size_t i = 0; i < 2 * MAX_IO; i++) free(g->memory[i].memory);
  ingot__network_free(g->network);
}

/* Whether its tensors can have these layouts at all. */
static inline bool grid_lies(const grid *g, int in_layout, int out_layout) {
  const ingot__node *node = g->node;
  if (in_layout && (!node->in[0] || node->in[0]->type.rank < 3 || node->in[0]->data)) return false;
  bool wide = false;
  for (size_t i = 0; i < node->n_out; i++) wide |= node->out[i] && node->out[i]->type.rank >= 3;
  return !out_layout || wide;
}

/* Every way beyond dense tensors in which the row says that they may lie, in the layouts and with the threads of `dense`. */
static inline void grid_variants(const grid *g, const ingot__kernel *kernel, variant dense,
                                 void (*run)(const grid *g, const ingot__kernel *kernel, const variant *v)) {
  const unsigned flags = kernel->flags;
  if (flags & (INGOT__K_STRIDED_IN | INGOT__K_STRIDED_OUT)) {
    variant s = dense;
    for (s.axis = 1; s.axis < 8; s.axis += 6) { /* the second, and the last */
      if (flags & INGOT__K_STRIDED_IN) s.in_slack = 7, s.out_slack = 0, run(g, kernel, &s);
      if (flags & INGOT__K_STRIDED_OUT) s.in_slack = 0, s.out_slack = 9, run(g, kernel, &s);
      if ((flags & INGOT__K_STRIDED_IN) && (flags & INGOT__K_STRIDED_OUT)) s.in_slack = 6, s.out_slack = 3, run(g, kernel, &s);
      if (flags & INGOT__K_STRIDED_ALL) s.other_slack = 5, run(g, kernel, &s), s.other_slack = 0;
      if (s.in && s.out) break; /* CHANNELS_LAST is sliced along the channels alone */
    }
  }
  const ingot__node *node = g->node;
  if (flags & INGOT__K_IN_PLACE && node->out[0] && !node->in[0]->data && ingot__type_same(&node->in[0]->type, &node->out[0]->type)) {
    variant s = dense;
    s.in_place = true;
    if (s.in == s.out) run(g, kernel, &s);
  }
}

/* The views that a kernel is asked about: no data but constants', which are dense and PLAIN. */
static inline void make_question(const grid *g, ingot__layout in_layout, ingot__layout out_layout, ingot__view *in, ingot__view *out,
                                 ingot__call *call) {
  const ingot__node *node = g->node;
  const variant v = {.in = in_layout, .out = out_layout};
  *call = (ingot__call){.node = node, .attrs = node->attrs, .in = in, .out = out, .n_in = node->n_in, .n_out = node->n_out, .threads = 1};
  for (size_t i = 0; i < node->n_in; i++) {
    in[i] = (ingot__view){0};
    if (!node->in[i]) continue;
    const ingot__type *type = &node->in[i]->type;
    assert_true(ingot__view_set(&in[i], type->dtype, type->rank, type->dim, layout_in(g, i, &v)));
    in[i].data = (void *)node->in[i]->data;
    in[i].constant = node->in[i]->data != NULL;
  }
  for (size_t i = 0; i < node->n_out; i++) {
    out[i] = (ingot__view){0};
    if (!node->out[i]) continue;
    const ingot__type *type = &node->out[i]->type;
    assert_true(ingot__view_set(&out[i], type->dtype, type->rank, type->dim, type->rank < 3 ? INGOT__PLAIN : out_layout));
  }
}

/* Each row of ops.def on plain numbers and on special ones, of this floating type; two inputs with and without broadcasting. Rows on bools,
 * which no type changes, come with float32. */
static inline void each_elementwise_row(const char *type, double tolerance, void (*use)(const char *text, double tolerance)) {
#define ARITH 1
#define FLOAT 1
#define INTEGER 0
#define LOGIC 2
#define COMPARE 1
#define EQUAL 1
  static const struct { const char *name; int arity, types; } op[] = {
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) {#name, arity, types},
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE
  };
#undef ARITH
#undef FLOAT
#undef INTEGER
#undef LOGIC
#undef COMPARE
#undef EQUAL
  char text[400];
  for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
    const char *t = op[i].types == 2 ? "bool" : type;
    if (op[i].types == 0 || (op[i].types == 2 && strcmp(type, "float32"))) continue;
    for (int special = 0; special < 2; special++) {
      const char *x = special ? "s" : "x", *z = special ? "s2" : "z";
      if (op[i].arity == 1) {
        snprintf(text, sizeof text, "input %s: %s[2,7,13,3]\ny = %s(%s)", x, t, op[i].name, x);
        use(text, tolerance);
        snprintf(text, sizeof text, "input %s: %s[21000]\ny = %s(%s)", x, t, op[i].name, x);
        use(text, tolerance);
        continue;
      }
      snprintf(text, sizeof text, "input %s: %s[2,7,13,3]\ninput %s: %s[2,7,13,3]\ny = %s(%s, %s)", x, t, z, t, op[i].name, x, z);
      use(text, tolerance);
      snprintf(text, sizeof text, "input %s: %s[45,1]\ninput %s: %s[47]\ny = %s(%s, %s)", x, t, z, t, op[i].name, x, z);
      use(text, tolerance);
    }
  }
}
#endif
