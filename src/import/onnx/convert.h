/* For the files that convert nodes: asking a node for its attributes, making network nodes and constants, and the table of conversions.
 *
 * A conversion gets a node whose inputs are values of the network and leaves a value in node->out for each output: mostly by
 * ingot__onnx_finish, whose node carries the names of the original, after helpers made with ingot__onnx_emit. */
#ifndef INGOT_IMPORT_ONNX_CONVERT_H
#define INGOT_IMPORT_ONNX_CONVERT_H
#include "import/onnx/import.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef ingot_status (*ingot__onnx_convert_fn)(ingot__onnx_node *n);
/* For opsets before `before`; the first row that fits is taken. No row: the operator is taken as it is. */
typedef struct ingot__onnx_conversion { const char *op; int64_t before; ingot__onnx_convert_fn fn; } ingot__onnx_conversion;
#define INGOT__ONNX_ALWAYS INT64_MAX
ingot__onnx_convert_fn ingot__onnx_find_conversion(const char *domain, const char *op, int64_t version); /* opset.c */

/* ---- Attributes (attr.c). Asking marks an attribute as used; those that remain unused must be the operator's own. */
ingot_status ingot__onnx_get_int(ingot__onnx_node *n, const char *name, int64_t absent, int64_t *out);
ingot_status ingot__onnx_get_float(ingot__onnx_node *n, const char *name, float absent, float *out);
ingot_status ingot__onnx_get_string(ingot__onnx_node *n, const char *name, const char *absent, const char **out);
ingot_status ingot__onnx_get_ints(ingot__onnx_node *n, const char *name, ingot__ints *out, bool *given);
ingot_status ingot__onnx_get_floats(ingot__onnx_node *n, const char *name, ingot__floats *out, bool *given);
bool ingot__onnx_has(const ingot__onnx_node *n, const char *name);
/* The attribute, marked as used; NULL if it isn't given. */
const ingot__pb_attr *ingot__onnx_get(ingot__onnx_node *n, const char *name);
/* Reads one attribute's lists. */
ingot_status ingot__onnx_read_strings(ingot__onnx_node *n, const ingot__pb_attr *attr, ingot__strings *out);
/* Puts the unused attributes into an attribute struct (defaults are set), refusing those that the operator doesn't have. */
ingot_status ingot__onnx_set_attrs(ingot__onnx_node *n, ingot__op op, void *attrs);
/* Reads the attributes of n->pb into n->attr, taking those that refer to a function's attributes from the call. */
ingot_status ingot__onnx_read_attrs(ingot__onnx_node *n);

/* ---- Making (emit.c). NULL: no memory. */
ingot__node *ingot__onnx_emit(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in);
ingot__node *ingot__onnx_emit_outputs(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in, size_t n_out);
/* The same for the usual: 1 or 2 inputs and one output. Gives NULL for a NULL input too, so that calls can be nested and checked once. */
ingot__value *ingot__onnx_unary(ingot__onnx_node *n, ingot__op op, ingot__value *a);
ingot__value *ingot__onnx_binary(ingot__onnx_node *n, ingot__op op, ingot__value *a, ingot__value *b);
/* The node that stands for the original: has its name and its outputs; n->out is set. Attributes remain to be set. */
ingot__node *ingot__onnx_finish(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in);
/* The same for output i alone. */
ingot__node *ingot__onnx_finish_output(ingot__onnx_node *n, size_t i, ingot__op op, ingot__value *const *in, size_t n_in);
/* ingot__onnx_finish with the unused attributes set. */
ingot_status ingot__onnx_build(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in);
ingot__value *ingot__onnx_ints(ingot__onnx_node *n, const int64_t *v, size_t count);      /* a 1-D int64 constant; copied */
ingot__value *ingot__onnx_int(ingot__onnx_node *n, int64_t v);                            /* a scalar */
ingot__value *ingot__onnx_float(ingot__onnx_node *n, float v);                            /* a scalar */
ingot__value *ingot__onnx_float_like(ingot__onnx_node *n, float v, ingot__value *like);   /* a scalar of another value's type */
ingot__value *ingot__onnx_constant(ingot__onnx_node *n, const char *name, const ingot__literal *literal);
/* Makes a scope's name stand for a constant, through a node if it is an output. */
ingot_status ingot__onnx_bind_constant(ingot__onnx *o, ingot__onnx_scope *scope, ingot__onnx_entry *entry, const ingot__literal *literal);
/* What is known of a value's type so far, by inference over the nodes made; rank -1 or INGOT_UNDEFINED: not known. */
const ingot__type *ingot__onnx_type(ingot__onnx_node *n, const ingot__value *value);
#define INGOT__ONNX_NEED(n, pointer) do { if (!(pointer)) return ingot__no_memory((n)->o->diag); } while (0)

