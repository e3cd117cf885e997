/* Engine files: what is saved is what is loaded; damaged, hostile and misplaced files are refused in order. INGOT_TEST_ASAN INGOT_TEST_ALL_ISAS
 * INGOT_TEST_SECONDS 240 */
#include "api/small_network.h"
#include "engine/format.h"
#define XXH_INLINE_ALL
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <xxhash.h>

static void quiet(void *user, ingot_severity severity, const char *text) {
  (void)severity, (void)text;
  if (user) ++*(int *)user;
}
static const ingot_env silent = {.log = quiet};

typedef struct bytes { unsigned char *data; size_t size; } bytes;

/* The small network's engine as a file's bytes; free(data). */
static bytes engine_bytes(void) {
  ingot_engine *engine = NULL;
  void *data = NULL;
  bytes b = {0};
  assert_int_equal(small_build(&silent, 0, false, &engine), INGOT_OK);
  assert_int_equal(ingot_engine_serialize(engine, &data, &b.size), INGOT_OK);
  b.data = malloc(b.size);
  memcpy(b.data, data, b.size);
  ingot_blob_free(engine, data, b.size);
  ingot_engine_destroy(engine);
  return b;
}

static void results(ingot_engine *engine, float *y, float *l) {
  ingot_context *context = NULL;
  float x[2 * SMALL_IN];
  small_input(x, 2, 77);
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  assert_int_equal(small_run(context, 2, x, true, y, l), INGOT_OK);
  ingot_context_destroy(context);
}

static void round_trip(void **state) {
  (void)state;
  ingot_engine *built = NULL, *loaded = NULL, *reference = NULL;
  float y[3][2 * SMALL_OUT], l[3][2 * SMALL_OUT];
  const char *path = testing_file("old", 3);
  assert_int_equal(small_build(&silent, 0.05, false, &built), INGOT_OK);
  assert_int_equal(ingot_engine_save(built, path), INGOT_OK);
  assert_int_equal(ingot_engine_load(&silent, path, &loaded), INGOT_OK);
  testing_file_remove(path); /* mapped: the name isn't needed any more */
  assert_int_equal(small_build(&silent, 0, true, &reference), INGOT_OK);
  results(built, y[0], l[0]);
  results(loaded, y[1], l[1]);
  results(reference, y[2], l[2]);
  assert_memory_equal(y[0], y[1], sizeof y[0]);
  assert_memory_equal(l[0], l[1], sizeof l[0]);
  for (int i = 0; i < 2 * SMALL_OUT; i++) {
    assert_true(testing_close(y[0][i], y[2][i], 1e-4, 1e-6));
    assert_true(testing_close(l[0][i], l[2][i], 1e-4, 1e-6));
  }
  ingot_engine_destroy(built);
  ingot_engine_destroy(loaded);
  ingot_engine_destroy(reference);
}

/* Loads, and runs what loads: neither may crash. */
static ingot_status try_bytes(const unsigned char *data, size_t size) {
  ingot_engine *engine = NULL;
  ingot_context *context = NULL;
  ingot_env env = {.log = quiet, .memory_limit = 64 << 20};
  float x[2 * SMALL_IN], y[2 * SMALL_OUT], l[2 * SMALL_OUT];
  ingot_status status = ingot_engine_load_memory(&env, data, size, &engine);
  if (status != INGOT_OK) {
    assert_null(engine);
    assert_true(strlen(ingot_last_error()) > 0);
    return status;
  }
  small_input(x, 2, 1);
  if (ingot_context_create(engine, &(ingot_context_options){.threads = 1}, &context) == INGOT_OK) small_run(context, 1, x, true, y, l);
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
  return status;
}

static void cut_short(void **state) {
  (void)state;
  bytes b = engine_bytes();
  for (int percent = 0; percent < 100; percent++) assert_int_not_equal(try_bytes(b.data, b.size * (size_t)percent / 100), INGOT_OK);
  assert_int_not_equal(try_bytes(b.data, b.size - 1), INGOT_OK);
  assert_int_equal(try_bytes(b.data, b.size), INGOT_OK);
  free(b.data);
}

static void flipped_bits(void **state) {
  (void)state;
  bytes b = engine_bytes();
  uint64_t random = 3;
  for (int i = 0; i < 400; i++) {
    size_t at = (size_t)(testing_random(&random) * (double)b.size);
    unsigned char bit = (unsigned char)(1u << (i % 8));
    b.data[at] ^= bit;
    assert_int_not_equal(try_bytes(b.data, b.size), INGOT_OK);
    b.data[at] ^= bit;
  }
  free(b.data);
}

static void sign(bytes b) { /* what a hostile file would do */
  ingot__engine_head head;
  memcpy(&head, b.data, sizeof head);
  head.description_hash = XXH3_64bits(b.data + sizeof head, head.description_size);
  head.blobs_hash = XXH3_64bits(b.data + head.blobs_offset, b.size - head.blobs_offset);
  head.head_hash = XXH3_64bits(&head, sizeof head - 8);
  memcpy(b.data, &head, sizeof head);
}

