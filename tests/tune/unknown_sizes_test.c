/* Kernels of layers whose sizes depend on data aren't timed: the sizes that are made up for estimates don't fit from tensor to tensor.
 * INGOT_TEST_ASAN */
#include "testing.h"
#include "testing_networks.h"
#include <string.h>

enum { WIDE = 300 };
static const char text[] =
  "network {\ninput x: float32[N,300]\ninput first: int64[1]\ninput last: int64[1]\nconst axis: int64[1] = {0}\nconst step: int64[1] = {1}\n"
  "s = Slice(x, first, last, axis, step)\nc = Concat(s, s, s, s) {axis=0}\nt = Transpose(c) {perm=[1,0]}\ny = Concat(t, t) {axis=0}\n"
  "w = Add(x, x)\nz = Transpose(w) {perm=[1,0]}\noutput y\noutput z\n}\n";

static void sliced_by_data(void **state) {
  (void)state;
  ingot__network *network;
  ingot_config *config;
  ingot_engine *engine;
  ingot_context *context;
  const int64_t least[] = {1, WIDE}, best[] = {5, WIDE}, most[] = {9, WIDE}, first[] = {1}, last[] = {4}, one = 1;
  float x[5 * WIDE];
  for (int i = 0; i < 5 * WIDE; i++) x[i] = (float)i;
  assert_int_equal(ingot__network_parse(NULL, text, strlen(text), NULL, &network), INGOT_OK);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_profile(config, "x", 2, least, best, most), INGOT_OK);
  assert_int_equal(ingot_config_set_budget(config, 1), INGOT_OK);
  assert_int_equal(ingot_build(network, config, &engine), INGOT_OK);
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  assert_int_equal(ingot_context_set_input_shape(context, "x", 2, best), INGOT_OK);
  assert_int_equal(ingot_context_set_input_shape(context, "first", 1, &one), INGOT_OK);
  assert_int_equal(ingot_context_set_input_shape(context, "last", 1, &one), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "x", x), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "first", (void *)first), INGOT_OK);
  assert_int_equal(ingot_context_set_address(context, "last", (void *)last), INGOT_OK);
  assert_int_equal(ingot_context_run(context), INGOT_OK);
  const float *y = ingot_context_output(context, "y");
  for (int row = 0; row < 2 * WIDE; row++)
    for (int column = 0; column < 12; column++) assert_float_equal(y[row * 12 + column], x[(1 + column % 3) * WIDE + row % WIDE], 0);
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot__network_free(network);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sliced_by_data)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
