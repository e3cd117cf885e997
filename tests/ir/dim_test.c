/* Dims, against hand arithmetic, and against numbers put for the symbols. */
#include "ir/dim.h"
#include "testing.h"
#include <string.h>

typedef struct state { ingot__heap heap; ingot__arena arena; ingot__dims dims; } state;
static state s;

static int setup(void **unused) {
  (void)unused;
  ingot__heap_init(&s.heap, NULL);
  ingot__arena_init(&s.arena, &s.heap);
  ingot__dims_init(&s.dims, &s.arena);
  return 0;
}
static int teardown(void **unused) {
  (void)unused;
  ingot__arena_free(&s.arena);
  assert_int_equal(s.heap.used, 0);
  return 0;
}

static ingot__dim dim(const char *text) {
  const char *p = text;
  ingot__dim d = 0;
  assert_true(ingot__dim_parse(&s.dims, &p, text + strlen(text), &d));
  assert_int_equal(*p, 0);
  return d;
}

static void expect(const char *expression, const char *wanted) {
  char text[256];
  ingot__dim_text(&s.dims, dim(expression), text, sizeof text);
  assert_string_equal(text, wanted);
}

static void simplifies(void **unused) {
  (void)unused;
  expect("N+N", "N*2");
  expect("(N*4)/4", "N");
  expect("(N*8*C)/(N*8)", "C");
  expect("(N*8*C)/(N*4)", "C*2");
  expect("(2*N+2)/2", "N+1");
  expect("N-N", "0");
  expect("A+N-A", "N");
  expect("N*C-C*N", "0");
  expect("(N+1)*(N-1)", "N*N-1");
  expect("(N*N-1)/(N+1)", "N-1");
  expect("min(N,N)", "N");
  expect("max(N*2,N)", "N*2");
  expect("max(N,1)", "N");
  expect("max(N,0)", "N");
  expect("min(N,1)", "1");
  expect("min(min(N,8),8)", "min(N,8)");
  expect("min(min(N,8),4)", "min(N,4)");
  expect("min(8,N)", "min(N,8)");
  expect("(N*6)%3", "0");
  expect("(N*6+4)%3", "1");
  expect("(N*4)%6", "N*4%6");
  expect("N*C%C", "0");
  expect("N/1", "N");
  expect("N%1", "0");
  expect("0*N", "0");
  expect("N/N", "1");
  expect("(4*N+2)/8", "N/2"); /* floor((2N+1)/4): 2N+1 is odd, so the 1 never matters */
  expect("(N*4+3)/8", "N/2");
  expect("N/2/2", "N/4");
  expect("(N-1)/2+1", "(N+1)/2");
  expect("((N-1)/2+1-1)/2+1", "(N+3)/4"); /* two strided convolutions: floor((floor((N-1)/2))/2)+1 */
  expect("N*3/2", "N+N/2");
  expect("-N/2", "-N+N/2"); /* floor(-N/2) = floor(N/2) - N */
  expect("-N", "-N");
  expect("M-N*4", "M-N*4");
  expect("7/2", "3");
  expect("-7/2", "-4");
  expect("-7%3", "2");
  expect("7%-3", "-2");
  expect("N/(-1)", "-N");
  expect("\"a b\"*2", "\"a b\"*2");
  expect("\"min\"+\"N\"", "N+\"min\"");
  expect("?+1", "?");
  expect("N/0", "?");
  expect("C*(N/2)", "C*(N/2)");
  expect("M-(-N)/M", "M-((-N)/M)");
  expect("(N/M)*M", "M*(N/M)");
  expect("N/M/2", "N/M/2");
  expect("N%8/2", "N%8/2");
  expect("N%8%4", "N%4");
  expect("N%4%8", "N%4");
}

static void interns(void **unused) {
  (void)unused;
  assert_true(dim("N*4+M") == dim("M+2*N+2*N"));
  assert_true(ingot__dim_symbol(&s.dims, "N") == dim("N"));
  assert_true(dim("N") != dim("M"));
  int64_t n;
  assert_true(ingot__dim_value(NULL, ingot__dim_number(NULL, -1), &n));
  assert_int_equal(n, -1);
  assert_false(ingot__dim_value(&s.dims, dim("N"), &n));
  assert_false(ingot__dim_value(&s.dims, INGOT__DIM_UNKNOWN, &n));
  assert_true(ingot__dim_value(NULL, ingot__dim_number(NULL, INT64_MIN), &n) && n < -(INT64_MAX - 100000));
  assert_true(ingot__dim_value(NULL, INT64_MAX, &n) && n == INT64_MAX);
  assert_true(ingot__dim_sub(NULL, 3, 5) == ingot__dim_number(NULL, -2));
  assert_true(ingot__dim_add(NULL, INT64_MAX, 1) == INGOT__DIM_UNKNOWN);
  assert_true(ingot__dim_mul(NULL, INT64_MAX, 2) == INGOT__DIM_UNKNOWN);
  assert_true(ingot__dim_add(&s.dims, INGOT__DIM_UNKNOWN, 2) == INGOT__DIM_UNKNOWN);
  char text[4];
  assert_string_equal(ingot__dim_text(&s.dims, dim("N*123456"), text, sizeof text), "N*1");
}

static int64_t numbers[4];
static bool value(void *user, const char *symbol, int64_t *number) {
  (void)user;
  if (symbol[0] < 'A' || symbol[0] > 'D') return false;
  *number = numbers[symbol[0] - 'A'];
  return true;
}