/* Every byte of the description changed in several ways, with checksums that fit. What a change means may be harmless, and then the engine
 * runs; it must not crash, hang or take memory without bound. */
static void hostile(void **state) {
  (void)state;
  bytes b = engine_bytes(), copy = {malloc(b.size), b.size};
  ingot__engine_head head;
  static const unsigned char mask[] = {0x01, 0x80, 0xff};
  memcpy(&head, b.data, sizeof head);
  size_t refused = 0;
  for (size_t at = sizeof head; at < sizeof head + head.description_size; at++) {
    memcpy(copy.data, b.data, b.size);
    copy.data[at] ^= mask[at % 3];
    sign(copy);
    refused += try_bytes(copy.data, copy.size) != INGOT_OK;
  }
  assert_true(refused > head.description_size / 4);
  free(copy.data);
  free(b.data);
}

static void other_files(void **state) {
  (void)state;
  ingot_engine *engine = NULL;
  bytes b = engine_bytes();
  assert_int_equal(ingot_engine_load(NULL, "/nonexistent/x.ingot", &engine), INGOT_E_IO);
  assert_int_equal(ingot_engine_load(NULL, "/", &engine), INGOT_E_IO);
  assert_int_equal(ingot_engine_load(NULL, "/dev/null", &engine), INGOT_E_IO);
  const char *path = testing_file("no engine at all, but long enough to have a head of sixty-four bytes", 68);
  assert_int_equal(ingot_engine_load(NULL, path, &engine), INGOT_E_FORMAT);
  assert_non_null(strstr(ingot_last_error(), path));
  testing_file_remove(path);
  ingot__engine_head head;
  memcpy(&head, b.data, sizeof head);
  head.version = 99;
  head.head_hash = XXH3_64bits(&head, sizeof head - 8);
  memcpy(b.data, &head, sizeof head);
  assert_int_equal(try_bytes(b.data, b.size), INGOT_E_UNSUPPORTED);
  assert_non_null(strstr(ingot_last_error(), "99"));
  free(b.data);
}

static size_t files_in(const char *path_prefix) {
  char command[512];
  snprintf(command, sizeof command, "ls %s* 2>/dev/null | wc -l", path_prefix);
  FILE *p = popen(command, "r");
  unsigned n = 0;
  assert_int_equal(fscanf(p, "%u", &n), 1);
  pclose(p);
  return n;
}

/* A disk that fills up: the old file stays, nothing else does. */
static void full_disk(void **state) {
  (void)state;
  ingot_engine *engine = NULL;
  const char *path = testing_file("old", 3);
  assert_int_equal(small_build(&silent, 0, false, &engine), INGOT_OK);
  struct rlimit before, low;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  low = before;
  low.rlim_cur = 2000;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
  ingot_status status = ingot_engine_save(engine, path);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(status, INGOT_E_IO);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_size, 3);
  assert_int_equal(files_in(path), 1);
  assert_int_equal(ingot_engine_save(engine, "/nonexistent/x.ingot"), INGOT_E_IO);
  testing_file_remove(path);
  ingot_engine_destroy(engine);
}

/* Made for one instruction set, run on narrower ones: other kernels, said, the same results. */
static void other_processors(void **state) {
  (void)state;
  int best = (int)ingot__cpu_info()->isa;
  bytes b = engine_bytes();
  float y[2 * SMALL_OUT], l[2 * SMALL_OUT], first_y[2 * SMALL_OUT] = {0}, first_l[2 * SMALL_OUT] = {0};
  for (int isa = best; isa >= 0; isa--) {
    int words = 0;
    ingot_env env = {.log = quiet, .log_user = &words, .log_level = INGOT_LOG_WARNING};
    ingot_engine *engine = NULL;
    ingot__cpu_force((ingot__isa)isa);
    assert_int_equal(ingot_engine_load_memory(&env, b.data, b.size, &engine), INGOT_OK);
    assert_int_equal(words, isa < best ? 1 : 0);
    results(engine, isa == best ? first_y : y, isa == best ? first_l : l);
    for (int i = 0; isa < best && i < 2 * SMALL_OUT; i++) {
      assert_true(testing_close(y[i], first_y[i], 1e-4, 1e-6));
      assert_true(testing_close(l[i], first_l[i], 1e-4, 1e-6));
    }
    ingot_engine_destroy(engine);
  }
  ingot__cpu_force((ingot__isa)best);
  free(b.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(cut_short), cmocka_unit_test(flipped_bits),
                                     cmocka_unit_test(hostile), cmocka_unit_test(other_files), cmocka_unit_test(full_disk),
                                     cmocka_unit_test(other_processors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
