/* Shape inference: symbolic dims, elements of shape tensors, contradictions, and what must be refused. Expected shapes by ONNX's rules,
 * worked out by hand. */
#include "ops/ops.h"
#include "testing.h"

typedef struct state { ingot__network *network; ingot__diag diag; } state;

static ingot_status load(state *s, const ingot_env *env, const char *text) {
  s->network = NULL;
  ingot__diag_init(&s->diag, NULL);
  INGOT_TRY(ingot__network_parse(env, text, strlen(text), &s->diag, &s->network));
  return ingot__infer_network(s->network, &s->diag);
}

static void type_text(const ingot__network *network, const ingot__value *v, char *text, size_t size) {
  int n = snprintf(text, size, "%s[", ingot_dtype_name(v->type.dtype));
  char dim[256];
  if (v->type.rank < 0) n += snprintf(text + n, size - (size_t)n, "*");
  for (int i = 0; i < v->type.rank; i++) {
    n += snprintf(text + n, size - (size_t)n, "%s%s", i ? "," : "", ingot__dim_text(&network->dims, v->type.dim[i], dim, sizeof dim));
  }
  snprintf(text + n, size - (size_t)n, "]");
}

/* The body between "network {" and "output y }" gives y this type. */
static void gives(const char *body, const char *wanted) {
  char text[4096], got[1024];
  state s;
  snprintf(text, sizeof text, "network {\n%s\noutput y\n}", body);
  if (load(&s, NULL, text) != INGOT_OK) fail_msg("%s\n%s", body, s.diag.text);
  type_text(s.network, s.network->main->output[0], got, sizeof got);
  if (strcmp(got, wanted) != 0) fail_msg("%s\n  gives %s, not %s", body, got, wanted);
  ingot__network_free(s.network);
}

/* Inference fails with this status; the text has these words. */
static void refuses(const char *body, ingot_status status, const char *words) {
  char text[4096];
  state s;
  snprintf(text, sizeof text, "network {\n%s\noutput y\n}", body);
  ingot_status got = load(&s, NULL, text);
  if (got != status) fail_msg("%s\n  status %d, not %d: %s", body, (int)got, (int)status, s.diag.text);
  if (!strstr(s.diag.text, words)) fail_msg("%s\n  '%s' does not say '%s'", body, s.diag.text, words);
  ingot__network_free(s.network);
}

