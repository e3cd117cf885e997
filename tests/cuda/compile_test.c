/* The kernels' texts compiled by NVRTC itself for sm_80 and sm_90a, which needs no GPU: those of cuda_jobs.h's choice, so that every row is among
 * them; with INGOT_TEST_FULL=1 all. What doesn't compile, spills registers or has its wgmma instructions serialised fails. NVRTC is
 * INGOT_TEST_NVRTC or where the library finds it; without it the test is skipped. The emulated driver says what an architecture has.
 * INGOT_TEST_SECONDS 900 */
#include "testing_gpu.h"
#include "backend/cuda_jobs.h"
#include "backend/cuda/driver.h"
#include "backend/cuda/sources.h"
#include <sys/mman.h>
#include <sys/wait.h>

enum { MOST_TEXTS = 4096, LINE = 300 };
typedef struct verdict { bool done; char words[LINE]; } verdict; /* no words: good */

/* Of the log: the first line that tells of a spill or of serialised instructions. */
static void judge(const char *log, char *words) {
  for (const char *line = log, *next; *line && !*words; line = next) {
    const char *end = strchr(line, '\n');
    next = end ? end + 1 : line + strlen(line);
    int length = (int)((end ? end : next) - line), stores, loads;
    const char *spill = strstr(line, " bytes spill stores");
    bool bad = false;
    if (spill && spill < next) {
      while (spill > line && spill[-1] >= '0' && spill[-1] <= '9') spill--;
      bad = sscanf(spill, "%d bytes spill stores, %d bytes spill loads", &stores, &loads) == 2 && stores + loads > 0;
    }
    const char *serial = strstr(line, "serializ");
    if (bad || (serial && serial < next)) snprintf(words, LINE, "%.*s", length, line);
  }
}

static void compile(const ingot__nvrtc *nvrtc, const job *j, const char *arch, char *words) {
  enum { MOST_SOURCES = 256 };
  const char *names[MOST_SOURCES], *texts[MOST_SOURCES], *options[] = {arch, "--std=c++17", "--ptxas-options=-v"};
  nvrtc_program program = NULL;
  assert_true(ingot__cuda_n_source <= MOST_SOURCES);
  for (size_t i = 0; i < ingot__cuda_n_source; i++) names[i] = ingot__cuda_sources[i].name, texts[i] = ingot__cuda_sources[i].text;
  int error = nvrtc->nvrtcCreateProgram(&program, j->source, j->kernel->name, (int)ingot__cuda_n_source, texts, names);
  if (!error) error = nvrtc->nvrtcCompileProgram(program, sizeof options / sizeof options[0], options);
  size_t n = 0;
  char *log = program && nvrtc->nvrtcGetProgramLogSize(program, &n) == 0 ? calloc(1, n + 1) : NULL;
  if (log) nvrtc->nvrtcGetProgramLog(program, log);
  if (error) snprintf(words, LINE, "error %d: %s", error, log ? log : "");
  else if (log) judge(log, words);
  free(log);
  if (program) nvrtc->nvrtcDestroyProgram(&program);
}

/* By one process a core: NVRTC compiles one program at a time. */
static int compile_all(const char *arch) {
  verdict *verdicts = mmap(NULL, sizeof *verdicts * MOST_TEXTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const job *jobs[MOST_TEXTS];
  pid_t child[64];
  size_t n = 0;
  int children = 0, bad = 0;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  assert_true(verdicts != MAP_FAILED);
  for (size_t i = 0; i < n_cuda_job; i++) {
    if (!job_leads(&cuda_jobs[i])) continue;
    assert_true(n < MOST_TEXTS);
    jobs[n++] = &cuda_jobs[i];
  }
  for (int me = 0; me < 64 && me < cores; me++) {
    fflush(NULL);
    child[children] = fork();
    assert_true(child[children] >= 0);
    if (child[children++]) continue;
    const ingot__nvrtc *nvrtc = ingot__nvrtc_get(NULL);
    for (size_t i = (size_t)me; nvrtc && i < n; i += (size_t)cores) {
      compile(nvrtc, jobs[i], arch, verdicts[i].words);
      verdicts[i].done = true;
    }
    _exit(0);
  }
  while (children) waitpid(child[--children], NULL, 0);
  for (size_t i = 0; i < n; i++) {
    if (verdicts[i].done && !*verdicts[i].words) continue;
    print_error("%s, %s: %s\n%.*s\n", jobs[i]->kernel->name, arch, verdicts[i].done ? verdicts[i].words : "the compiler crashed", 1500,
                jobs[i]->source);
    bad++;
  }
  print_message("%s: %zu texts\n", arch, n);
  munmap(verdicts, sizeof *verdicts * MOST_TEXTS);
  return bad;
}

static void for_architecture(const char *number, const char *option) {
  ingot__device *gpu;
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  setenv("INGOT_EMULATED_ARCH", number, 1);
  if (ingot__cuda_backend.device->open(0, &diag, &gpu) != INGOT_OK) fail_msg("%s", diag.text);
  const char *full = getenv("INGOT_TEST_FULL");
  list_jobs();
  if (!(full && *full == '1')) choose_jobs(3);
  lead_jobs();
  int bad = compile_all(option);
  free_jobs();
  ingot__cuda_backend.device->close(gpu);
  assert_int_equal(bad, 0);
}

static void ampere(void **unused) { (void)unused, for_architecture("80", "--gpu-architecture=sm_80"); }
static void hopper(void **unused) { (void)unused, for_architecture("90", "--gpu-architecture=sm_90a"); }

static bool finds_nvrtc(void) { /* in a process of its own, so that those who compile open it themselves */
  pid_t child = fork();
  int status = 1;
  if (!child) {
    ingot__diag diag;
    ingot__diag_init(&diag, NULL);
    bool there = ingot__nvrtc_get(&diag) != NULL;
    if (!there) fprintf(stderr, "skipped: %s\n", diag.text);
    _exit(!there);
  }
  return waitpid(child, &status, 0) == child && status == 0;
}

int main(void) {
#ifdef INGOT_EMULATED_DRIVER
  const char *nvrtc = getenv("INGOT_TEST_NVRTC");
  setenv("INGOT_CUDA_DRIVER", INGOT_EMULATED_DRIVER, 1);
  setenv("INGOT_CACHE", "", 1);
  if (nvrtc && *nvrtc) setenv("INGOT_NVRTC", nvrtc, 1);
  if (!finds_nvrtc()) return 77;
  const struct CMUnitTest tests[] = {cmocka_unit_test(hopper), cmocka_unit_test(ampere)};
  return cmocka_run_group_tests(tests, NULL, NULL);
#else
  fprintf(stderr, "skipped: there is no emulated driver for this processor\n");
  return 77;
#endif
}
