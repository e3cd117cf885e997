/* Small networks for tests of the whole: as text, and built into engines through the public calls. */
#ifndef INGOT_TESTING_NETWORKS_H
#define INGOT_TESTING_NETWORKS_H
#include "ir/network.h"

/* Convolutions with an epilogue, a depthwise one, pooling, a concatenation in place, resizing, softmax; free height and width. */
#define TESTING_IMAGE_NETWORK \
  "network {\n" \
  "input x: float32[1,3,H,W]\n" \
  "const w1: float32[16,3,3,3] = random(1)\nconst b1: float32[16] = random(2)\n" \
  "const w2: float32[16,1,3,3] = random(3)\nconst w3: float32[8,32,1,1] = random(4)\n" \
  "c1 = Conv(x, w1, b1) {pads=[1,1,1,1]}\nr1 = Relu(c1)\n" \
  "d = Conv(r1, w2) {pads=[1,1,1,1] group=16}\ne = Sigmoid(d)\nf = Mul(d, e)\n" \
  "g = Concat(r1, f) {axis=1}\n" \
  "h = Conv(g, w3)\np = MaxPool(h) {kernel_shape=[2,2] strides=[2,2]}\n" \
  "y = Softmax(p) {axis=1}\noutput y\n}\n"

static inline ingot_status testing_engine(const ingot_env *env, const char *text, int height, int width, int threads, ingot_engine **engine) {
  ingot__network *network;
  ingot_config *config;
  ingot_status status = ingot__network_parse(env, text, strlen(text), NULL, &network);
  if (status != INGOT_OK) return status;
  status = ingot_config_create(env, &config);
  if (status == INGOT_OK) {
    const int64_t least[] = {1, 3, 2, 2}, best[] = {1, 3, height, width}, most[] = {1, 3, 4 * height, 4 * width};
    status = ingot_config_set_profile(config, "x", 4, least, best, most);
    if (status == INGOT_OK) status = ingot_config_set_threads(config, threads);
    if (status == INGOT_OK) status = ingot_config_set_budget(config, 0);
    if (status == INGOT_OK) status = ingot_build(network, config, engine);
    ingot_config_destroy(config);
  }
  ingot__network_free(network);
  return status;
}
#endif
