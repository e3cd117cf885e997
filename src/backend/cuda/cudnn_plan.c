/* A convolution as a graph of cuDNN's: the convolution into a tensor that isn't there ("virtual", float32), to which the residual and the bias are
 * added and ReLU applied; engines for it; the plan. */
#include "backend/cuda/cudnn.h"
#include <string.h>

enum { ASKED = 16 };
typedef struct maker {
  const ingot__cudnn_functions *call;
  ingot__cudnn_plan *plan;
  const char **function;
} maker;

#define DNN_TRY(m, name, ...) \
  do { \
    int dnn_status = (m)->call->name(__VA_ARGS__); \
    if (dnn_status) return *(m)->function = #name, dnn_status; \
  } while (0)
#define MAKE_TRY(made) \
  do { \
    int make_status = (made); \
    if (make_status) return make_status; \
  } while (0)

static int create(const maker *m, int kind, cudnn_descriptor *d) {
  if (m->plan->n_kept == INGOT__CUDNN_KEPT) return *m->function = "a graph", CUDNN_NOT_SUPPORTED;
  DNN_TRY(m, cudnnBackendCreateDescriptor, kind, d);
  m->plan->kept[m->plan->n_kept++] = *d;
  return 0;
}

static int set(const maker *m, cudnn_descriptor d, int name, int type, int64_t count, const void *values) {
  DNN_TRY(m, cudnnBackendSetAttribute, d, name, type, count, values);
  return 0;
}

static int finalize(const maker *m, cudnn_descriptor d) {
  DNN_TRY(m, cudnnBackendFinalize, d);
  return 0;
}

static int type_of(int32_t t) { return t == INGOT_FLOAT16 ? CUDNN_HALF : t == INGOT_BFLOAT16 ? CUDNN_BFLOAT16 : CUDNN_FLOAT; }

static int tensor(const maker *m, int type, int64_t id, const int64_t *dim, const int64_t *stride, bool is_virtual, cudnn_descriptor *d) {
  MAKE_TRY(create(m, CUDNN_TENSOR, d));
  MAKE_TRY(set(m, *d, CUDNN_TENSOR_TYPE, CUDNN_T_DATA_TYPE, 1, &type));
  MAKE_TRY(set(m, *d, CUDNN_TENSOR_DIMS, CUDNN_T_INT64, 4, dim));
  MAKE_TRY(set(m, *d, CUDNN_TENSOR_STRIDES, CUDNN_T_INT64, 4, stride));
  MAKE_TRY(set(m, *d, CUDNN_TENSOR_ID, CUDNN_T_INT64, 1, &id));
  MAKE_TRY(set(m, *d, CUDNN_TENSOR_ALIGNMENT, CUDNN_T_INT64, 1, &m->plan->of.align));
  MAKE_TRY(set(m, *d, CUDNN_TENSOR_VIRTUAL, CUDNN_T_BOOLEAN, 1, &is_virtual));
  return finalize(m, *d);
}

static int convolution(const maker *m, cudnn_descriptor x, cudnn_descriptor w, cudnn_descriptor y, cudnn_descriptor *op) {
  const ingot__cudnn_conv *c = &m->plan->of;
  const int type = CUDNN_FLOAT, mode = CUDNN_CROSS_CORRELATION;
  const int64_t dims = 2;
  const float alpha = 1, beta = 0;
  cudnn_descriptor d;
  MAKE_TRY(create(m, CUDNN_CONVOLUTION, &d));
  MAKE_TRY(set(m, d, CUDNN_CONV_TYPE, CUDNN_T_DATA_TYPE, 1, &type));
  MAKE_TRY(set(m, d, CUDNN_CONV_MODE, CUDNN_T_CONV_MODE, 1, &mode));
  MAKE_TRY(set(m, d, CUDNN_CONV_DIMS, CUDNN_T_INT64, 1, &dims));
  MAKE_TRY(set(m, d, CUDNN_CONV_DILATIONS, CUDNN_T_INT64, 2, c->dilation));
  MAKE_TRY(set(m, d, CUDNN_CONV_STRIDES, CUDNN_T_INT64, 2, c->step));
  MAKE_TRY(set(m, d, CUDNN_CONV_PADS_BEFORE, CUDNN_T_INT64, 2, c->before));
  MAKE_TRY(set(m, d, CUDNN_CONV_PADS_AFTER, CUDNN_T_INT64, 2, c->after));
  MAKE_TRY(finalize(m, d));
  MAKE_TRY(create(m, CUDNN_OP_CONVOLUTION, op));
  MAKE_TRY(set(m, *op, CUDNN_OP_CONV_DESC, CUDNN_T_DESCRIPTOR, 1, &d));
  MAKE_TRY(set(m, *op, CUDNN_OP_CONV_X, CUDNN_T_DESCRIPTOR, 1, &x));
  MAKE_TRY(set(m, *op, CUDNN_OP_CONV_W, CUDNN_T_DESCRIPTOR, 1, &w));
  MAKE_TRY(set(m, *op, CUDNN_OP_CONV_Y, CUDNN_T_DESCRIPTOR, 1, &y));
  MAKE_TRY(set(m, *op, CUDNN_OP_CONV_ALPHA, CUDNN_T_FLOAT, 1, &alpha));
  MAKE_TRY(set(m, *op, CUDNN_OP_CONV_BETA, CUDNN_T_FLOAT, 1, &beta));
  return finalize(m, *op);
}

