/* Checked sizes, the heap's count and limit, arenas; every allocation failing in turn. INGOT_TEST_ASAN */
#include "testing.h"

static void sizes_are_checked(void **state) {
  (void)state;
  size_t n = 5;
  assert_true(ingot__add(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
  assert_false(ingot__add(SIZE_MAX, 1, &n));
  assert_true(ingot__mul(SIZE_MAX / 3, 3, &n));
  assert_false(ingot__mul(SIZE_MAX / 2 + 1, 2, &n));
  assert_true(ingot__mul(0, SIZE_MAX, &n) && n == 0);
  assert_int_equal(ingot__align(0, 64), 0);
  assert_int_equal(ingot__align(1, 64), 64);
  assert_int_equal(ingot__align(64, 64), 64);
}

static void heap_counts(void **state) {
  (void)state;
  testing_allocator a;
  testing_allocator_init(&a);
  ingot_env env = {.allocator = &a.allocator, .memory_limit = 1000};
  ingot__heap heap;
  ingot__heap_init(&heap, &env);
  void *p = ingot__alloc(&heap, 600), *q = ingot__alloc(&heap, 0);
  assert_non_null(p);
  assert_non_null(q);
  assert_int_equal((uintptr_t)p % 64, 0);
  assert_int_equal(heap.used, 601);
  assert_null(ingot__alloc(&heap, 400)); /* over the limit, and it isn't even asked for */
  assert_int_equal(a.count, 2);
  assert_int_equal(heap.used, 601);
  void *r = ingot__alloc(&heap, 399);
  assert_non_null(r);
  assert_null(ingot__alloc(&heap, SIZE_MAX));
  assert_null(ingot__alloc(&heap, PTRDIFF_MAX));
  assert_null(ingot__calloc(&heap, SIZE_MAX / 2, 3));
  ingot__free(&heap, r, 399);
  unsigned char *z = ingot__calloc(&heap, 13, 7);
  assert_non_null(z);
  for (int i = 0; i < 91; i++) assert_int_equal(z[i], 0); /* the test's allocator fills what it gives */
  ingot__free(&heap, z, 91);
  ingot__free(&heap, p, 600);
  ingot__free(&heap, q, 0);
  ingot__free(&heap, NULL, 77);
  assert_int_equal(heap.used, 0);
  assert_int_equal(a.live, 0);
  assert_int_equal(a.bytes, 0);
}

static void arena_keeps_everything(void **state) {
  (void)state;
  testing_allocator a;
  testing_allocator_init(&a);
  ingot_env env = {.allocator = &a.allocator};
  ingot__heap heap;
  ingot__heap_init(&heap, &env);
  ingot__arena arena;
  ingot__arena_init(&arena, &heap);
  unsigned char *p[500];
  uint64_t random = 3;
  size_t size[500];
  for (int i = 0; i < 500; i++) {
    size[i] = (size_t)(testing_random(&random) * (i % 50 == 0 ? 3e6 : 900));
    p[i] = ingot__arena_alloc(&arena, size[i]);
    assert_non_null(p[i]);
    assert_int_equal((uintptr_t)p[i] % 16, 0);
    for (size_t k = 0; k < size[i]; k++) assert_int_equal(p[i][k], 0);
    memset(p[i], i & 255, size[i]);
  }
  for (int i = 0; i < 500; i++)
    for (size_t k = 0; k < size[i]; k++)
      if (p[i][k] != (i & 255)) fail_msg("block %d changed", i);
  assert_true(a.live < 120); /* many to a block */
  assert_null(ingot__arena_alloc(&arena, SIZE_MAX));
  assert_null(ingot__arena_alloc(&arena, SIZE_MAX - 8));
  assert_null(ingot__arena_array(&arena, SIZE_MAX / 4, 5));
  assert_null(ingot__arena_stringn(&arena, "", SIZE_MAX));
  ingot__arena_free(&arena);
  assert_int_equal(a.live, 0);
  assert_int_equal(heap.used, 0);
  assert_non_null(ingot__arena_alloc(&arena, 1)); /* and it can be used again */
  ingot__arena_free(&arena);
  ingot__arena_free(&arena);
}

static void arena_texts(void **state) {
  (void)state;
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  ingot__arena arena;
  ingot__arena_init(&arena, &heap);
  char long_text[20001];
  memset(long_text, 'x', 20000);
  long_text[20000] = 0;
  assert_string_equal(ingot__arena_string(&arena, "abc"), "abc");
  assert_null(ingot__arena_string(&arena, NULL));
  assert_string_equal(ingot__arena_stringn(&arena, "abcdef", 3), "abc");
  assert_string_equal(ingot__arena_stringn(&arena, NULL, 0), "");
  assert_string_equal(ingot__arena_printf(&arena, "%d%s", 12, "ab"), "12ab");
  assert_string_equal(ingot__arena_printf(&arena, "%s", long_text), long_text);
  assert_memory_equal(ingot__arena_copy(&arena, "1234", 4), "1234", 4);
  assert_non_null(ingot__arena_copy(&arena, NULL, 0));
  ingot__arena_free(&arena);
}

static ingot_status use_arena(const ingot_env *env, void *user) {
  (void)user;
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot__arena arena;
  ingot__arena_init(&arena, &heap);
  int *list = NULL;
  size_t capacity = 0, n = 0;
  ingot_status status = INGOT_OK;
  while (n < 5000) {
    if (!ingot__arena_grow(&arena, (void **)&list, &capacity, n + 1, sizeof *list)) {
      status = INGOT_E_MEMORY; /* what there was is still there */
      break;
    }
    list[n] = (int)n;
    n++;
  }
  for (size_t i = 0; i < n; i++) assert_int_equal(list[i], i);
  assert_true(capacity >= n);
  ingot__arena_free(&arena);
  assert_int_equal(heap.used, 0);
  return status;
}
static void allocations_fail(void **state) {
  (void)state;
  assert_true(testing_fail_each(use_arena, NULL, 0) > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_are_checked), cmocka_unit_test(heap_counts), cmocka_unit_test(arena_keeps_everything), cmocka_unit_test(arena_texts),
    cmocka_unit_test(allocations_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
