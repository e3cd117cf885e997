/* Conversions to Resize: Upsample and Resize before 11, which number pixels by their corners ("asymmetric", rounding down). */
#include "import/onnx/convert.h"

static ingot__value *floats(ingot__onnx_node *n, const float *v, size_t count) {
  ingot__literal l = {.dtype = INGOT_FLOAT32, .rank = 1, .dim = {(int64_t)count}, .bytes = count * sizeof *v};
  l.data = ingot__arena_copy(n->o->arena, v, l.bytes);
  return l.data ? ingot__onnx_constant(n, "scales", &l) : NULL;
}

/* Resize(X, scales) with the corners' coordinates. */
static ingot_status by_corners(ingot__onnx_node *n, ingot__value *scales) {
  const char *mode;
  INGOT_TRY(ingot__onnx_get_string(n, "mode", "nearest", &mode));
  if (strcmp(mode, "bilinear") == 0) mode = "linear";
  if (strcmp(mode, "nearest") != 0 && strcmp(mode, "linear") != 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "mode '%.40s'", mode);
  ingot__value *in[] = {n->in[0], NULL, scales};
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Resize, in, 3);
  INGOT__ONNX_NEED(n, node);
  ingot__attrs_Resize *a = node->attrs;
  a->mode = mode;
  a->coordinate_transformation_mode = "asymmetric";
  a->nearest_mode = "floor";
  return ingot__onnx_set_attrs(n, INGOT__OP_Resize, a);
}

ingot_status ingot__onnx_convert_upsample(ingot__onnx_node *n) {
  ingot__floats scales;
  bool given;
  float height, width;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 2));
  if (n->n_in == 2) return by_corners(n, n->in[1]); /* from 9 on */
  INGOT_TRY(ingot__onnx_get_floats(n, "scales", &scales, &given));
  INGOT_TRY(ingot__onnx_get_float(n, "height_scale", 1, &height)); /* before 7 */
  INGOT_TRY(ingot__onnx_get_float(n, "width_scale", 1, &width));
  const float of_image[] = {1, 1, height, width};
  if (!given && n->version >= 7) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'scales' is missing");
  ingot__value *value = given ? floats(n, scales.v, scales.n) : floats(n, of_image, 4);
  INGOT__ONNX_NEED(n, value);
  return by_corners(n, value);
}

/* Inputs that exporters give as constants without elements are left out. */
static ingot__value *unless_empty(ingot__value *v) { return ingot__value_is_const(v) && v->bytes == 0 ? NULL : v; }

ingot_status ingot__onnx_convert_resize(ingot__onnx_node *n) {
  if (n->version < 11) {
    INGOT_TRY(ingot__onnx_inputs(n, 2, 2));
    return by_corners(n, n->in[1]);
  }
  INGOT_TRY(ingot__onnx_inputs(n, 1, 4));
  for (size_t i = 0; i < n->n_attr; i++) {
    if (ingot__text_is(n->attr[i].pb.s, "tf_half_pixel_for_nn")) {
      return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "the coordinates 'tf_half_pixel_for_nn', which ONNX dropped in opset 13");
    }
  }
  ingot__value *in[4] = {n->in[0]};
  size_t n_in = 1;
  for (size_t i = 1; i < n->n_in; i++) {
    in[i] = unless_empty(n->in[i]);
    if (in[i]) n_in = i + 1;
  }
  if (!in[2] && !in[3]) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has neither scales nor sizes");
  return ingot__onnx_build(n, INGOT__OP_Resize, in, n_in);
}
