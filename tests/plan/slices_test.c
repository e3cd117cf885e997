/* What a kernel that takes no slices costs beside its own time: the copy of a value that goes into a Concat, or comes out of a Split. */
#include "testing.h"
#include "testing_networks.h"
#include "backend/backend.h"
#include "engine/engine.h"
#include "plan/plan.h"

#define NETWORK \
  "network {\ninput x: float32[2,16,9,9]\n" \
  "const w: float32[16,16,3,3] = random(1)\nconst w2: float32[8,32,1,1] = random(2)\nconst w3: float32[16,8,1,1] = random(3)\n" \
  "a = Conv(x, w) {pads=[1,1,1,1]}\nb = Conv(a, w) {pads=[1,1,1,1]}\nc = Concat(a, b) {axis=1}\nd = Conv(c, w2)\n" \
  "y = Conv(d, w3)\noutput y\n}\n"

static ingot_engine *built(void) {
  ingot__network *network;
  ingot_config *config;
  ingot_engine *engine = NULL;
  assert_int_equal(ingot__network_parse(NULL, NETWORK, strlen(NETWORK), NULL, &network), INGOT_OK);
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_build_reference(network, config, &engine), INGOT_OK); /* its network is as it was given */
  ingot_config_destroy(config);
  ingot__network_free(network);
  return engine;
}

static const ingot__node *made_by(const ingot_engine *e, const char *name) {
  for (const ingot__node *n = e->network->main->first; n; n = n->next)
    if (n->out[0] && !strcmp(n->out[0]->name, name)) return n;
  fail_msg("there is no %s", name);
  return NULL;
}

static double seconds(const ingot_engine *e, const char *value, const char *kernel) {
  const ingot__planner p = {.engine = (ingot_engine *)e};
  const ingot__kernel *k = ingot__cuda_backend.find(kernel);
  assert_non_null(k);
  return ingot__plan_slice_seconds(&p, made_by(e, value), k, INGOT__CHANNELS_LAST, INGOT__CHANNELS_LAST);
}

static void concats(void **state) {
  (void)state;
  ingot_engine *e = built();
  const double copy = ingot__plan_copy_seconds(&(ingot__planner){.engine = e}, made_by(e, "a")->out[0]);
  assert_true(copy > 1e-6);
  assert_true(seconds(e, "a", "cuda_cudnn_conv") == copy);     /* a goes into c */
  assert_true(seconds(e, "b", "cuda_cudnn_conv") == 2 * copy); /* b, too, and it reads a there */
  assert_true(seconds(e, "d", "cuda_cudnn_conv") == 0);        /* it reads the whole */
  assert_true(seconds(e, "y", "cuda_cudnn_conv") == 0);
  for (const char *const *v = (const char *const[]){"a", "b", "d", "y", NULL}; *v; v++) assert_true(seconds(e, *v, "cuda_conv_wgmma_64x64") == 0);
  ingot_engine_destroy(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(concats)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
