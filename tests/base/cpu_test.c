/* What the CPU is said to have against what the compiler's own detection and the kernel say. */
#define _GNU_SOURCE
#include "testing.h"
#include <sched.h>

static void features_agree(void **state) {
  (void)state;
  const ingot__cpu *cpu = ingot__cpu_info();
  assert_ptr_equal(cpu, ingot__cpu_info());
  ingot__isa now = cpu->isa;
  ingot__cpu_force(INGOT__ISA_AVX512); /* at most what there is */
  ingot__isa best = cpu->isa;
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
  assert_int_equal(best, avx512 ? INGOT__ISA_AVX512 : avx2 ? INGOT__ISA_AVX2 : INGOT__ISA_PORTABLE);
  assert_int_equal(cpu->avx512_vnni, avx512 && __builtin_cpu_supports("avx512vnni"));
#else
  assert_int_equal(best, INGOT__ISA_PORTABLE);
#endif
  ingot__cpu_force(now);
  assert_int_equal(cpu->isa, now);
}

static void environment_lowers(void **state) {
  (void)state;
  const char *wanted = getenv("INGOT_ISA");
  if (wanted)
    for (int i = 0; i < INGOT__ISA_COUNT; i++)
      if (!strcmp(wanted, ingot__isa_name((ingot__isa)i))) assert_true((int)ingot__cpu_info()->isa <= i);
}

static void sizes_are_sane(void **state) {
  (void)state;
  const ingot__cpu *cpu = ingot__cpu_info();
  cpu_set_t set;
  assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
  assert_true(cpu->cores >= 1 && cpu->cores <= CPU_COUNT(&set));
  assert_true(cpu->l1d >= 8 << 10 && cpu->l1d <= 1 << 20);
  assert_true(cpu->l2 >= 64 << 10 && cpu->l2 <= 64 << 20);
  assert_true(cpu->l3 >= 256 << 10);
  assert_true(strlen(cpu->model) > 0);
}

static void levels_have_names(void **state) {
  (void)state;
  assert_string_equal(ingot__isa_name(INGOT__ISA_PORTABLE), "portable");
  assert_string_equal(ingot__isa_name(INGOT__ISA_AVX2), "avx2");
  assert_string_equal(ingot__isa_name(INGOT__ISA_AVX512), "avx512");
  assert_string_equal(ingot__isa_name((ingot__isa)9), "unknown");
}

static void loops_over_levels(void **state) {
  (void)state;
  ingot__isa best = ingot__cpu_info()->isa;
  int n = 0;
  for (TESTING_EACH_ISA(isa)) {
    assert_int_equal(ingot__cpu_info()->isa, isa);
    assert_int_equal(isa, n++);
  }
  assert_int_equal(n, best + 1);
  assert_int_equal(ingot__cpu_info()->isa, best);
}

int main(void) { /* INGOT_TEST_ALL_ISAS */
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(features_agree), cmocka_unit_test(environment_lowers), cmocka_unit_test(sizes_are_sane), cmocka_unit_test(levels_have_names),
    cmocka_unit_test(loops_over_levels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
