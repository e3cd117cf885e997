/* What there is to check of the CUDA kernels: every row that takes a case, in every layout, as a list of jobs, with the text that each compiles.
 *
 * That is a thousand texts, of a second or two each. A choice keeps of each row some texts, about the square root of all that it has, spread
 * over them, so that rows of a family, which differ in their tiles, keep different ones. */
#ifndef INGOT_TESTS_CUDA_JOBS_H
#define INGOT_TESTS_CUDA_JOBS_H
#include "backend/kernel_check.h"
#include "backend/cuda/kernel.h"
#include "backend/kernel_cases.h"
#include <xxhash.h>

#define HALVES 3e-3   /* of the largest magnitude of the result: some units in the last place of float16, */
#define BFLOATS 2.4e-2 /* of bfloat16, */
#define TF32 2e-3     /* and of inputs rounded to tf32 */

typedef struct job {
  const grid *grid;
  const ingot__kernel *kernel;
  ingot__layout in, out;
  uint64_t text;  /* its hash */
  char *source;   /* the text */
  bool chosen;
  int part;           /* of the test that takes it */
  struct job *leader; /* the first of the chosen jobs with this text, */
  size_t last;        /* and, in the leader, which is the last, */
  void *code;         /* and what is loaded from the first to the last */
} job;

static grid *cuda_grids[4096];
static size_t n_cuda_grid;
static job *cuda_jobs;
static size_t n_cuda_job;

static const char *const cuda_rows[] = {
#define INGOT_KERNEL(name, op, arch, in_layout, out_layout, flags) "cuda_" #name,
#include "backend/cuda/kernels.def"
#undef INGOT_KERNEL
};
enum { CUDA_ROWS = sizeof cuda_rows / sizeof cuda_rows[0] };

static void add_case(const char *text, double tolerance) {
  grid *g = malloc(sizeof *g);
  assert_true(g && n_cuda_grid < sizeof cuda_grids / sizeof cuda_grids[0]);
  grid_parse(g, text, tolerance);
  cuda_grids[n_cuda_grid++] = g;
}

/* A case of float32 in another floating type, where the operator has it. */
static void add_in_type(const kernel_case *c, const char *type, double tolerance) {
  char text[3000] = "";
  size_t n = 0;
  if (!strstr(c->text, "float32") || strstr(c->text, "float16")) return;
  for (const char *at = c->text, *next; *at; at = next) {
    const char *found = strstr(at, "float32");
    next = found ? found + strlen("float32") : at + strlen(at);
    n += (size_t)snprintf(text + n, sizeof text - n, "%.*s%s", (int)((found ? found : next) - at), at, found ? type : "");
    assert_true(n < sizeof text);
  }
  grid *g = malloc(sizeof *g);
  assert_true(g && n_cuda_grid < sizeof cuda_grids / sizeof cuda_grids[0]);
  if (grid_read(g, text, tolerance, NULL)) cuda_grids[n_cuda_grid++] = g;
  else free(g);
}

static void add_cases(void) {
  static const kernel_case more[] = {
#include "cuda/product_cases.h"
#include "cuda/wgmma_cases.h"
#include "cuda/memory_cases.h"
  };
  for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) add_case(more[i].text, more[i].tolerance);
  for (size_t i = 0; i < sizeof kernel_cases / sizeof kernel_cases[0]; i++) {
    add_case(kernel_cases[i].text, kernel_cases[i].tolerance);
    add_in_type(&kernel_cases[i], "float16", HALVES);
    add_in_type(&kernel_cases[i], "bfloat16", BFLOATS);
  }
  each_elementwise_row("float32", CLOSE, add_case);
  each_elementwise_row("float16", HALVES, add_case);
  each_elementwise_row("bfloat16", BFLOATS, add_case);
}

static char *job_source(const job *j) {
  ingot__view in[MAX_IO], out[MAX_IO];
  ingot__call call;
  static ingot__heap heap;
  ingot__text text;
  ingot__heap_init(&heap, NULL);
  make_question(j->grid, j->in, j->out, in, out, &call);
  ingot__text_init(&text, &heap);
  if (j->kernel->functions->define) j->kernel->functions->define(&call, &text);
  ingot__text_printf(&text, "#include \"%s\"\n", j->kernel->functions->source);
  assert_false(text.failed);
  char *copy = strdup(text.data);
  ingot__text_free(&text);
  return copy;
}

/* What a job takes, about, in products: sorting and moving an element is as much work as a hundred. */
static int64_t job_work(const job *j) {
  ingot__view in[MAX_IO], out[MAX_IO];
  ingot__call call;
  make_question(j->grid, j->in, j->out, in, out, &call);
  int64_t elements = 0;
  for (size_t i = 0; i < call.n_in; i++)
    if (ingot__has_in(&call, i)) elements += ingot__view_count(&call.in[i]);
  for (size_t i = 0; i < call.n_out; i++)
    if (ingot__has_out(&call, i)) elements += ingot__view_count(&call.out[i]);
  return ingot__op_flops(&call) + 100 * elements;
}

