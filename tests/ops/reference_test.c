/* The operators' inference and references against ONNX Runtime: the networks of the files of cases, whose outputs are an operator's
 * and then, as constants, what they must be. With one thread and with three. */
#include "run_text.h"

static const char *const files[] = {"reference_cases.txt", "movement_cases.txt", "vision_cases.txt"};

static char *read_cases(const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "tests/ops/%s", name); /* tests run in the source tree's root */
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("can't open %s", path);
  char *text = NULL;
  size_t size = 0, n;
  do {
    text = realloc(text, size + 65537);
    size += n = fread(text + size, 1, 65536, file);
  } while (n);
  fclose(file);
  text[size] = 0;
  return text;
}

static void compare(const char *name, const ingot__view *got, const ingot__view *wanted) {
  if (got->dtype != wanted->dtype || got->rank != wanted->rank) fail_msg("%s: %s of rank %d", name, ingot_dtype_name(got->dtype), got->rank);
  for (int i = 0; i < got->rank; i++)
    if (got->dim[i] != wanted->dim[i]) fail_msg("%s: dim %d is %lld, not %lld", name, i, (long long)got->dim[i], (long long)wanted->dim[i]);
  for (size_t i = 0; i < (size_t)ingot__view_count(got); i++) {
    double a = ingot__get_double(got->dtype, got->data, i), b = ingot__get_double(got->dtype, wanted->data, i);
    bool whole = !ingot__dtype_is_float(got->dtype);
    if (whole ? a != b : !testing_close(a, b, 2e-5, 2e-6)) fail_msg("%s: element %zu is %.9g, not %.9g", name, i, a, b);
  }
}

/* A case: from a line "# name" to the line "}". */
static size_t run_cases(char *text, ingot__pool *pool) {
  size_t cases = 0;
  for (char *p = text, *end; (p = strstr(p, "# ")) && (end = strstr(p, "\n}\n")); p = end + 1, cases++) {
    char name[128], kept = end[2];
    sscanf(p, "# %127[^\n]", name);
    end[2] = 0;
    run_text r = {.pool = pool};
    if (run_text_run(&r, p) != INGOT_OK) fail_msg("%s: %s", name, r.diag.text);
    size_t n = r.network->main->n_output / 2;
    for (size_t i = 0; i < n; i++) {
      ingot__view got = run_text_output(&r, i), wanted = run_text_output(&r, n + i);
      compare(name, &got, &wanted);
      /* What inference found when compiling is the same. */
      const ingot__type *t = &r.network->main->output[i]->type;
      assert_int_equal(t->dtype, got.dtype);
      assert_int_equal(t->rank, got.rank);
      for (int k = 0; k < got.rank; k++) assert_true(t->dim[k] == got.dim[k] || t->dim[k] == INGOT__DIM_UNKNOWN);
    }
    run_text_free(&r);
    end[2] = kept;
  }
  return cases;
}

static void one_thread(void **unused) {
  (void)unused;
  for (int i = 0; i < 3; i++) {
    char *text = read_cases(files[i]);
    assert_true(run_cases(text, NULL) > 40);
    free(text);
  }
}

static void three_threads(void **unused) {
  (void)unused;
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  ingot__pool *pool;
  assert_int_equal(ingot__pool_create(&heap, 3, NULL, &pool), INGOT_OK);
  for (int i = 0; i < 3; i++) {
    char *text = read_cases(files[i]);
    assert_true(run_cases(text, pool) > 40);
    free(text);
  }
  ingot__pool_destroy(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_thread), cmocka_unit_test(three_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
