/* Conversions of random operators: the network's own take the shape as an input, and are told whether there is a seed. And of DFT's older form. */
#include "import/onnx/convert.h"

/* RandomNormal and RandomUniform, of a shape or like a tensor; ONNX's attributes of these names go straight into the row's. */
static ingot__node *emit(ingot__onnx_node *n, ingot__op op, ingot__value *shape, bool last) {
  return !shape ? NULL : last ? ingot__onnx_finish(n, op, &shape, 1) : ingot__onnx_emit(n, op, &shape, 1);
}

/* The type of the numbers: the attribute, or that of input 0; INGOT_UNDEFINED where that isn't known. */
static ingot_status read_type(ingot__onnx_node *n, int64_t *dtype) {
  INGOT_TRY(ingot__onnx_get_int(n, "dtype", n->n_in ? 0 : INGOT_FLOAT32, dtype));
  if (*dtype == 0 && n->n_in) *dtype = ingot__onnx_type(n, n->in[0])->dtype;
  return *dtype ? INGOT_OK : INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "takes its type from an input whose type isn't known");
}

ingot_status ingot__onnx_convert_random(ingot__onnx_node *n) {
  bool normal = ingot__text_is(n->pb->op, "RandomNormal") || ingot__text_is(n->pb->op, "RandomNormalLike"), given;
  bool like = ingot__text_is(n->pb->op, "RandomNormalLike") || ingot__text_is(n->pb->op, "RandomUniformLike");
  ingot__value *shape = NULL;
  ingot__ints dims;
  int64_t dtype;
  float seed, mean, scale, low, high;
  bool seeded = ingot__onnx_has(n, "seed");
  INGOT_TRY(ingot__onnx_inputs(n, like ? 1 : 0, like ? 1 : 0));
  INGOT_TRY(read_type(n, &dtype));
  INGOT_TRY(ingot__onnx_get_float(n, "seed", 0, &seed));
  if (like) {
    shape = ingot__onnx_unary(n, INGOT__OP_Shape, n->in[0]);
  } else {
    INGOT_TRY(ingot__onnx_get_ints(n, "shape", &dims, &given));
    if (!given) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'shape' is missing");
    shape = ingot__onnx_ints(n, dims.v, dims.n);
  }
  ingot__node *node = emit(n, normal ? INGOT__OP_RandomNormal : INGOT__OP_RandomUniform, shape, true);
  INGOT__ONNX_NEED(n, node);
  if (normal) {
    INGOT_TRY(ingot__onnx_get_float(n, "mean", 0, &mean));
    INGOT_TRY(ingot__onnx_get_float(n, "scale", 1, &scale));
    *(ingot__attrs_RandomNormal *)node->attrs =
        (ingot__attrs_RandomNormal){.dtype = dtype, .seed = seed, .seeded = seeded, .mean = mean, .scale = scale};
  } else {
    INGOT_TRY(ingot__onnx_get_float(n, "low", 0, &low));
    INGOT_TRY(ingot__onnx_get_float(n, "high", 1, &high));
    *(ingot__attrs_RandomUniform *)node->attrs =
        (ingot__attrs_RandomUniform){.dtype = dtype, .seed = seed, .seeded = seeded, .low = low, .high = high};
  }
  return INGOT_OK;
}

/* 1 where a number of [0, 1) is below p. */
ingot_status ingot__onnx_convert_bernoulli(ingot__onnx_node *n) {
  int64_t dtype;
  float seed;
  bool seeded = ingot__onnx_has(n, "seed");
  INGOT_TRY(ingot__onnx_inputs(n, 1, 1));
  INGOT_TRY(read_type(n, &dtype));
  INGOT_TRY(ingot__onnx_get_float(n, "seed", 0, &seed));
  ingot__node *random = emit(n, INGOT__OP_RandomUniform, ingot__onnx_unary(n, INGOT__OP_Shape, n->in[0]), false);
  ingot__node *p = ingot__onnx_emit(n, INGOT__OP_Cast, n->in, 1);
  INGOT__ONNX_NEED(n, random && p);
  *(ingot__attrs_RandomUniform *)random->attrs = (ingot__attrs_RandomUniform){.dtype = INGOT_FLOAT64, .seed = seed, .seeded = seeded, .high = 1};
  ((ingot__attrs_Cast *)p->attrs)->to = INGOT_FLOAT64;
  ingot__value *below = ingot__onnx_binary(n, INGOT__OP_Less, random->out[0], p->out[0]);
  INGOT__ONNX_NEED(n, below);
  ingot__node *cast = ingot__onnx_finish(n, INGOT__OP_Cast, &below, 1);
  INGOT__ONNX_NEED(n, cast);
  ((ingot__attrs_Cast *)cast->attrs)->to = dtype;
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_multinomial(ingot__onnx_node *n) {
  bool seeded = ingot__onnx_has(n, "seed");
  INGOT_TRY(ingot__onnx_straight(n, INGOT__OP_Multinomial));
  if (n->out[0]) ((ingot__attrs_Multinomial *)n->out[0]->producer->attrs)->seeded = seeded;
  return INGOT_OK;
}

/* Before 20 the axis was an attribute. */
ingot_status ingot__onnx_convert_dft(ingot__onnx_node *n) {
  int64_t axis;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 2));
  INGOT_TRY(ingot__onnx_get_int(n, "axis", 1, &axis));
  ingot__value *in[] = {n->in[0], INGOT__ONNX_IN(n, 1), ingot__onnx_int(n, axis)};
  INGOT__ONNX_NEED(n, in[2]);
  return ingot__onnx_build(n, INGOT__OP_DFT, in, 3);
}
