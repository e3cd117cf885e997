/* Every row of the CUDA kernels against the reference: over the grids of cases of kernel_cases.h and tests/cuda/, and all rows of elementwise
 * operators in each floating type, in every layout that a row takes, dense and as slices of larger buffers, in place; each row once out of a
 * recording, too. Bytes around and between the outputs' elements must stay as they were. A row that no case reaches is a failure.
 *
 * It runs on an emulated GPU, which has each memory access checked, with a choice of texts (a compilation takes a second or two); with
 * INGOT_TEST_GPU=1 on the real one, with all of them, which processes share among themselves (INGOT_TEST_PROCESSES), since the reference takes
 * the most time; INGOT_TEST_FULL=1 and =0 say otherwise. INGOT_TEST_ONLY=name: one row, all texts.
 * INGOT_TEST_SHARE=2/4: the third of four parts. INGOT_TEST_OURS=1: without vendors' libraries. INGOT_TEST_SLICES=once: slices and in place
 * once a text, for tools under which each call takes long.
 * INGOT_TEST_LIST=1 only lists operators and the rows that take them.
 * INGOT_TEST_ON_GPU INGOT_TEST_SECONDS 1500 */
#include "testing_gpu.h"
#include "backend/cuda_jobs.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const ingot__device_functions *device;
static ingot__device *gpu;
static void *queue;
static unsigned *runs;  /* of each row, by all processes */

/* ---- Texts are compiled ahead, by all cores. */

static _Atomic size_t next_job;

static ingot_status compile(const job *j, ingot__diag *diag, const void **code, size_t *size) {
  ingot__view in[MAX_IO], out[MAX_IO];
  ingot__call call;
  make_question(j->grid, j->in, j->out, in, out, &call);
  return device->compile(gpu, j->kernel, &call, diag, code, size);
}

static void *compile_all(void *unused) {
  for (size_t i; (i = atomic_fetch_add(&next_job, 1)) < n_cuda_job;) {
    const void *code;
    size_t size;
    if (job_leads(&cuda_jobs[i])) compile(&cuda_jobs[i], NULL, &code, &size); /* who runs it hears of a failure */
  }
  return unused;
}

static void texts_compile(void **unused) {
  (void)unused;
  pthread_t thread[64];
  size_t n = 0;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  while (n < 64 && (long)n < cores && pthread_create(&thread[n], NULL, compile_all, NULL) == 0) n++;
  while (n) pthread_join(thread[--n], NULL);
}

/* ---- One call */

static void *current_code;
static ingot__diag diag;
static int complaints;
enum { MOST_COMPLAINTS = 40 };

/* The others are still to be heard of. */
static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fflush(stdout);
  vfprintf(stderr, format, list);
  va_end(list);
  if (++complaints >= MOST_COMPLAINTS) fail_msg("%d complaints", complaints);
}

static void *upload(const void *from, size_t size) {
  void *to = NULL;
  if (device->allocate(gpu, size, &diag, &to) != INGOT_OK || device->write(gpu, to, from, size, &diag) != INGOT_OK) fail_msg("%s", diag.text);
  return to;
}

/* Inputs without what is around them on the host, so that reading past the end is reading past an allocation; what is between their elements, and
 * what follows as far as allocations are aligned, are NaNs: a kernel that multiplies it by zero fails. */
static void *upload_input(const tensor *t, ingot__view *view) {
  enum { ALIGN = 256 };
  size_t bytes = t->bytes - 2 * GUARD, first = (size_t)((unsigned char *)view->data - t->memory) - GUARD, whole = ingot__align(bytes + 1, ALIGN);
  unsigned char *own = own_bytes(t), *there = malloc(whole);
  assert_non_null(there);
  memset(there, 0xff, whole);
  for (size_t i = 0; i < bytes; i++)
    if (own[GUARD + i]) there[i] = t->memory[GUARD + i];
  char *copy = upload(there, bytes % ALIGN ? whole : bytes);
  free(own), free(there);
  view->data = copy + first;
  return copy;
}

static void compare(const grid *g, const ingot__kernel *kernel, tensor *out, void *const *memory, const char *where) {
  char text[200];
  for (size_t i = 0; i < g->node->n_out; i++) {
    if (!g->node->out[i]) continue;
    double tolerance = strstr(kernel->name, "tf32") && g->tolerance < TF32 ? TF32 : g->tolerance;
    if (strstr(g->text, "act=Clip")) tolerance *= 8; /* the largest magnitude is what was cut off */
    if (device->read(gpu, out[i].memory, memory[i], out[i].bytes, &diag) != INGOT_OK) fail_msg("%s: %s\n%s", where, diag.text, g->text);
    if (!same(&out[i].view, &g->want[i], tolerance, text, sizeof text)) complain("%s: output %zu, %s\n%s", where, i, text, g->text);
    if (spilt(&out[i])) complain("%s: writes outside output %zu\n%s", where, i, g->text);
  }
}

