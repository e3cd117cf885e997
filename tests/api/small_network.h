/* A small network with a bit of everything, and what the tests of the public interface do with it. */
#ifndef INGOT_TESTS_API_SMALL_NETWORK_H
#define INGOT_TESTS_API_SMALL_NETWORK_H
#include "testing.h"
#include "ingot/ingot.h"
#include "ir/network.h"
#include "ops/ops.h"

/* Convolutions, a residual, pooling, a concatenation in place, a matrix product, softmax, an If, a Loop; the batch is free. */
static const char small_network_text[] =
    "network {\n"
    "  input x: float32[N,3,8,8]\n"
    "  input flag: bool[]\n"
    "  const w1: float32[16,3,3,3] = random(1)\n"
    "  const b1: float32[16] = random(2)\n"
    "  const w2: float32[16,16,1,1] = random(3)\n"
    "  const w3: float32[8,16,3,3] = random(4)\n"
    "  c1 = Conv(x, w1, b1) {pads=[1, 1, 1, 1]}\n"
    "  r1 = Relu(c1)\n"
    "  c2 = Conv(r1, w2)\n"
    "  s = Add(c2, r1)\n"
    "  r2 = Relu(s)\n"
    "  c3 = Conv(r2, w3) {pads=[1, 1, 1, 1]}\n"
    "  cat = Concat(r2, c3) {axis=1}\n"
    "  p = MaxPool(cat) {kernel_shape=[2, 2] strides=[2, 2]}\n"
    "  g = GlobalAveragePool(p)\n"
    "  f = Flatten(g)\n"
    "  const w: float32[24,10] = random(5)\n"
    "  m = MatMul(f, w)\n"
    "  y = Softmax(m)\n"
    "  z = If(flag) {then_branch={\n"
    "    t = Add(y, y)\n"
    "    output t\n"
    "  } else_branch={\n"
    "    e = Neg(y)\n"
    "    output e\n"
    "  }}\n"
    "  const trips: int64[] = {3}\n"
    "  const go: bool[] = {1}\n"
    "  l = Loop(trips, go, z) {body={\n"
    "    input i: int64[]\n"
    "    input c: bool[]\n"
    "    input v: float32[*]\n"
    "    u = Add(v, v)\n"
    "    k = Identity(c)\n"
    "    output k\n"
    "    output u\n"
    "  }}\n"
    "  output y\n"
    "  output l\n"
    "}\n";

static inline ingot_status small_network(const ingot_env *env, ingot_network **network) {
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot_status status = ingot__network_parse(env, small_network_text, sizeof small_network_text - 1, &diag, network);
  if (status != INGOT_OK) return status;
  status = ingot__infer_network(*network, &diag);
  if (status != INGOT_OK) ingot_network_destroy(*network);
  return status;
}

enum { SMALL_IN = 3 * 8 * 8, SMALL_OUT = 10 };

static inline void small_input(float *x, int batch, uint64_t seed) {
  uint64_t state = seed;
  for (int i = 0; i < batch * SMALL_IN; i++) x[i] = (float)(2 * testing_random(&state) - 1);
}

/* Runs an engine of it; y and l take batch * SMALL_OUT floats. */
static inline ingot_status small_run(ingot_context *context, int batch, const float *x, bool flag, float *y, float *l) {
  int64_t dims[4] = {batch, 3, 8, 8};
  INGOT_TRY(ingot_context_set_input_shape(context, "x", 4, dims));
  INGOT_TRY(ingot_context_set_address(context, "x", (void *)(uintptr_t)x));
  INGOT_TRY(ingot_context_set_address(context, "flag", &flag));
  INGOT_TRY(ingot_context_set_address(context, "y", y));
  INGOT_TRY(ingot_context_set_address(context, "l", l));
  return ingot_context_run(context);
}

static inline ingot_status small_build(const ingot_env *env, double budget, bool reference, ingot_engine **engine) {
  ingot_network *network = NULL;
  ingot_config *config = NULL;
  INGOT_TRY(small_network(env, &network));
  ingot_status status = ingot_config_create(env, &config);
  if (status == INGOT_OK) status = ingot_config_set_budget(config, budget);
  if (status == INGOT_OK) status = ingot_config_set_threads(config, 2);
  if (status == INGOT_OK) status = reference ? ingot_build_reference(network, config, engine) : ingot_build(network, config, engine);
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  return status;
}
#endif