static void symbolic_shapes(void **unused) {
  (void)unused;
  gives("input x: float32[N,3,224,224]\nconst w: float32[8,3,7,7] = random(1)\ny = Conv(x, w) {strides=[2, 2] pads=[3, 3, 3, 3]}",
        "float32[N,8,112,112]");
  gives("input x: float32[N,3,H,W]\nconst w: float32[8,3,3,3] = random(1)\ny = Conv(x, w) {strides=[2, 1] pads=[1, 1, 1, 1]}",
        "float32[N,8,(H+1)/2,W]");
  gives("input x: float32[N,3,H,20]\nconst w: float32[8,3,4,4] = random(1)\ny = Conv(x, w) {strides=[3, 3] auto_pad=\"SAME_UPPER\"}",
        "float32[N,8,(H+2)/3,7]");
  gives("input x: float32[N,4,H,6]\nconst w: float32[4,2,2,2] = random(1)\ny = ConvTranspose(x, w) {strides=[2, 2]}", "float32[N,2,H*2,12]");
  gives("input x: float32[1,4,H,6]\ny = MaxPool(x) {kernel_shape=[2, 3] strides=[2, 2] ceil_mode=1}", "float32[1,4,(H+1)/2,3]");
  gives("input x: float32[1,4,7]\ny = AveragePool(x) {kernel_shape=[3] strides=[2] pads=[0, 1] ceil_mode=1}", "float32[1,4,4]");
  gives("input x: float32[1,4,5]\ny = AveragePool(x) {kernel_shape=[1] strides=[3] ceil_mode=1}", "float32[1,4,2]");
  gives("input x: float32[A,1,C]\ninput z: float32[B,1]\ny = Add(x, z)", "float32[A,B,C]");
  gives("input x: float32[A,4]\ninput z: float32[B,4]\ny = Mul(x, z)", "float32[max(A,B),4]");
  gives("input x: float32[A,5]\ninput z: float32[3,B]\ny = Less(x, z)", "bool[3,5]");
  gives("input x: float32[B,S,64]\nconst w: float32[64,10] = random(1)\ny = MatMul(x, w)", "float32[B,S,10]");
  gives("input x: float32[B,H,S,D]\ny = MatMul(x, x) {trans_b=1}", "float32[B,H,S,S]");
  gives("input x: float32[*]\nconst w: float32[8,3,7,7] = random(1)\ny = Conv(x, w)", "float32[*]");
  gives("input x: float32[N,C,H,W]\nconst a: int64[2] = {-1, 2}\ny = ReduceMean(x, a) {keepdims=0}", "float32[N,C]");
  gives("input x: float32[N,C,H]\ninput a: int64[1]\ny = ReduceSum(x, a)", "float32[?,?,?]");
  gives("input x: float32[N,C,H]\ninput a: int64[1]\ny = ReduceSum(x, a) {keepdims=0}", "float32[?,?]");
  gives("input x: float32[N,C,H]\ny = ArgMax(x) {axis=1 keepdims=0}", "int64[N,H]");
  gives("input x: float32[N,10]\nconst k: int64[1] = {3}\n_, y = TopK(x, k)", "int64[N,3]");
  gives("input x: float32[N,10]\ninput k: int64[1]\ny, _ = TopK(x, k)", "float32[N,?]");
  gives("input x: float32[N,S,8]\nconst g: float32[8] = random(1)\n_, y, _ = LayerNormalization(x, g)", "float32[N,S,1]");
  gives("input q: float32[B,H,L,8]\ninput k: float32[B,H,S,8]\ninput v: float32[B,H,S,16]\ny = FusedAttention(q, k, v)", "float32[B,H,L,16]");
  gives("input a: float32[B,I,4]\ninput b: float32[B,4,J]\ny = Einsum(a, b) {equation=\"bik,bkj->bij\"}", "float32[B,I,J]");
  gives("input a: float32[B,C,I,4]\ny = Einsum(a) {equation=\"...ij->...ji\"}", "float32[B,C,4,I]");
  gives("input x: float32[N,4]\ny = Fused(x) {body={\ninput a: float32[*]\nb = Exp(a)\nc = Mul(a, b)\noutput c\n}}", "float32[N,4]");
}

/* Dims that exporters compute with tensors. */
static void shapes_from_elements(void **unused) {
  (void)unused;
#define SHAPE "input x: float32[N,6,H]\ns = Shape(x)\nconst z: int64[] = {0}\nconst two: int64[] = {2}\nn = Gather(s, z)\nh = Gather(s, two)\n"
#define ONE "const a0: int64[1] = {0}\n"
  gives(SHAPE ONE "m = Mul(n, h)\nm1 = Unsqueeze(m, a0)\nconst r: int64[1] = {-1}\nt = Concat(m1, r) {axis=0}\ny = Reshape(x, t)", "float32[H*N,6]");
  gives(SHAPE ONE "m = Div(h, two)\nm1 = Unsqueeze(m, a0)\ny = ConstantOfShape(m1)", "float32[H/2]");
  gives(SHAPE ONE "m = Sub(h, two)\nc = Add(m, two)\nm1 = Unsqueeze(c, a0)\ny = ConstantOfShape(m1)", "float32[H]");
  gives(SHAPE ONE "m = Mod(h, two)\nm1 = Unsqueeze(m, a0)\ny = ConstantOfShape(m1)", "float32[H%2]");
  gives(SHAPE "p = ReduceProd(s, _) {keepdims=1}\ny = ConstantOfShape(p)", "float32[H*N*6]");
  /* What PyTorch makes of expand(): -1 stands for the dim as it is. */
  gives(SHAPE "const w: int64[3] = {4, -1, -1}\nconst m: int64[3] = {-1, -1, -1}\nconst o: int64[3] = {1, 1, 1}\n"
        "e = Equal(w, m)\nt = Where(e, o, w)\ninput q: float32[1,6,H]\ny = Expand(q, t)", "float32[4,6,H]");
  gives(SHAPE "const m: int64[] = {-1}\nconst o: int64[3] = {1, 1, 1}\ne = Equal(s, m)\nt = Where(e, o, s)\ny = ConstantOfShape(t)",
        "float32[N,6,H]");
  gives(SHAPE ONE "const zero: int64[] = {0}\ng = Greater(h, zero)\nq = Where(g, two, z)\nm1 = Unsqueeze(q, a0)\ny = ConstantOfShape(m1)",
        "float32[2]");
  gives(SHAPE ONE "const five: int64[] = {5}\nm = Clip(h, _, five)\nm1 = Unsqueeze(m, a0)\ny = ConstantOfShape(m1)", "float32[min(H,5)]");
}