/* Movements that conversions need often. A dim of `shape` may be 0 (stays) or -1 (the rest). */
ingot__value *ingot__onnx_reshape(ingot__onnx_node *n, ingot__value *v, const int64_t *shape, size_t rank);
ingot__value *ingot__onnx_transpose(ingot__onnx_node *n, ingot__value *v, const int64_t *perm, size_t rank);
/* Elements [from, to) along an axis; INT64_MAX: to the end. */
ingot__value *ingot__onnx_slice(ingot__onnx_node *n, ingot__value *v, int64_t from, int64_t to, int64_t axis);
/* Dims [from, to) as a vector. */
ingot__value *ingot__onnx_shape_of(ingot__onnx_node *n, ingot__value *v, int64_t from, int64_t to);
ingot__value *ingot__onnx_cast(ingot__onnx_node *n, ingot__value *v, ingot_dtype to);
/* The number that dim `axis` (negative: from the end) of a value is known to be, or -1. */
int64_t ingot__onnx_known_dim(ingot__onnx_node *n, const ingot__value *v, int axis);

/* Requires between min and max inputs (max -1: any), the first min of them given. */
ingot_status ingot__onnx_inputs(ingot__onnx_node *n, size_t min, size_t max);
#define INGOT__ONNX_IN(n, i) ((i) < (n)->n_in ? (n)->in[i] : NULL)

/* ---- The conversions' files. */
#define INGOT__ONNX_CONVERSIONS_SIGNAL(X) X(scan) X(random) X(bernoulli) X(multinomial) X(dft)
#define INGOT__ONNX_CONVERSIONS_ML(X) \
  X(adagrad) X(adam) X(gradient) X(momentum) \
  X(scaler) X(binarizer) X(normalizer) X(feature_extractor) X(imputer) X(one_hot_encoder) X(linear_regressor) \
  X(linear_classifier) X(tree_regressor) X(tree_classifier) X(quantized_lstm) X(einsum)

#define INGOT__ONNX_CONVERSIONS(X) \
  X(axes) X(reshape) X(split) X(slice) X(pad) X(tile) X(topk) X(scatter) X(concat) X(constant) X(dropout) X(rnn) X(loop) X(optional) \
  X(broadcast) \
  X(variadic) X(bit_shift) X(clip) X(cast) X(prelu) X(selu) X(swish) X(gemm) X(batch_norm) X(softmax) X(hardmax) X(group_norm) X(mean_variance) \
  X(upsample) X(resize) X(qlinear_conv) X(qlinear_matmul) X(conv_integer) X(fused_conv) X(gelu) X(quantize) \
  X(attention) X(flex_attention) X(causal_conv) X(swiglu) \
  X(multi_head) X(old_attention) X(old_rotary) X(group_query) X(skip_norm) X(simple_norm) X(embed_norm) X(fused_matmul) X(matmul_bits) X(qlinear) \
  X(qlinear_concat) X(qlinear_softmax) X(qlinear_where) X(qgemm) X(integer_to_float) X(dynamic_matmul) X(cross_entropy)
#define INGOT__ONNX_DECLARE(name) ingot_status ingot__onnx_convert_##name(ingot__onnx_node *n);
INGOT__ONNX_CONVERSIONS(INGOT__ONNX_DECLARE)
INGOT__ONNX_CONVERSIONS_SIGNAL(INGOT__ONNX_DECLARE)
INGOT__ONNX_CONVERSIONS_ML(INGOT__ONNX_DECLARE)
/* What the models of ai.onnx.ml share (opset_ml.c): scores' last step as output `slot`; the classes' names; output 0, the label chosen. */
ingot_status ingot__onnx_ml_transform(ingot__onnx_node *n, size_t slot, ingot__value *scores, const char *kind);
ingot_status ingot__onnx_ml_labels(ingot__onnx_node *n, const char *ints_name, ingot__value **labels, size_t *count);
ingot_status ingot__onnx_ml_choose(ingot__onnx_node *n, ingot__value *labels, ingot__value *scores, bool single, float limit);
ingot_status ingot__onnx_batch_norm_training(ingot__onnx_node *n, float momentum); /* a part of batch_norm */
#endif