static void run_kernel(const grid *g, const ingot__kernel *kernel, const variant *v) {
  tensor in[MAX_IO], out[MAX_IO];
  ingot__view in_view[MAX_IO], out_view[MAX_IO];
  void *memory[2 * MAX_IO + 2] = {0}, **out_memory = memory + MAX_IO, **packed = &memory[2 * MAX_IO], **work = packed + 1;
  ingot__call call;
  char where[240];
  const ingot__kernel_functions *f = kernel->functions;
  make_call(g, v, in, out, in_view, out_view, &call);
  snprintf(where, sizeof where, "%s, %s to %s, slack %d %d %d axis %d%s", kernel->name, v->in ? "NHWC" : "NCHW", v->out ? "NHWC" : "NCHW",
           (int)v->in_slack, (int)v->out_slack, (int)v->other_slack, v->axis, v->in_place ? ", in place" : "");
  call.queue = queue, call.code = current_code, call.diag = &diag;
  size_t workspace = f->workspace ? f->workspace(&call) : 0;
  if (workspace == SIZE_MAX && f->library) { /* it has nothing for this */
    free_call(g, in, out);
    return;
  }
  size_t size = f->pack_size ? f->pack_size(&call) : 0;
  if (size) {
    void *bytes = aligned_alloc(64, ingot__align(size, 64));
    f->pack(&call, bytes);
    call.packed = *packed = upload(bytes, size);
    free(bytes);
  }
  unsigned char *bytes = malloc(workspace + 64);
  memset(bytes, 0x7f, workspace); /* NaN-like: nothing may count on cleared memory */
  memset(bytes + workspace, PATTERN, 64);
  call.workspace = *work = upload(bytes, workspace + 64), call.workspace_size = workspace;
  for (size_t i = 0; i < call.n_in; i++) {
    if (!g->node->in[i] || f->host_inputs >> i & 1) continue;
    if (f->packs_inputs >> i & 1 && in_view[i].constant) in_view[i].data = NULL;
    else memory[i] = upload_input(&in[i], &in_view[i]);
  }
  if (v->in_place) copy_view(&out[0].view, &g->in[0]);
  for (size_t i = 0; i < call.n_out; i++) {
    if (!g->node->out[i]) continue;
    out_memory[i] = upload(out[i].memory, out[i].bytes);
    out_view[i].data = (char *)out_memory[i] + ((unsigned char *)out_view[i].data - out[i].memory);
  }
  if (v->in_place) in_view[0] = out_view[0];
  if (!testing_real_gpu()) setenv("INGOT_EMULATED_ORDER", v->axis == 1 ? "backwards" : "", 1);
  if (f->run(&call) != INGOT_OK || device->wait(queue, &diag) != INGOT_OK) complain("%s: fails: %s\n%s", where, diag.text, g->text);
  compare(g, kernel, out, out_memory, where);
  size_t row = 0;
  while (row < CUDA_ROWS && strcmp(cuda_rows[row], kernel->name)) row++;
  /* Again, recorded: a run that leaves something behind fails. */
  if (row < CUDA_ROWS && !__atomic_fetch_add(&runs[row], 1, __ATOMIC_RELAXED) && !v->in_place) {
    void *recording = NULL;
    assert_int_equal(device->record(queue, &diag), INGOT_OK);
    assert_int_equal(f->run(&call), INGOT_OK);
    if (device->record_end(queue, &diag, &recording) != INGOT_OK || device->play(queue, recording, &diag) != INGOT_OK)
      fail_msg("%s: can't be recorded: %s", where, diag.text);
    assert_int_equal(device->wait(queue, &diag), INGOT_OK);
    compare(g, kernel, out, out_memory, where);
    device->recording_free(gpu, recording);
  }
  assert_int_equal(device->read(gpu, bytes, (char *)*work + workspace, 64, &diag), INGOT_OK);
  for (size_t i = 0; i < 64; i++)
    if (bytes[i] != PATTERN) {
      complain("%s: writes past its workspace\n%s", where, g->text);
      break;
    }
  for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) device->release(gpu, memory[i]);
  free(bytes);
  free_call(g, in, out);
}

static bool slices_once;

static void every_job(void **unused) {
  (void)unused;
  const grid *last = NULL;
  for (size_t i = 0; i < n_cuda_job; i++) {
    const job *j = &cuda_jobs[i];
    const void *code;
    size_t size;
    if (!j->chosen) continue;
    if (last != j->grid) grid_compute((grid *)j->grid);
    last = j->grid;
    current_code = j->leader ? j->leader->code : NULL;
    if (!current_code &&
        (compile(j, &diag, &code, &size) != INGOT_OK || (size && device->load(gpu, code, size, &diag, &current_code) != INGOT_OK))) {
      complain("%s: %s\n%s", j->kernel->name, diag.text, j->grid->text);
      continue;
    }
    variant v = {.in = j->in, .out = j->out, .threads = 1};
    run_kernel(j->grid, j->kernel, &v);
    if (!slices_once || job_leads(j)) grid_variants(j->grid, j->kernel, v, run_kernel);
    if (!j->leader) continue;
    j->leader->code = current_code;
    if (i == j->leader->last) device->unload(gpu, current_code);
  }
  assert_int_equal(complaints, 0);
}