static void declared_types(void **unused) {
  (void)unused;
  gives("input x: float32[N,4]\ny: float32[B,4] = Relu(x)", "float32[N,4]");     /* a symbol by another name */
  gives("input x: float32[N,4]\ny: float32[2,4] = Relu(x)", "float32[N,4]");     /* what is inferred wins */
  gives("input x: float32[*]\ny: float32[2,4] = Relu(x)", "float32[2,4]");       /* where it is known */
  gives("input x: bool[N]\nz: int64[1,K] = NonZero(x)\ny = Neg(z)", "int64[1,K]");
  gives("input x: float32[2,4]\ny: float32[2,5] = Relu(x)", "float32[2,4]"); /* stale: a warning, as ONNX Runtime's */
  gives("input x: float32[2,4]\ny: float32[2] = Relu(x)", "float32[2,4]");
  refuses("input x: float32[2,4]\ny: int64[2,4] = Relu(x)", INGOT_E_TYPE, "int64[2,4]");
}

static void refused(void **unused) {
  (void)unused;
#define X "input x: float32[1,4,8,8]\nconst w: float32[6,2,3,3] = random(1)\n"
  refuses(X "y = Conv(x, w)", INGOT_E_SHAPE, "weights have 2 channels and 1 groups, input has 4");
  refuses(X "y = Conv(x, w) {group=0}", INGOT_E_NETWORK, "group");
  refuses(X "y = Conv(x, w) {group=2 strides=[0, 1]}", INGOT_E_NETWORK, "strides");
  refuses(X "y = Conv(x, w) {group=2 strides=[1]}", INGOT_E_NETWORK, "strides has 1 values, 2 are needed");
  refuses(X "y = Conv(x, w) {group=2 dilations=[-1, 1]}", INGOT_E_NETWORK, "dilations");
  refuses(X "y = Conv(x, w) {group=2 kernel_shape=[5, 3]}", INGOT_E_SHAPE, "kernel_shape");
  refuses(X "y = Conv(x, w) {group=2 auto_pad=\"SOME\"}", INGOT_E_NETWORK, "SOME");
  refuses(X "y = Conv(x, w) {group=2 dilations=[4, 1]}", INGOT_E_SHAPE, "the window covers 9 elements, the padded input has 8");
  refuses(X "y = Conv(x, w) {group=2 pads=[9223372036854775807, 0, 0, 0]}", INGOT_E_NETWORK, "pads");
  refuses("input x: float32[1,3,8,8]\nconst w: float32[5,3,3,3] = random(1)\nconst b: float32[4] = random(2)\ny = Conv(x, w, b)", INGOT_E_SHAPE,
      "bias");
  refuses("input x: float32[1,4,8]\nconst w: float32[3,2,3] = random(1)\ny = ConvTranspose(x, w)", INGOT_E_SHAPE, "channels");
  refuses("input x: float32[1,4,8]\ny = MaxPool(x)", INGOT_E_NETWORK, "kernel_shape");
  refuses("input x: float32[1,4,8]\ny = MaxPool(x) {kernel_shape=[9]}", INGOT_E_SHAPE, "window");
  refuses("input x: float32[2,3]\ninput z: float32[2,4]\ny = Add(x, z)", INGOT_E_SHAPE, "broadcast");
  refuses("input x: float32[2]\ninput z: int64[2]\ny = Add(x, z)", INGOT_E_TYPE, "different types");
  refuses("input x: bool[2]\ny = Exp(x)", INGOT_E_TYPE, "bool");
  refuses("input x: float32[2]\ny = Not(x)", INGOT_E_TYPE, "float32");
  refuses("input x: float32[2,3]\ninput z: float32[4,5]\ny = MatMul(x, z)", INGOT_E_SHAPE, "3");
  refuses("input x: float32[2,3]\ny = Softmax(x) {axis=2}", INGOT_E_NETWORK, "axis 2");
  refuses("input x: float32[2,3]\nconst a: int64[1] = {-3}\ny = ReduceSum(x, a)", INGOT_E_NETWORK, "axis -3");
  refuses("input x: float32[2,3]\nconst k: int64[1] = {4}\ny, _ = TopK(x, k)", INGOT_E_SHAPE, "k is 4");
  refuses("input x: float32[2,3]\ny = Einsum(x) {equation=\"ijk->i\"}", INGOT_E_NETWORK, "equation");
  refuses("input x: float32[2,3]\ny = Einsum(x, x) {equation=\"ij,ji->i\"}", INGOT_E_SHAPE, "equation");
  refuses("input x: float32[3037000500,3037000500]\ny = Einsum(x, x) {equation=\"ij,kl->ijkl\"}", INGOT_E_LIMIT, "too large");
  refuses("input x: float32[1,6,4]\nconst g: float32[6] = random(1)\ny = GroupNormalization(x, g, g) {num_groups=4}", INGOT_E_SHAPE, "groups");
}