static int64_t fdiv(int64_t a, int64_t b) { return a / b - (a % b && (a < 0) != (b < 0)); }

/* Random expressions, computed with numbers directly and through the simplified expression. */
static void evaluates_the_same(void **unused) {
  (void)unused;
  uint64_t r = 7;
#define NEXT(n) ((int64_t)((r = r * 6364136223846793005u + 1442695040888963407u) >> 33) % (n))
  size_t known = 0, total = 0;
  for (int round = 0; round < 4000; round++) {
    for (int i = 0; i < 4; i++) numbers[i] = 1 + NEXT(30);
    ingot__dim d[12];
    int64_t v[12];
    for (int i = 0; i < 4; i++) {
      char name[2] = {(char)('A' + i), 0};
      d[i] = ingot__dim_symbol(&s.dims, name);
      v[i] = numbers[i];
    }
    for (int i = 4; i < 12; i++) {
      int a = (int)NEXT(i), b = (int)NEXT(i);
      ingot__dim x = d[a], y = d[b];
      int64_t p = v[a], q = v[b];
      if (NEXT(3) == 0) y = ingot__dim_number(&s.dims, q = NEXT(12) - 4);
      switch (NEXT(7)) {
        case 0: d[i] = ingot__dim_add(&s.dims, x, y), v[i] = p + q; break;
        case 1: d[i] = ingot__dim_sub(&s.dims, x, y), v[i] = p - q; break;
        case 2: d[i] = ingot__dim_mul(&s.dims, x, y), v[i] = p * q; break;
        case 3:
        case 4:
          if (q == 0) d[i] = 5, v[i] = 5;
          else d[i] = ingot__dim_div(&s.dims, x, y), v[i] = fdiv(p, q);
          break;
        case 5:
          if (q == 0) d[i] = 5, v[i] = 5;
          else d[i] = ingot__dim_mod(&s.dims, x, y), v[i] = p - q * fdiv(p, q);
          break;
        default:
          if (NEXT(2)) d[i] = ingot__dim_min(&s.dims, x, y), v[i] = p < q ? p : q;
          else d[i] = ingot__dim_max(&s.dims, x, y), v[i] = p > q ? p : q;
      }
      if (v[i] > 1000000 || v[i] < -1000000) d[i] = 1, v[i] = 1;
      int64_t got;
      total++;
      if (d[i] == INGOT__DIM_UNKNOWN) {
        d[i] = 1, v[i] = 1;
        continue;
      }
      char text[2048];
      ingot__dim_text(&s.dims, d[i], text, sizeof text);
      if (!ingot__dim_evaluate(&s.dims, d[i], value, NULL, &got)) {
        d[i] = 1, v[i] = 1; /* a divisor that the assumption rules out is 0 */
        continue;
      }
      known++;
      if (got != v[i]) {
        fail_msg("A=%d B=%d C=%d D=%d: %s = %d, not %d", (int)numbers[0], (int)numbers[1], (int)numbers[2], (int)numbers[3], text, (int)got,
                 (int)v[i]);
      }
      if (strlen(text) + 1 < sizeof text) {
        const char *p = text;
        ingot__dim again = 0;
        assert_true(ingot__dim_parse(&s.dims, &p, text + strlen(text), &again));
        assert_true(again == d[i]);
      }
    }
  }
  assert_true(known > total * 9 / 10);
}

static void limits(void **unused) {
  (void)unused;
  ingot__dim d = ingot__dim_symbol(&s.dims, "N");
  for (int i = 0; i < 5000 && d != INGOT__DIM_UNKNOWN; i++) { /* deeper and deeper */
    d = ingot__dim_min(&s.dims, ingot__dim_div(&s.dims, d, ingot__dim_symbol(&s.dims, "M")), ingot__dim_symbol(&s.dims, "K"));
  }
  assert_true(d == INGOT__DIM_UNKNOWN);
  ingot__dim sum = 0;
  for (int i = 0; i < 1000; i++) {
    char name[16];
    snprintf(name, sizeof name, "s%d", i);
    sum = ingot__dim_add(&s.dims, sum, ingot__dim_symbol(&s.dims, name));
  }
  assert_true(sum == INGOT__DIM_UNKNOWN);
  for (int i = 0; i < INGOT__MAX_DIMS + 10; i++) {
    char name[16];
    snprintf(name, sizeof name, "t%d", i);
    d = ingot__dim_symbol(&s.dims, name);
  }
  assert_true(d == INGOT__DIM_UNKNOWN);
  assert_false(s.dims.failed);
}

static void parses_no_garbage(void **unused) {
  (void)unused;
  static const char *const bad[] = {"", "+", "N+", "(N", "min(N", "min(N)", "99999999999999999999", "\"a", "N**2", ")", "\"\\x0\""};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *p = bad[i];
    ingot__dim d;
    assert_false(ingot__dim_parse(&s.dims, &p, p + strlen(p), &d));
  }
  char deep[1000];
  memset(deep, '(', sizeof deep);
  const char *p = deep;
  ingot__dim d;
  assert_false(ingot__dim_parse(&s.dims, &p, deep + sizeof deep, &d));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(simplifies, setup, teardown),
    cmocka_unit_test_setup_teardown(interns, setup, teardown),
    cmocka_unit_test_setup_teardown(evaluates_the_same, setup, teardown),
    cmocka_unit_test_setup_teardown(limits, setup, teardown),
    cmocka_unit_test_setup_teardown(parses_no_garbage, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