static void every_row_ran(void **unused) {
  (void)unused;
  int missing = 0;
  for (size_t i = 0; i < CUDA_ROWS; i++) {
    const ingot__kernel *kernel = ingot__cuda_backend.find(cuda_rows[i]);
    assert_non_null(kernel);
    if (!ingot__cuda_backend.available(kernel) || runs[i]) continue;
    print_error("no case reaches %s\n", cuda_rows[i]);
    missing++;
  }
  assert_int_equal(missing, 0);
}

/* ---- Shares: each process takes every n-th grid of all, whose reference takes the most time; of a choice every n-th text, which it loads once. */

static bool whole;             /* rather than a choice */
static const char *only;

static void choose(int share, int shares) {
  list_jobs();
  if (!whole && !only) choose_jobs(SIZE_MAX);
  for (size_t i = 0; i < n_cuda_job && only; i++) cuda_jobs[i].chosen = strstr(cuda_jobs[i].kernel->name, only) != NULL;
  for (size_t i = 0; i < n_cuda_job && getenv("INGOT_TEST_OURS"); i++) cuda_jobs[i].chosen &= !cuda_jobs[i].kernel->functions->library;
  lead_jobs();
  int grids = -1, texts = 0;
  for (size_t i = 0; i < n_cuda_job; i++) {
    job *j = &cuda_jobs[i];
    if (!i || j->grid != cuda_jobs[i - 1].grid) grids++;
    j->part = (whole || !j->leader ? grids : job_leads(j) ? texts++ : j->leader->part) % shares;
  }
  for (size_t i = 0; i < n_cuda_job; i++) cuda_jobs[i].chosen &= cuda_jobs[i].part == share;
  lead_jobs();
}

static int with_device(int (*run)(int share, int shares), int share, int shares) {
  if (device->open(0, &diag, &gpu) != INGOT_OK || device->queue_new(gpu, NULL, &diag, &queue) != INGOT_OK) {
    fprintf(stderr, "%s\n", diag.text);
    return 1;
  }
  int failed = run(share, shares);
  device->queue_free(queue);
  if (!failed) device->close(gpu); /* the emulated one complains of what is left then */
  return failed;
}

static int run_share(int share, int shares) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(texts_compile), cmocka_unit_test(every_job)};
  choose(share, shares);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  free_jobs();
  return failed;
}

/* For docs/operators.md: operators and the rows that take them. */
static int print_rows(int share, int shares) {
  (void)share, (void)shares;
  list_jobs();
  for (size_t i = 0; i < n_cuda_job; i++) printf("%s %s\n", ingot__op_get(cuda_jobs[i].grid->node->op)->name, cuda_jobs[i].kernel->name);
  free_jobs();
  return 0;
}

static int check_rows(int share, int shares) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_ran)};
  (void)share, (void)shares;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Children, for a process that has used a real GPU can't fork others that do. */
static int run_shares(int shares) {
  pid_t child[64];
  int failed = 0, status;
  for (int i = 0; i < shares; i++) {
    fflush(NULL);
    child[i] = fork();
    assert_true(child[i] >= 0);
    if (!child[i]) exit(with_device(run_share, i, shares));
  }
  for (int i = 0; i < shares; i++) {
    bool ended = waitpid(child[i], &status, 0) == child[i] && WIFEXITED(status);
    if (!ended) fprintf(stderr, "share %d of %d ends by signal %d\n", i, shares, WTERMSIG(status));
    failed += !ended || WEXITSTATUS(status);
  }
  return failed;
}

int main(void) {
  const char *full = getenv("INGOT_TEST_FULL"), *processes = getenv("INGOT_TEST_PROCESSES");
  ingot__diag_init(&diag, NULL);
  if (!testing_gpu()) return 77;
  device = ingot__cuda_backend.device;
  if (getenv("INGOT_TEST_LIST")) return with_device(print_rows, 0, 1);
  only = getenv("INGOT_TEST_ONLY");
  slices_once = getenv("INGOT_TEST_SLICES") != NULL;
  whole = full && *full ? *full == '1' : testing_real_gpu();
  runs = mmap(NULL, sizeof *runs * CUDA_ROWS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (runs == MAP_FAILED) return 1;
  const char *share = getenv("INGOT_TEST_SHARE");
  int part = 0, parts = 0;
  if (share && sscanf(share, "%d/%d", &part, &parts) == 2 && part >= 0 && part < parts) return with_device(run_share, part, parts);
  long cores = sysconf(_SC_NPROCESSORS_ONLN), shares = processes ? strtol(processes, NULL, 10) : whole ? cores : 1;
  int failed = shares > 1 ? run_shares(shares < 16 ? (int)shares : 16) : with_device(run_share, 0, 1);
  return failed ? failed : only ? 0 : with_device(check_rows, 0, 1);
}