static void add_jobs(const grid *g, ingot__layout in_layout, ingot__layout out_layout) {
  ingot__view in[MAX_IO], out[MAX_IO];
  ingot__call call;
  const ingot__kernel *list[CUDA_ROWS + 64];
  make_question(g, in_layout, out_layout, in, out, &call);
  size_t n = ingot__cuda_backend.candidates(&call, list, CUDA_ROWS + 64);
  for (size_t k = 0; k < n; k++) {
    if (!list[k]->on_device || !ingot__cuda_backend.available(list[k])) continue;
    if (n_cuda_job % 1024 == 0) cuda_jobs = realloc(cuda_jobs, (n_cuda_job + 1024) * sizeof *cuda_jobs);
    assert_non_null(cuda_jobs);
    job *j = &cuda_jobs[n_cuda_job++];
    *j = (job){.grid = g, .kernel = list[k], .in = in_layout, .out = out_layout, .chosen = true};
    if (!list[k]->functions->source) continue;
    j->source = job_source(j);
    j->text = XXH3_64bits(j->source, strlen(j->source));
  }
}

/* All jobs that the open device can have. */
static void list_jobs(void) {
  add_cases();
  for (size_t i = 0; i < n_cuda_grid; i++)
    for (int layouts = 0; layouts < 4; layouts++)
      if (grid_lies(cuda_grids[i], layouts & 1, layouts >> 1)) add_jobs(cuda_grids[i], (ingot__layout)(layouts & 1), (ingot__layout)(layouts >> 1));
}

static bool job_leads(const job *j) { return j->leader == j; }

/* Once it is known what is chosen. */
static void lead_jobs(void) {
  for (size_t i = 0; i < n_cuda_job; i++) {
    job *j = &cuda_jobs[i];
    j->leader = NULL;
    if (!j->chosen || !j->source) continue;
    for (size_t k = 0; k < i && !j->leader; k++)
      if (job_leads(&cuda_jobs[k]) && cuda_jobs[k].text == j->text) j->leader = &cuda_jobs[k];
    if (!j->leader) j->leader = j;
    j->leader->last = i;
  }
}

static void free_jobs(void) {
  for (size_t i = 0; i < n_cuda_job; i++) free(cuda_jobs[i].source);
  for (size_t i = 0; i < n_cuda_grid; i++) grid_free(cuda_grids[i]), free(cuda_grids[i]);
  free(cuda_jobs);
  cuda_jobs = NULL;
  n_cuda_job = n_cuda_grid = 0;
}

/* Whether another job of the row is chosen that is done sooner: products of many millions take an emulated GPU tens of seconds. */
static bool too_long(const job *j) {
  enum { MOST_WORK = 50000000 };
  int64_t work = job_work(j);
  if (work <= MOST_WORK) return false;
  for (size_t i = 0; i < n_cuda_job; i++)
    if (cuda_jobs[i].chosen && cuda_jobs[i].kernel == j->kernel && job_work(&cuda_jobs[i]) < work) return true;
  return false;
}

/* Leaves `chosen` set for jobs whose text is among the chosen ones: of a row's n the root of n, and at most so many. */
static void choose_jobs(size_t most) {
  uint64_t *texts = calloc(n_cuda_job + 1, sizeof *texts), *kept = calloc(n_cuda_job + 1, sizeof *kept);
  size_t n_kept = 0;
  assert_true(texts && kept);
  for (size_t row = 0; row < CUDA_ROWS; row++) {
    size_t n = 0, quota = 1;
    for (size_t i = 0; i < n_cuda_job; i++) {
      if (strcmp(cuda_jobs[i].kernel->name, cuda_rows[row])) continue;
      size_t k = 0;
      while (k < n && texts[k] != cuda_jobs[i].text) k++;
      if (k == n) texts[n++] = cuda_jobs[i].text;
    }
    while ((quota + 1) * (quota + 1) <= n && quota < most) quota++;
    for (size_t q = 0; q < quota && n; q++) kept[n_kept++] = texts[(q * n / quota + row) % n];
  }
  for (size_t i = 0; i < n_cuda_job; i++) {
    size_t k = 0;
    while (k < n_kept && kept[k] != cuda_jobs[i].text) k++;
    cuda_jobs[i].chosen = k < n_kept || !cuda_jobs[i].source;
  }
  for (size_t i = 0; i < n_cuda_job; i++)
    if (cuda_jobs[i].chosen && too_long(&cuda_jobs[i])) cuda_jobs[i].chosen = false;
  free(texts), free(kept);
}
#endif