/* y = mode(x, b); b may be NULL. */
static int pointwise(const maker *m, int mode, cudnn_descriptor x, cudnn_descriptor b, cudnn_descriptor y, cudnn_descriptor *op) {
  const int type = CUDNN_FLOAT;
  cudnn_descriptor d;
  MAKE_TRY(create(m, CUDNN_POINTWISE, &d));
  MAKE_TRY(set(m, d, CUDNN_POINTWISE_MODE, CUDNN_T_POINTWISE, 1, &mode));
  MAKE_TRY(set(m, d, CUDNN_POINTWISE_PRECISION, CUDNN_T_DATA_TYPE, 1, &type));
  MAKE_TRY(finalize(m, d));
  MAKE_TRY(create(m, CUDNN_OP_POINTWISE, op));
  MAKE_TRY(set(m, *op, CUDNN_OP_POINTWISE_DESC, CUDNN_T_DESCRIPTOR, 1, &d));
  MAKE_TRY(set(m, *op, CUDNN_OP_POINTWISE_X, CUDNN_T_DESCRIPTOR, 1, &x));
  if (b) MAKE_TRY(set(m, *op, CUDNN_OP_POINTWISE_B, CUDNN_T_DESCRIPTOR, 1, &b));
  MAKE_TRY(set(m, *op, CUDNN_OP_POINTWISE_Y, CUDNN_T_DESCRIPTOR, 1, &y));
  return finalize(m, *op);
}

/* The result of an operation with `left` more behind it: the last one's is the convolution's. */
static int result(const maker *m, int left, cudnn_descriptor *d) {
  const ingot__cudnn_conv *c = &m->plan->of;
  return left ? tensor(m, CUDNN_FLOAT, INGOT__CUDNN_OUT + left, c->out_dim, c->out_stride, true, d)
              : tensor(m, type_of(c->dtype), INGOT__CUDNN_OUT, c->out_dim, c->out_stride, false, d);
}

static int graph(const maker *m, cudnn_handle handle, cudnn_descriptor *d) {
  const ingot__cudnn_conv *c = &m->plan->of;
  const int type = type_of(c->dtype);
  const int64_t n = c->w_dim[0], bias_dim[4] = {1, n, 1, 1}, bias_stride[4] = {n, 1, n, n};
  cudnn_descriptor x, w, other, last, next, op[4];
  int ops = 0, left = c->has_residual + c->has_bias + c->relu;
  MAKE_TRY(tensor(m, type, INGOT__CUDNN_X, c->x_dim, c->x_stride, false, &x));
  MAKE_TRY(tensor(m, type, INGOT__CUDNN_W, c->w_dim, c->w_stride, false, &w));
  MAKE_TRY(result(m, left, &last));
  MAKE_TRY(convolution(m, x, w, last, &op[ops++]));
  if (c->has_residual) {
    MAKE_TRY(tensor(m, type, INGOT__CUDNN_RESIDUAL, c->out_dim, c->residual_stride, false, &other));
    MAKE_TRY(result(m, --left, &next));
    MAKE_TRY(pointwise(m, CUDNN_ADD, last, other, next, &op[ops++]));
    last = next;
  }
  if (c->has_bias) {
    MAKE_TRY(tensor(m, type, INGOT__CUDNN_BIAS, bias_dim, bias_stride, false, &other));
    MAKE_TRY(result(m, --left, &next));
    MAKE_TRY(pointwise(m, CUDNN_ADD, last, other, next, &op[ops++]));
    last = next;
  }
  if (c->relu) {
    MAKE_TRY(result(m, --left, &next));
    MAKE_TRY(pointwise(m, CUDNN_RELU, last, NULL, next, &op[ops++]));
  }
  MAKE_TRY(create(m, CUDNN_GRAPH, d));
  MAKE_TRY(set(m, *d, CUDNN_GRAPH_HANDLE, CUDNN_T_HANDLE, 1, &handle));
  MAKE_TRY(set(m, *d, CUDNN_GRAPH_OPS, CUDNN_T_DESCRIPTOR, ops, op));
  return finalize(m, *d);
}

/* ---- Engines */

/* Whether it computes as our definition says: tensor cores, but no sums in half, transforms, inputs made narrower, or results that differ from run to
 * run; and without a compiler, which takes seconds. */
