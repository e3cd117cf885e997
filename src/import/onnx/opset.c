/* Which conversion takes a node: for operators that older opsets spell otherwise than the newest, and for those that are made of others. */
#include "import/onnx/convert.h"

#define ROW(op, before, name) {#op, before, ingot__onnx_convert_##name},
#define ALWAYS INGOT__ONNX_ALWAYS

/* By name, then by opset. An operator without a row, or of an opset past its rows, has the newest form: ops.def's. */
static const ingot__onnx_conversion onnx[] = {
    /* broadcasting along an axis, before it was NumPy's */
    ROW(Add, 7, broadcast) ROW(And, 7, broadcast) ROW(Div, 7, broadcast) ROW(Equal, 7, broadcast) ROW(Greater, 7, broadcast)
    ROW(Less, 7, broadcast) ROW(Mul, 7, broadcast) ROW(Or, 7, broadcast) ROW(Pow, 7, broadcast) ROW(Sub, 7, broadcast) ROW(Xor, 7, broadcast)
    ROW(Gemm, 7, gemm) ROW(PRelu, 7, prelu)
    /* any number of inputs */
    ROW(Max, ALWAYS, variadic) ROW(Mean, ALWAYS, variadic) ROW(Min, ALWAYS, variadic) ROW(Sum, ALWAYS, variadic)
    /* attributes that became inputs */
    ROW(Clip, 11, clip) ROW(Pad, 11, pad) ROW(Reshape, 5, reshape) ROW(Slice, 10, slice) ROW(Split, 18, split) ROW(Squeeze, 13, axes)
    ROW(TopK, 10, topk) ROW(Unsqueeze, 13, axes)
    ROW(ReduceSum, 13, axes) ROW(ReduceL1, 18, axes) ROW(ReduceL2, 18, axes) ROW(ReduceLogSum, 18, axes) ROW(ReduceLogSumExp, 18, axes)
    ROW(ReduceMax, 18, axes) ROW(ReduceMean, 18, axes) ROW(ReduceMin, 18, axes) ROW(ReduceProd, 18, axes) ROW(ReduceSumSquare, 18, axes)
    /* other forms and other defaults */
    ROW(Bernoulli, ALWAYS, bernoulli) ROW(DFT, 20, dft) ROW(Multinomial, ALWAYS, multinomial) ROW(RandomNormal, ALWAYS, random)
    ROW(RandomNormalLike, ALWAYS, random) ROW(RandomUniform, ALWAYS, random) ROW(RandomUniformLike, ALWAYS, random) ROW(Scan, ALWAYS, scan)
    ROW(BatchNormalization, ALWAYS, batch_norm) ROW(Cast, 6, cast) ROW(Concat, 4, concat) ROW(GroupNormalization, 21, group_norm)
    ROW(GRU, 7, rnn) ROW(LogSoftmax, 13, softmax) ROW(Loop, ALWAYS, loop) ROW(LSTM, 7, rnn) ROW(Resize, ALWAYS, resize) ROW(RNN, 7, rnn)
    ROW(Selu, 6, selu) ROW(Softmax, 13, softmax) ROW(Tile, 6, tile) ROW(Upsample, ALWAYS, upsample)
    ROW(Optional, ALWAYS, optional)
    /* made of others */
    ROW(Attention, ALWAYS, attention) ROW(BitShift, ALWAYS, bit_shift) ROW(CausalConvWithState, ALWAYS, causal_conv)
    ROW(Constant, ALWAYS, constant) ROW(ConvInteger, ALWAYS, conv_integer) ROW(Dropout, ALWAYS, dropout)
    ROW(Einsum, ALWAYS, einsum) ROW(Hardmax, ALWAYS, hardmax)
    ROW(MeanVarianceNormalization, ALWAYS, mean_variance) ROW(QLinearConv, ALWAYS, qlinear_conv) ROW(QLinearMatMul, ALWAYS, qlinear_matmul)
    ROW(Scatter, ALWAYS, scatter) ROW(SimplifiedLayerNormalization, ALWAYS, simple_norm)
    ROW(SoftmaxCrossEntropyLoss, ALWAYS, cross_entropy) ROW(SwiGLU, ALWAYS, swiglu) ROW(Swish, ALWAYS, swish)};

/* ai.onnx.preview: operators that are still being shaped. */
static const ingot__onnx_conversion preview[] = {ROW(FlexAttention, ALWAYS, flex_attention)};

