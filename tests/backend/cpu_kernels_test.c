/* Every CPU kernel against the reference, over the grid of kernel_cases.h and all rows of elementwise operators: in every layout that it
 * takes, dense and as slices of larger buffers, in place, on one and two threads. Bytes around and between the outputs' elements must
 * stay as they were. A row of kernels.def that no case reaches is a failure, so a new kernel needs a case at most.
 * INGOT_TEST_SECONDS 300  INGOT_TEST_ASAN */
#include "testing.h"
#include "backend/cpu/kernel.h"
#include "backend/kernel_cases.h"

enum { MAX_IO = 8, GUARD = 256, PATTERN = 0xa5 };
typedef struct tensor { ingot__view view; unsigned char *memory; size_t bytes; } tensor; /* a view and the memory it lies in */

static ingot__pool *pools[3];
static const char *const rows[] = {
#define INGOT_KERNEL(name, op, isa, in_layout, out_layout, flags) #name,
#include "backend/cpu/kernels.def"
#undef INGOT_KERNEL
};
enum { ROWS = sizeof rows / sizeof rows[0] };
static unsigned runs[ROWS];

static size_t offset_of(const ingot__view *v, int64_t k) { /* of the k-th element in the order of the dims, in bytes */
  int64_t at = 0;
  for (int i = v->rank - 1; i >= 0; i--) at += k % v->dim[i] * v->stride[i], k /= v->dim[i];
  return (size_t)at * ingot__dtype_size(v->dtype);
}