static int is_wanted(const maker *m, cudnn_descriptor config, bool *wanted) {
  int notes[CUDNN_NOTES] = {0};
  int64_t n = 0;
  cudnn_descriptor engine = NULL;
  *wanted = false;
  DNN_TRY(m, cudnnBackendCreateDescriptor, CUDNN_ENGINE, &engine);
  int status = m->call->cudnnBackendGetAttribute(config, CUDNN_CONFIG_ENGINE, CUDNN_T_DESCRIPTOR, 1, &n, &engine);
  if (!status) status = m->call->cudnnBackendGetAttribute(engine, CUDNN_ENGINE_NUMERICAL_NOTES, CUDNN_T_NUMERICAL_NOTE, CUDNN_NOTES, &n, notes);
  bool good = !status;
  for (int64_t i = 0; good && i < n && i < CUDNN_NOTES; i++)
    good = notes[i] == CUDNN_NOTE_STRICT_NAN || notes[i] == CUDNN_NOTE_TENSOR_CORES;
  if (good) status = m->call->cudnnBackendGetAttribute(engine, CUDNN_ENGINE_BEHAVIOR_NOTES, CUDNN_T_BEHAVIOR_NOTE, CUDNN_NOTES, &n, notes);
  for (int64_t i = 0; good && !status && i < n && i < CUDNN_NOTES; i++) good = notes[i] != CUDNN_NOTE_COMPILES;
  m->call->cudnnBackendDestroyDescriptor(engine);
  *wanted = good && !status;
  if (status) *m->function = "cudnnBackendGetAttribute";
  return status;
}

/* A plan of the configuration; *taken: it is one, and takes little enough workspace. */
static int try_plan(const maker *m, cudnn_handle handle, cudnn_descriptor config, size_t limit, bool *taken) {
  const int before = m->plan->n_kept;
  int64_t size = 0, n = 0;
  cudnn_descriptor plan;
  *taken = false;
  MAKE_TRY(create(m, CUDNN_PLAN, &plan));
  MAKE_TRY(set(m, plan, CUDNN_PLAN_HANDLE, CUDNN_T_HANDLE, 1, &handle));
  MAKE_TRY(set(m, plan, CUDNN_PLAN_CONFIG, CUDNN_T_DESCRIPTOR, 1, &config));
  if (m->call->cudnnBackendFinalize(plan) == 0 &&
      m->call->cudnnBackendGetAttribute(plan, CUDNN_PLAN_WORKSPACE, CUDNN_T_INT64, 1, &n, &size) == 0 && size >= 0 && (size_t)size <= limit) {
    m->plan->plan = plan;
    m->plan->workspace = (size_t)size;
    *taken = true;
    return 0;
  }
  m->call->cudnnBackendDestroyDescriptor(plan);
  m->plan->n_kept = before;
  return 0;
}

static int choose(const maker *m, cudnn_handle handle, size_t limit, cudnn_descriptor *config, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    bool wanted = false, taken = false;
    MAKE_TRY(is_wanted(m, config[i], &wanted));
    if (wanted) MAKE_TRY(try_plan(m, handle, config[i], limit, &taken));
    if (!taken) continue;
    if (m->plan->n_kept == INGOT__CUDNN_KEPT) return *m->function = "a graph", CUDNN_NOT_SUPPORTED;
    m->plan->kept[m->plan->n_kept++] = config[i];
    config[i] = NULL;
    return 0;
  }
  return 0;
}

int ingot__cudnn_plan_make(const ingot__cudnn_functions *call, cudnn_handle handle, size_t limit, ingot__cudnn_plan *plan, const char **function) {
  const maker m = {call, plan, function};
  const int mode = CUDNN_HEURISTICS_A;
  cudnn_descriptor d, heuristics, config[ASKED] = {0};
  int64_t n = 0;
  MAKE_TRY(graph(&m, handle, &d));
  MAKE_TRY(create(&m, CUDNN_HEURISTICS, &heuristics));
  MAKE_TRY(set(&m, heuristics, CUDNN_HEURISTICS_GRAPH, CUDNN_T_DESCRIPTOR, 1, &d));
  MAKE_TRY(set(&m, heuristics, CUDNN_HEURISTICS_MODE, CUDNN_T_HEURISTICS, 1, &mode));
  MAKE_TRY(finalize(&m, heuristics));
  int status = 0;
  for (int i = 0; i < ASKED && !status; i++) status = call->cudnnBackendCreateDescriptor(CUDNN_CONFIG, &config[i]);
  if (status) *function = "cudnnBackendCreateDescriptor";
  if (!status) {
    status = call->cudnnBackendGetAttribute(heuristics, CUDNN_HEURISTICS_RESULTS, CUDNN_T_DESCRIPTOR, ASKED, &n, config);
    if (status) *function = "cudnnBackendGetAttribute";
  }
  if (!status) status = choose(&m, handle, limit, config, n < ASKED ? n : ASKED);
  for (int i = 0; i < ASKED; i++)
    if (config[i]) call->cudnnBackendDestroyDescriptor(config[i]);
  return status;
}

void ingot__cudnn_plan_free(const ingot__cudnn_functions *call, ingot__cudnn_plan *plan) {
  while (plan->n_kept) call->cudnnBackendDestroyDescriptor(plan->kept[--plan->n_kept]);
  plan->plan = NULL;
}