/* ai.onnx.ml: classical models. */
static const ingot__onnx_conversion ml[] = {
    ROW(ArrayFeatureExtractor, ALWAYS, feature_extractor) ROW(Binarizer, ALWAYS, binarizer) ROW(Imputer, ALWAYS, imputer)
    ROW(LinearClassifier, ALWAYS, linear_classifier) ROW(LinearRegressor, ALWAYS, linear_regressor) ROW(Normalizer, ALWAYS, normalizer)
    ROW(OneHotEncoder, ALWAYS, one_hot_encoder) ROW(Scaler, ALWAYS, scaler) ROW(TreeEnsembleClassifier, ALWAYS, tree_classifier)
    ROW(TreeEnsembleRegressor, ALWAYS, tree_regressor)};

/* ai.onnx.preview.training: derivatives, optimisers' steps. */
static const ingot__onnx_conversion training[] = {
    ROW(Adagrad, ALWAYS, adagrad) ROW(Adam, ALWAYS, adam) ROW(Gradient, ALWAYS, gradient) ROW(Momentum, ALWAYS, momentum)};

/* What ONNX Runtime puts into the models it writes, where ONNX's own operators say the same. */
static const ingot__onnx_conversion microsoft[] = {
    ROW(Attention, ALWAYS, old_attention) ROW(GroupQueryAttention, ALWAYS, group_query) ROW(MultiHeadAttention, ALWAYS, multi_head)
    ROW(RotaryEmbedding, ALWAYS, old_rotary) ROW(EmbedLayerNormalization, ALWAYS, embed_norm)
    ROW(SkipLayerNormalization, ALWAYS, skip_norm) ROW(SkipSimplifiedLayerNormalization, ALWAYS, skip_norm)
    ROW(SimplifiedLayerNormalization, ALWAYS, simple_norm) ROW(FusedMatMul, ALWAYS, fused_matmul) ROW(TransposeMatMul, ALWAYS, fused_matmul)
    ROW(MatMulNBits, ALWAYS, matmul_bits) ROW(QLinearAdd, ALWAYS, qlinear) ROW(QLinearMul, ALWAYS, qlinear) ROW(QLinearSigmoid, ALWAYS, qlinear)
    ROW(QLinearLeakyRelu, ALWAYS, qlinear) ROW(QLinearAveragePool, ALWAYS, qlinear) ROW(QLinearGlobalAveragePool, ALWAYS, qlinear)
    ROW(QLinearConcat, ALWAYS, qlinear_concat) ROW(QLinearSoftmax, ALWAYS, qlinear_softmax) ROW(QLinearWhere, ALWAYS, qlinear_where)
    ROW(QGemm, ALWAYS, qgemm) ROW(MatMulIntegerToFloat, ALWAYS, integer_to_float)
    ROW(DynamicQuantizeMatMul, ALWAYS, dynamic_matmul) ROW(DynamicQuantizeLSTM, ALWAYS, quantized_lstm)
    ROW(BiasGelu, ALWAYS, gelu) ROW(DequantizeLinear, ALWAYS, quantize) ROW(FastGelu, ALWAYS, gelu) ROW(FusedConv, ALWAYS, fused_conv)
    ROW(Gelu, ALWAYS, gelu) ROW(QuantizeLinear, ALWAYS, quantize) ROW(QuickGelu, ALWAYS, swish)};

static ingot__onnx_convert_fn find(const ingot__onnx_conversion *row, size_t n, const char *op, int64_t version) {
  for (size_t i = 0; i < n; i++) {
    if (version < row[i].before && strcmp(row[i].op, op) == 0) return row[i].fn;
  }
  return NULL;
}

ingot__onnx_convert_fn ingot__onnx_find_conversion(const char *domain, const char *op, int64_t version) {
  if (!*domain) return find(onnx, sizeof onnx / sizeof *onnx, op, version);
  if (strcmp(domain, "com.microsoft") == 0) return find(microsoft, sizeof microsoft / sizeof *microsoft, op, version);
  if (strcmp(domain, "ai.onnx.ml") == 0) return find(ml, sizeof ml / sizeof *ml, op, version);
  if (strcmp(domain, "ai.onnx.preview.training") == 0) return find(training, sizeof training / sizeof *training, op, version);
  if (strcmp(domain, "ai.onnx.preview") == 0) return find(preview, sizeof preview / sizeof *preview, op, version);
  return NULL;
}