/* With `slack` elements more along `axis` than the view has, split before and after it. */
static void tensor_new(tensor *t, const ingot__type *type, ingot__layout layout, int axis, int64_t slack) {
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

static void copy_view(const ingot__view *to, const ingot__view *from) {
  size_t size = ingot__dtype_size(to->dtype);
  for (int64_t k = 0; k < ingot__view_count(to); k++)
    memcpy((char *)to->data + offset_of(to, k), (const char *)from->data + offset_of(from, k), size);
}

/* Whether anything but the view's elements was written. */
static bool spilt(const tensor *t) {
  size_t size = ingot__dtype_size(t->view.dtype), first = (size_t)((unsigned char *)t->view.data - t->memory);
  unsigned char *own = calloc(1, t->bytes);
  for (int64_t k = 0; k < ingot__view_count(&t->view); k++) memset(own + first + offset_of(&t->view, k), 1, size);
  bool bad = false;
  for (size_t i = 0; i < t->bytes; i++) bad |= !own[i] && t->memory[i] != PATTERN;
  free(own);
  return bad;
}

static void randomise(const ingot__view *v, const char *name, uint64_t *seed) {
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

static bool same(const ingot__view *got, const ingot__view *want, double tolerance, char *text, size_t n) {
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

typedef struct grid {
  const ingot__node *node;
  const char *text;
  double tolerance;
  ingot__view in[MAX_IO], want[MAX_IO]; /* dense PLAIN */
} grid;

/* How in[0], the other inputs and the outputs are laid out. */
typedef struct variant { ingot__layout in, out; int64_t in_slack, out_slack, other_slack; bool in_place; int threads; int axis; } variant;

static int slice_axis(const ingot__type *t, ingot__layout layout, int axis) {
  return layout == INGOT__CHANNELS_LAST && t->rank >= 3 ? 1 : axis < t->rank ? axis : t->rank - 1;
}
static ingot__layout layout_in(const grid *g, size_t i, const variant *v) {
  const ingot__value *value = g->node->in[i];
  if (value->data || value->type.rank < 3) return INGOT__PLAIN;
  return i == 3 && (g->node->op == INGOT__OP_Conv || g->node->op == INGOT__OP_ConvTranspose) ? v->out : v->in;
}

static void make_call(const grid *g, const variant *v, tensor *in, tensor *out, ingot__view *in_view, ingot__view *out_view, ingot__call *call) {
  const ingot__node *node = g->node;
  *call = (ingot__call){.node = node, .attrs = node->attrs, .in = in_view, .out = out_view, .n_in = node->n_in, .n_out = node->n_out,
                        .threads = v->threads, .pool = pools[v->threads]};
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

static void free_call(const grid *g, tensor *in, tensor *out) {
  for (size_t i = 0; i < g->node->n_in; i++) free(in[i].memory);
  for (size_t i = 0; i < g->node->n_out; i++) free(out[i].memory);
}

static void run_kernel(const grid *g, const ingot__kernel *kernel, const variant *v) {
  tensor in[MAX_IO], out[MAX_IO];
  ingot__view in_view[MAX_IO], out_view[MAX_IO];
  ingot__call call;
  char where[200], text[200];
  const ingot__kernel_functions *f = kernel->functions;
  make_call(g, v, in, out, in_view, out_view, &call);
  snprintf(where, sizeof where, "%s, %s to %s, %d threads, slack %d %d %d axis %d%s", kernel->name, v->in ? "NHWC" : "NCHW", v->out ? "NHWC" : "NCHW",
           v->threads, (int)v->in_slack, (int)v->out_slack, (int)v->other_slack, v->axis, v->in_place ? ", in place" : "");
  size_t size = f->pack_size ? f->pack_size(&call) : 0;
  void *packed = size ? aligned_alloc(64, ingot__align(size, 64)) : NULL;
  if (packed) f->pack(&call, packed);
  call.packed = packed;
  for (size_t i = 0; i < call.n_in; i++)
    if (f->packs_inputs >> i & 1 && in_view[i].constant) in_view[i].data = NULL;
  size_t workspace = f->workspace ? f->workspace(&call) : 0;
  unsigned char *work = aligned_alloc(64, ingot__align(workspace, 64) + 64);
  memset(work, 0x7f, workspace + 64); /* NaN-like: nothing may count on cleared memory */
  memset(work + workspace, PATTERN, 64);
  call.workspace = work, call.workspace_size = workspace;
  if (v->in_place) {
    copy_view(&out[0].view, &g->in[0]);
    in_view[0] = out_view[0];
  }
  if (f->run(&call) != INGOT_OK) fail_msg("%s: fails on\n%s", where, g->text);
  for (size_t i = 0; i < g->node->n_out; i++) {
    if (!g->node->out[i]) continue;
    double tolerance = strstr(kernel->name, "winograd") ? g->tolerance * 10 : g->tolerance;
    if (!same(&out[i].view, &g->want[i], tolerance, text, sizeof text)) fail_msg("%s: output %zu, %s\n%s", where, i, text, g->text);
    if (spilt(&out[i])) fail_msg("%s: writes outside output %zu\n%s", where, i, g->text);
  }
  for (size_t i = 0; i < 64; i++)
    if (work[workspace + i] != PATTERN) fail_msg("%s: writes past its workspace\n%s", where, g->text);
  free(work), free(packed);
  free_call(g, in, out);
  for (size_t i = 0; i < ROWS; i++) runs[i] += strcmp(rows[i], kernel->name) == 0;
}

/* The kernels of level `isa`. */
static void ask(const grid *g, int isa, ingot__layout in_layout, ingot__layout out_layout) {
  variant v = {.in = in_layout, .out = out_layout, .threads = 1};
  tensor in[MAX_IO], out[MAX_IO];
  ingot__view in_view[MAX_IO], out_view[MAX_IO];
  ingot__call call;
  make_call(g, &v, in, out, in_view, out_view, &call);
  for (size_t i = 0; i < call.n_in; i++)
    if (!in_view[i].constant) in_view[i].data = NULL;
  for (size_t i = 0; i < call.n_out; i++) out_view[i].data = NULL;
  const ingot__kernel *list[ROWS];
  size_t n = ingot__cpu_backend.candidates(&call, list, ROWS);
  free_call(g, in, out);
  for (size_t k = 0; k < n; k++) {
    if (list[k]->level != isa) continue;
    if (strcmp(list[k]->name, "reference") == 0) {
      runs[ROWS - 1]++; /* what everything is compared with */
      continue;
    }
    unsigned flags = list[k]->flags;
    for (v.threads = 1; v.threads <= 2; v.threads++) run_kernel(g, list[k], &v);
    if (flags & (INGOT__K_STRIDED_IN | INGOT__K_STRIDED_OUT)) {
      variant s = v;
      s.threads = 2;
      for (s.axis = 1; s.axis < 8; s.axis += 6) { /* the second, and the last */
        if (flags & INGOT__K_STRIDED_IN) s.in_slack = 7, s.out_slack = 0, run_kernel(g, list[k], &s);
        if (flags & INGOT__K_STRIDED_OUT) s.in_slack = 0, s.out_slack = 9, run_kernel(g, list[k], &s);
        if ((flags & INGOT__K_STRIDED_IN) && (flags & INGOT__K_STRIDED_OUT)) s.in_slack = 6, s.out_slack = 3, run_kernel(g, list[k], &s);
        if (flags & INGOT__K_STRIDED_ALL) s.other_slack = 5, run_kernel(g, list[k], &s), s.other_slack = 0;
      }
    }
    const ingot__node *node = g->node;
    if (flags & INGOT__K_IN_PLACE && node->out[0] && !node->in[0]->data && ingot__type_same(&node->in[0]->type, &node->out[0]->type)) {
      variant s = {.in = in_layout, .out = in_layout, .threads = 2, .in_place = true};
      if (in_layout == out_layout) run_kernel(g, list[k], &s);
    }
  }
}

static void check(const char *body, double tolerance) {
  static ingot__diag diag;
  ingot__network *network = NULL;
  char text[3000];
  snprintf(text, sizeof text, "network {\n%s\n%s}\n", body, "output y\n");
  if (strstr(body, "_, y2")) strcpy(strstr(text, "output y\n"), "output y2\n}\n");
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(NULL, text, strlen(text), &diag, &network) != INGOT_OK) fail_msg("%s\n%s", diag.text, text);
  if (ingot__infer_network(network, &diag) != INGOT_OK) fail_msg("%s\n%s", diag.text, text);
  grid g = {.node = network->main->last, .text = text, .tolerance = tolerance};
  uint64_t seed = 88172645463325252u;
  const ingot__node *node = g.node;
  tensor in[MAX_IO] = {0}, out[MAX_IO] = {0};
  assert_true(node->n_in <= MAX_IO && node->n_out <= MAX_IO);
  for (size_t i = 0; i < node->n_in; i++) {
    if (!node->in[i]) continue;
    tensor_new(&in[i], &node->in[i]->type, INGOT__PLAIN, 0, 0);
    g.in[i] = in[i].view;
    if (node->in[i]->data) memcpy(g.in[i].data, node->in[i]->data, node->in[i]->bytes);
    else randomise(&g.in[i], node->in[i]->name, &seed);
    for (size_t k = 0; k < i; k++)
      if (node->in[k] == node->in[i]) copy_view(&g.in[i], &g.in[k]);
    g.in[i].constant = node->in[i]->data != NULL;
  }
  for (size_t i = 0; i < node->n_out; i++) {
    if (!node->out[i]) continue;
    tensor_new(&out[i], &node->out[i]->type, INGOT__PLAIN, 0, 0);
    g.want[i] = out[i].view;
  }
  ingot__call call = {.node = node, .attrs = node->attrs, .in = g.in, .out = g.want, .n_in = node->n_in, .n_out = node->n_out,
                      .threads = 1, .diag = &diag};
  call.workspace_size = ingot__reference_workspace(&call);
  call.workspace = aligned_alloc(64, ingot__align(call.workspace_size + 64, 64));
  if (ingot__reference(&call) != INGOT_OK) fail_msg("reference: %s\n%s", diag.text, text);
  free(call.workspace);
  for (int in_layout = 0; in_layout < 2; in_layout++)
    for (int out_layout = 0; out_layout < 2; out_layout++) {
      if (in_layout && (!node->in[0] || node->in[0]->type.rank < 3 || node->in[0]->data)) continue;
      bool wide = false;
      for (size_t i = 0; i < node->n_out; i++) wide |= node->out[i] && node->out[i]->type.rank >= 3;
      if (out_layout && !wide) continue;
      for (TESTING_EACH_ISA(isa)) ask(&g, isa, (ingot__layout)in_layout, (ingot__layout)out_layout);
    }
  for (size_t i = 0; i < MAX_IO; i++) free(in[i].memory), free(out[i].memory);
  ingot__network_free(network);
}

static void grid_of_cases(void **unused) {
  (void)unused;
  for (size_t i = 0; i < sizeof kernel_cases / sizeof kernel_cases[0]; i++) check(kernel_cases[i].text, kernel_cases[i].tolerance);
}

/* Each row of ops.def on plain numbers and on special ones; two inputs with and without broadcasting. */
#define ARITH 1
#define FLOAT 1
#define INTEGER 0
#define LOGIC 2
#define COMPARE 1
#define EQUAL 1
static void elementwise_rows(void **unused) {
  (void)unused;
  static const struct { const char *name; int arity, types; } op[] = {
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) {#name, arity, types},
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE
  };
  char text[400];
  for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
    const char *t = op[i].types == 2 ? "bool" : "float32";
    if (op[i].types == 0) continue;
    for (int special = 0; special < 2; special++) {
      const char *x = special ? "s" : "x", *z = special ? "s2" : "z";
      if (op[i].arity == 1) {
        snprintf(text, sizeof text, "input %s: %s[2,7,13,3]\ny = %s(%s)", x, t, op[i].name, x);
        check(text, CLOSE);
        snprintf(text, sizeof text, "input %s: %s[21000]\ny = %s(%s)", x, t, op[i].name, x);
        check(text, CLOSE);
        continue;
      }
      snprintf(text, sizeof text, "input %s: %s[2,7,13,3]\ninput %s: %s[2,7,13,3]\ny = %s(%s, %s)", x, t, z, t, op[i].name, x, z);
      check(text, CLOSE);
      snprintf(text, sizeof text, "input %s: %s[45,1]\ninput %s: %s[47]\ny = %s(%s, %s)", x, t, z, t, op[i].name, x, z);
      check(text, CLOSE);
    }
  }
}

static void every_row_ran(void **unused) {
  (void)unused;
  int missing = 0;
  for (size_t i = 0; i < ROWS; i++) {
    const ingot__kernel *kernel = ingot__cpu_backend.find(rows[i]);
    assert_non_null(kernel);
    if (!ingot__cpu_backend.available(kernel) || runs[i]) continue;
    print_error("no case reaches %s\n", rows[i]);
    missing++;
  }
  assert_int_equal(missing, 0);
}

int main(void) {
  static ingot__heap heap;
  static ingot__diag diag;
  ingot__heap_init(&heap, NULL);
  ingot__diag_init(&diag, NULL);
  if (ingot__pool_create(&heap, 2, &diag, &pools[2]) != INGOT_OK) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(elementwise_rows), cmocka_unit_test(grid_of_cases), cmocka_unit_test(every_row_ran)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  ingot__pool_destroy(pools[2]);
  return failed;
}