/* All problems at once, each once: what reads a failed node's output is not blamed. */
static void all_problems(void **unused) {
  (void)unused;
  state s;
  assert_int_equal(load(&s, NULL, "network {\ninput x: float32[2,3]\ninput z: float32[4]\na = Add(x, z)\nb = Relu(a)\nc = Softmax(x) {axis=5}\n"
                                  "d = Mul(b, c)\ne = Not(x)\noutput d\noutput e\n}"), INGOT_E_SHAPE);
  assert_int_equal(s.diag.count, 3);
  assert_non_null(strstr(s.diag.text, "a (Add)"));
  assert_non_null(strstr(s.diag.text, "c (Softmax)"));
  assert_non_null(strstr(s.diag.text, "e (Not)"));
  ingot__network_free(s.network);
}

static ingot_status build(const ingot_env *env, void *user) {
  state s;
  ingot_status status = load(&s, env, user);
  ingot__network_free(s.network);
  return status;
}

static void failed_allocations(void **unused) {
  (void)unused;
  char text[] = "network {\ninput x: float32[N,6,H,W]\nconst w: float32[4,6,3,3] = random(1)\nc = Conv(x, w) {strides=[2, 2]}\ns = Shape(c)\n"
                "const two: int64[1] = {2}\nd = Div(s, two)\nm = Mul(d, s)\nq = ReduceProd(m, _)\nr = ConstantOfShape(q)\n"
                "e = Einsum(c, c) {equation=\"abij,abkj->abik\"}\nf = Fused(c, e) {body={\ninput i: float32[*]\ninput j: float32[*]\n"
                "k = Exp(i)\nl = Max(k, j)\noutput l\n}}\noutput r\noutput f\n}";
  state s;
  ingot_status status = load(&s, NULL, text);
  if (status != INGOT_OK) fail_msg("%s", s.diag.text);
  ingot__network_free(s.network);
  testing_fail_each(build, text, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(symbolic_shapes), cmocka_unit_test(shapes_from_elements), cmocka_unit_test(declared_types),
                                     cmocka_unit_test(refused), cmocka_unit_test(all_problems), cmocka_unit_test(failed_allocations)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
