/* The memory planner: blocks that live at the same time never overlap, offsets are aligned, and the slab is no larger than it has to be
 * in cases whose best is known. */
#include "testing.h"
#include "runtime/state.h"

enum { MOST = 200 };

static size_t end_of(const ingot__block *b) { return b->offset + ingot__align(b->size, 64); }

static void check(const ingot__block *block, size_t n, size_t total) {
  size_t peak = 0;
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(block[i].offset % 64, 0);
    assert_true(end_of(&block[i]) <= total);
    size_t alive = 0;
    for (size_t j = 0; j < n; j++) {
      bool together = block[j].first <= block[i].last && block[i].first <= block[j].last;
      if (together && j != i && block[i].size && block[j].size)
        assert_true(end_of(&block[i]) <= block[j].offset || end_of(&block[j]) <= block[i].offset);
      if (block[j].first <= block[i].first && block[j].last >= block[i].first) alive += ingot__align(block[j].size, 64);
    }
    if (alive > peak) peak = alive;
  }
  assert_true(total >= peak);
  assert_true(total <= 2 * peak); /* greedy by size */
}

static void random_lifetimes(void **state) {
  (void)state;
  uint64_t random = 21;
  ingot__block block[MOST];
  uint32_t order[MOST];
  for (int round = 0; round < 300; round++) {
    size_t n = 1 + (size_t)(testing_random(&random) * (MOST - 1));
    for (size_t i = 0; i < n; i++) {
      uint32_t first = (uint32_t)(testing_random(&random) * 100), length = (uint32_t)(testing_random(&random) * (round % 2 ? 5 : 40));
      size_t size = (size_t)(testing_random(&random) * (round % 3 ? 100000 : 200));
      block[i] = (ingot__block){.size = i % 17 ? size : 0, .first = first, .last = first + length};
    }
    check(block, n, ingot__memory_plan(block, n, INGOT__HOST, order));
  }
}

static void known_best(void **state) {
  (void)state;
  uint32_t order[8];
  ingot__block chain[6]; /* a chain of layers: two buffers in turn */
  for (uint32_t i = 0; i < 6; i++) chain[i] = (ingot__block){.size = 640, .first = i, .last = i + 1};
  assert_int_equal(ingot__memory_plan(chain, 6, INGOT__HOST, order), 1280);
  ingot__block apart[3] = {{.size = 100, .first = 0, .last = 0}, {.size = 64, .first = 1, .last = 1}, {.size = 10, .first = 2, .last = 9}};
  assert_int_equal(ingot__memory_plan(apart, 3, INGOT__HOST, order), 128);
  assert_int_equal(ingot__memory_plan(apart, 0, INGOT__HOST, order), 0);
  ingot__block huge[2] = {{.size = SIZE_MAX - 8, .first = 0, .last = 1}, {.size = 64, .first = 0, .last = 1}};
  assert_true(ingot__memory_plan(huge, 2, INGOT__HOST, order) == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_lifetimes), cmocka_unit_test(known_best)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
