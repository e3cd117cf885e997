/* Every CPU kernel against the reference, over the grid of kernel_cases.h and all rows of elementwise operators: in every layout that it
 * takes, dense and as slices of larger buffers, in place, on one and two threads. Bytes around and between the outputs' elements must
 * stay as they were. A row of kernels.def that no case reaches is a failure, so a new kernel needs a case at most.
 * INGOT_TEST_SECONDS 300  INGOT_TEST_ASAN */
#include "backend/kernel_check.h"
#include "backend/cpu/kernel.h"
#include "backend/kernel_cases.h"

static ingot__pool *pools[3];
static const char *const rows[] = {
#define INGOT_KERNEL(name, op, isa, in_layout, out_layout, flags) #name,
#include "backend/cpu/kernels.def"
#undef INGOT_KERNEL
};
enum { ROWS = sizeof rows / sizeof rows[0] };
static unsigned runs[ROWS];

static void run_kernel(const grid *g, const ingot__kernel *kernel, const variant *v) {
  tensor in[MAX_IO], out[MAX_IO];
  ingot__view in_view[MAX_IO], out_view[MAX_IO];
  ingot__call call;
  char where[200], text[200];
  const ingot__kernel_functions *f = kernel->functions;
  make_call(g, v, in, out, in_view, out_view, &call);
  call.pool = pools[v->threads];
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
  variant v = {.in = in_layout, .out = out_layout};
  ingot__view in[MAX_IO], out[MAX_IO];
  ingot__call call;
  make_question(g, in_layout, out_layout, in, out, &call);
  const ingot__kernel *list[ROWS];
  size_t n = ingot__cpu_backend.candidates(&call, list, ROWS);
  for (size_t k = 0; k < n; k++) {
    if (list[k]->level != isa) continue;
    if (strcmp(list[k]->name, "reference") == 0) {
      runs[ROWS - 1]++; /* what everything is compared with */
      continue;
    }
    for (v.threads = 1; v.threads <= 2; v.threads++) run_kernel(g, list[k], &v);
    v.threads = 2;
    grid_variants(g, list[k], v, run_kernel);
  }
}

static void check(const char *body, double tolerance) {
  static grid g;
  grid_parse(&g, body, tolerance);
  grid_compute(&g);
  for (int in_layout = 0; in_layout < 2; in_layout++)
    for (int out_layout = 0; out_layout < 2; out_layout++) {
      if (!grid_lies(&g, in_layout, out_layout)) continue;
      for (TESTING_EACH_ISA(isa)) ask(&g, isa, (ingot__layout)in_layout, (ingot__layout)out_layout);
    }
  grid_free(&g);
}

static void grid_of_cases(void **unused) {
  (void)unused;
  for (size_t i = 0; i < sizeof kernel_cases / sizeof kernel_cases[0]; i++) check(kernel_cases[i].text, kernel_cases[i].tolerance);
}

static void elementwise_rows(void **unused) {
  (void)unused;
  each_elementwise_row("float32", CLOSE, check);
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
