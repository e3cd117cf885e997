/* Shape inference with symbols: what exporters write (Shape, Gather, Concat, Reshape ..) must come out as expressions. Expected texts are by
 * hand. */
#include "run_text.h"

static void type_text(const ingot__network *n, const ingot__value *v, char *text, size_t size) {
  size_t used = (size_t)snprintf(text, size, "%s", v->type.rank < 0 ? "*" : "");
  char dim[128];
  for (int i = 0; i < v->type.rank; i++) {
    ingot__dim_text(&n->dims, v->type.dim[i], dim, sizeof dim);
    used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", dim);
  }
  size_t count;
  if (!v->known || !ingot__type_count(&v->type, &count)) return;
  used += (size_t)snprintf(text + used, size - used, " {");
  for (size_t i = 0; i < count; i++) {
    ingot__dim_text(&n->dims, v->known[i], dim, sizeof dim);
    used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", dim);
  }
  snprintf(text + used, size - used, "}");
}

/* body without "network {" and "}"; the type of y, and its known elements in braces. */
static void expect(const char *body, const char *want) {
  char text[4096], have[1024];
  static ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  snprintf(text, sizeof text, "network {\n%s\noutput y\n}\n", body);
  ingot__network *n = NULL;
  ingot_status status = ingot__network_parse(NULL, text, strlen(text), &diag, &n);
  if (status == INGOT_OK) status = ingot__infer_network(n, &diag);
  if (status != INGOT_OK) fail_msg("%s\n%s", body, diag.text);
  type_text(n, n->main->output[0], have, sizeof have);
  if (strcmp(have, want) != 0) fail_msg("%s\ngives %s instead of %s", body, have, want);
  ingot__network_free(n);
}

#define IMAGE "input x: float32[N,3,H,W]\n"

static void chains(void **state) {
  (void)state;
  expect(IMAGE "y = Shape(x)", "4 {N,3,H,W}");
  expect(IMAGE "y = Shape(x) {start=-2}", "2 {H,W}");
  expect(IMAGE "y = Size(x)", " {H*N*W*3}");
  /* x.view(x.size(0), -1) */
  expect(IMAGE "s = Shape(x)\nconst zero: int64[] = {0}\nb = Gather(s, zero)\nconst axes: int64[1] = {0}\nu = Unsqueeze(b, axes)\n"
               "const rest: int64[1] = {-1}\nt = Concat(u, rest)\ny = Reshape(x, t)", "N,H*W*3");
  expect(IMAGE "const t: int64[3] = {0, 0, -1}\ny = Reshape(x, t)", "N,3,H*W");
  expect(IMAGE "const t: int64[2] = {-1, 3}\ny = Reshape(x, t)", "H*N*W,3");
  expect(IMAGE "y = Flatten(x)", "N,H*W*3");
  /* interpolate to twice the size, by sizes */
  expect(IMAGE "s = Shape(x) {start=2}\nconst two: int64[1] = {2}\nb = Mul(s, two)\nh = Shape(x) {end=2}\nt = Concat(h, b)\n"
               "y = Resize(x, _, _, t) {mode=\"linear\"}", "N,3,H*2,W*2");
  expect(IMAGE "const k: float32[4] = {1, 1, 2, 0.5}\ny = Resize(x, _, k)", "N,3,H*2,W/2");
  expect(IMAGE "const k: float32[4] = {1, 1, 1.5, 1}\ny = Resize(x, _, k)", "N,3,H+H/2,W");
  expect(IMAGE "s = Shape(x)\nc = Cast(s) {to=int32}\nd = Cast(c) {to=int64}\ny = ConstantOfShape(d) {value=int64[1]{1}}", "N,3,H,W");
  expect(IMAGE "s = Shape(x) {end=1}\nconst t: int64[2] = {1, 5}\nu = Concat(s, t)\n"
               "const one: float32[1,1,5] = {0, 0, 0, 0, 0}\ny = Expand(one, u)", "N,1,5");
  expect(IMAGE "s = Shape(x) {end=1}\nz = Squeeze(s)\nconst from: int64[] = {0}\nconst step: int64[] = {1}\ny = Range(from, z, step)", "N");
  expect("const a: int64[] = {2}\nconst b: int64[] = {9}\nconst c: int64[] = {3}\ny = Range(a, b, c)", "3 {2,5,8}");
}

static void slices(void **state) {
  (void)state;
#define SLICE(start, end, axis, step) IMAGE "const s: int64[1] = {" start "}\nconst e: int64[1] = {" end "}\nconst a: int64[1] = {" axis "}\n" \
  "const t: int64[1] = {" step "}\ny = Slice(x, s, e, a, t)"
  expect(SLICE("0", "9223372036854775807", "2", "1"), "N,3,H,W");
  expect(SLICE("1", "2147483647", "2", "1"), "N,3,H-1,W");
  expect(SLICE("0", "-1", "3", "1"), "N,3,H,W-1");
  expect(SLICE("-1", "9223372036854775807", "3", "1"), "N,3,H,1");
  expect(SLICE("-2", "9223372036854775807", "3", "1"), "N,3,H,W-max(W-2,0)"); /* 1 where W is */
  expect(SLICE("-9", "-2", "3", "1"), "N,3,H,-max(W-9,0)+max(W-2,0)");
  expect(SLICE("0", "9223372036854775807", "2", "2"), "N,3,(H+1)/2,W");
  expect(SLICE("0", "4", "2", "1"), "N,3,min(H,4),W");
  expect(SLICE("-1", "-9223372036854775808", "2", "-1"), "N,3,H,W");
  expect(SLICE("0", "2", "1", "1"), "N,2,H,W");
  /* position embeddings cut to the sequence's length */
  expect("input x: float32[N,L]\nconst p: float32[1,512,8] = random(3)\ns = Shape(x) {start=1}\nconst z: int64[1] = {0}\nconst a: int64[1] = {1}\n"
         "y = Slice(p, z, s, a)", "1,L,8");
  expect(IMAGE "s = Shape(x)\nconst b: int64[1] = {2}\nconst e: int64[1] = {4}\ny = Slice(s, b, e)", "2 {H,W}");
  expect(IMAGE "s = Shape(x)\nconst b: int64[1] = {-1}\nconst e: int64[1] = {-5}\nconst a: int64[1] = {0}\nconst t: int64[1] = {-1}\n"
               "y = Slice(s, b, e, a, t)", "4 {W,H,3,N}");
  /* nothing from nothing, wherever it starts; a start before the first element is the first */
#define BACKWARDS(n, start, end) "input x: float32[" n "]\nconst s: int64[1] = {" start "}\nconst e: int64[1] = {" end "}\n" \
  "const a: int64[1] = {0}\nconst t: int64[1] = {-1}\ny = Slice(x, s, e, a, t)"
  expect(BACKWARDS("0", "-1", "-9223372036854775808"), "0");
  expect(BACKWARDS("0", "0", "-1"), "0");
  expect(BACKWARDS("0", "5", "-5"), "0");
  expect(BACKWARDS("3", "-9", "-9"), "1");
}

static void known_elements(void **state) {
  (void)state;
  expect(IMAGE "s = Shape(x)\nconst n: int64[2] = {1, 3}\na, y = Split(s, n)", "3 {3,H,W}");
  expect(IMAGE "s = Shape(x)\nconst n: int64[2] = {2, 2}\nr = Reshape(s, n)\ny = Transpose(r)", "2,2 {N,H,3,W}");
  expect(IMAGE "s = Shape(x) {end=1}\nconst n: int64[1] = {3}\ny = Tile(s, n)", "3 {N,N,N}");
  expect(IMAGE "s = Shape(x) {end=1}\nconst n: int64[2] = {1, 2}\ny = Pad(s, n)", "4 {0,N,0,0}");
  expect(IMAGE "s = Shape(x)\nconst i: int64[1,1] = {1}\nconst u: int64[1] = {7}\ny = ScatterND(s, i, u)", "4 {N,7,H,W}");
  expect(IMAGE "s = Shape(x)\nconst i: int64[2] = {3, -4}\nconst u: int64[2] = {7, 8}\ny = ScatterElements(s, i, u)", "4 {8,3,H,7}");
  expect("const b: bool[4] = {true, false, true, true}\ny = NonZero(b)", "1,3 {0,2,3}");
  expect(IMAGE "s = Shape(x)\nconst i: int64[2,2] = {0, 1, -1, 2}\ny = Gather(s, i)", "2,2 {N,3,W,H}");
  expect(IMAGE "s = Shape(x)\ny = Identity(s)", "4 {N,3,H,W}");
}

static void unknown(void **state) {
  (void)state;
  expect("input x: float32[N,4]\ninput s: int64[3]\ny = Reshape(x, s)", "?,?,?");
  expect("input x: float32[N,4]\ninput s: int64[K]\ny = Reshape(x, s)", "*");
  expect("input x: float32[N,4]\ninput s: int64[2]\ny = Expand(x, s)", "?,4");
  expect("input s: int64[2]\ny = ConstantOfShape(s)", "?,?");
  expect("input x: float32[N,4]\ny = NonZero(x)", "2,?");
  expect("input x: float32[N,1]\ny = Squeeze(x)", "*");
  expect("input b: float32[N,K,4]\ninput s: float32[N,C,K]\nconst m: int64[1] = {5}\ny = NonMaxSuppression(b, s, m)", "?,3");
  expect("input c: bool[]\ninput x: float32[N,4]\ny = If(c) {then_branch={\na = Relu(x)\noutput a\n} else_branch={\n"
         "b = Transpose(x)\noutput b\n}}", "?,?");
}

static void loops(void **state) {
  (void)state;
#define LOOP(trip, condition) "input x: float32[N,4]\n" trip "y0, y = Loop(m, " condition ", x) {body={\n" \
  "input i: int64[]\ninput c: bool[]\ninput v: float32[*]\nk = Identity(c)\nw = Relu(v)\nq = Relu(w)\noutput k\noutput w\noutput q\n}}"
  expect(LOOP("const m: int64[] = {7}\n", "_"), "7,N,4");
  expect(LOOP("input on: bool[]\nconst m: int64[] = {7}\n", "on"), "?,N,4");
  expect(LOOP("input m: int64[]\n", "_"), "?,N,4");
  /* a carried value that grows */
  expect("input x: float32[N,4]\nconst m: int64[] = {3}\ny = Loop(m, _, x) {body={\ninput i: int64[]\ninput c: bool[]\ninput v: float32[*]\n"
         "k = Identity(c)\nw = Concat(v, x)\noutput k\noutput w\n}}", "?,4");
}

static void fails(const char *body, ingot_status status, const char *part) {
  char text[4096];
  snprintf(text, sizeof text, "network {\n%s\noutput y\n}\n", body);
  run_text r = {0};
  ingot_status have = run_text_run(&r, text);
  if (have != status) fail_msg("%s: status %d: %s", body, have, r.diag.text);
  if (!strstr(r.diag.text, part)) fail_msg("'%s' isn't in: %s", part, r.diag.text);
  run_text_free(&r);
}

static void errors(void **state) {
  (void)state;
#define SIX "const x: float32[2,3] = {1, 2, 3, 4, 5, 6}\n"
  fails(SIX "const s: int64[1] = {5}\ny = Reshape(x, s)", INGOT_E_SHAPE, "6 elements");
  fails(SIX "const s: int64[2] = {-1, -1}\ny = Reshape(x, s)", INGOT_E_SHAPE, "twice");
  fails(SIX "const s: int64[2] = {-1, 4}\ny = Reshape(x, s)", INGOT_E_SHAPE, "don't divide");
  fails(SIX "const s: int64[1] = {-2}\ny = Reshape(x, s)", INGOT_E_SHAPE, "-2");
  fails(SIX "const s: int64[3] = {2, 3, 0}\ny = Reshape(x, s)", INGOT_E_SHAPE, "0 at 2");
  fails(SIX "const s: int64[9] = {1, 1, 1, 1, 1, 1, 1, 2, 3}\ny = Reshape(x, s)", INGOT_E_LIMIT, "rank 9");
  fails(SIX "const s: int64[3] = {4611686018427387904, 4, 4}\ny = Reshape(x, s)", INGOT_E_LIMIT, "too many");
  fails(SIX "y = Transpose(x) {perm=[0, 0]}", INGOT_E_NETWORK, "perm");
  fails(SIX "const a: int64[1] = {0}\ny = Squeeze(x, a)", INGOT_E_SHAPE, "not 1");
  fails(SIX "const a: int64[2] = {0, 0}\ny = Unsqueeze(x, a)", INGOT_E_NETWORK, "twice");
  fails(SIX "const z: float32[1,2] = {1, 2}\ny = Concat(x, z) {axis=0}", INGOT_E_SHAPE, "3 and 2");
  fails(SIX "const z: int64[2,3] = {1, 2, 3, 4, 5, 6}\ny = Concat(x, z)", INGOT_E_TYPE, "int64");
  fails(SIX "const s: int64[2] = {1, 3}\ny, z = Split(x, s) {axis=1}", INGOT_E_SHAPE, "add up to 4");
  fails(SIX "const s: int64[1] = {0}\nconst e: int64[1] = {1}\nconst t: int64[1] = {0}\ny = Slice(x, s, e, s, t)", INGOT_E_NETWORK, "step");
  fails(SIX "const p: int64[4] = {0, -2, 0, -2}\ny = Pad(x, p)", INGOT_E_SHAPE, "cropped");
  fails(SIX "const p: int64[3] = {0, 1, 1}\ny = Pad(x, p)", INGOT_E_SHAPE, "two each");
  fails(SIX "const s: int64[1] = {2}\ny = Expand(x, s)", INGOT_E_SHAPE, "3 and 2");
  fails(SIX "const i: int64[1] = {2}\ny = Gather(x, i)", INGOT_E_SHAPE, "index 2");
  fails(SIX "const i: int64[1,1] = {-4}\ny = GatherElements(x, i) {axis=1}", INGOT_E_SHAPE, "index -4");
  fails(SIX "const i: int64[1,2] = {0, 3}\ny = GatherND(x, i)", INGOT_E_SHAPE, "index 3");
  fails(SIX "const i: int64[1,1] = {-3}\nconst u: float32[1,3] = {0, 0, 0}\ny = ScatterND(x, i, u)", INGOT_E_SHAPE, "index -3");
  fails(SIX "const i: int64[1,1] = {2}\nconst u: float32[1,1] = {0}\ny = ScatterElements(x, i, u)", INGOT_E_SHAPE, "index 2");
  fails("const s: int64[1] = {-1}\ny = ConstantOfShape(s)", INGOT_E_SHAPE, "-1");
  fails("const a: int64[] = {1}\nconst z: int64[] = {0}\ny = Range(a, a, z)", INGOT_E_SHAPE, "delta");
  fails(SIX "const k: float32[2] = {1, 0}\ny = Resize(x, _, k)", INGOT_E_SHAPE, "scale 1");
  fails(SIX "const k: float32[3] = {1, 1, 1}\ny = Resize(x, _, k)", INGOT_E_SHAPE, "3 scales");
  fails(SIX "const k: float32[2] = {1, 1}\ny = Resize(x, _, k) {mode=\"area\"}", INGOT_E_NETWORK, "mode");
  fails(SIX "y = Cast(x) {to=complex64}", INGOT_E_UNSUPPORTED, "complex64");
  fails(SIX "const s: float32[2] = {1, 2}\ny = QuantizeLinear(x, s)", INGOT_E_SHAPE, "3 and 2");
  fails(SIX "const s: float32[] = {1}\ny = DequantizeLinear(x, s)", INGOT_E_TYPE, "float32");
  fails("const x: float32[1,1,2] = {1, 2}\nconst w: float32[1,4,3] = random(1)\nconst r: float32[1,4,1] = random(2)\n"
        "y = LSTM(x, w, r) {hidden_size=1}",
        INGOT_E_SHAPE, "3 and 2");
  fails("const x: float32[2,1,2] = {1, 2, 3, 4}\nconst w: float32[1,1,2] = random(1)\nconst r: float32[1,1,1] = random(2)\nconst l: int32[1] = {3}\n"
        "y = RNN(x, w, r, _, l) {hidden_size=1}", INGOT_E_SHAPE, "length 3");
}

/* Results of Loop and If: by hand. */
static void control(void **state) {
  (void)state;
  static const struct { const char *text; int n; int64_t want[2][8]; int64_t dim; } cases[] = {
    /* Fibonacci: two carried values that move on, scanned; stops after five of at most ten when the condition says so */
    {"network {\nconst m: int64[] = {10}\nconst on: bool[] = {true}\nconst a: int64[1] = {0}\nconst b: int64[1] = {1}\n"
     "x, z, s = Loop(m, on, a, b) {body={\n"
     "input i: int64[]\ninput c: bool[]\ninput p: int64[1]\ninput q: int64[1]\nn = Add(p, q)\nconst last: int64[] = {4}\nk = Less(i, last)\n"
     "r = Identity(q)\noutput k\noutput q\noutput n\noutput r\n}}\noutput z\noutput s\n}\n", 2, {{8}, {1, 1, 2, 3, 5}}, 5},
    /* carried values that change places */
    {"network {\nconst m: int64[] = {3}\nconst a: int64[2] = {1, 2}\nconst b: int64[2] = {3, 4}\nx, z = Loop(m, _, a, b) {body={\ninput i: int64[]\n"
     "input c: bool[]\ninput p: int64[2]\ninput q: int64[2]\noutput c\noutput q\noutput p\n}}\noutput x\noutput z\n}\n", 2, {{3, 4}, {1, 2}}, 2},
    /* none at all */
    {"network {\nconst m: int64[] = {0}\nconst a: int64[2] = {1, 2}\nx = Loop(m, _, a) {body={\ninput i: int64[]\ninput c: bool[]\n"
     "input p: int64[2]\nq = Neg(p)\noutput c\noutput q\n}}\noutput x\n}\n", 1, {{1, 2}}, 0},
    {"network {\nconst m: int64[] = {20}\nconst a: int64[] = {0}\nx, s = Loop(m, _, a) {body={\ninput i: int64[]\ninput c: bool[]\ninput p: int64[]\n"
     "q = Add(p, i)\nr = Identity(q)\noutput c\noutput q\noutput r\n}}\noutput x\n}\n", 1, {{190}}, 0},
    {"network {\nconst k: bool[] = {false}\nconst a: int64[2] = {1, 2}\ny = If(k) {then_branch={\nb = Identity(a)\noutput b\n} else_branch={\n"
     "d = Neg(a)\noutput d\n}}\noutput y\n}\n", 1, {{-1, -2}}, 0},
  };
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    run_text r = {0};
    if (run_text_run(&r, cases[c].text) != INGOT_OK) fail_msg("%zu: %s", c, r.diag.text);
    for (int o = 0; o < cases[c].n; o++) {
      ingot__view v = run_text_output(&r, (size_t)o);
      for (size_t i = 0; i < (size_t)ingot__view_count(&v); i++) assert_int_equal(ingot__get_int(v.dtype, v.data, i), cases[c].want[o][i]);
      if (o == 1) assert_int_equal(v.dim[0], cases[c].dim);
    }
    run_text_free(&r);
  }
}

/* Every allocation of inference may fail. */
static ingot_status try(const ingot_env *env, void *user) {
  (void)user;
  static const char text[] = "network {\n" IMAGE "s = Shape(x)\nconst i: int64[2] = {2, 3}\ng = Gather(s, i)\nconst two: int64[1] = {2}\n"
                             "b = Mul(g, two)\nh = Shape(x) {end=2}\nt = Concat(h, b)\nz = Resize(x, _, _, t)\ny = Flatten(z)\noutput y\n}\n";
  static ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot__network *n;
  INGOT_TRY(ingot__network_parse(env, text, sizeof text - 1, &diag, &n));
  ingot_status status = ingot__infer_network(n, &diag);
  ingot__network_free(n);
  return status;
}
static void out_of_memory(void **state) {
  (void)state;
  testing_fail_each(try, NULL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(chains), cmocka_unit_test(slices), cmocka_unit_test(known_elements), cmocka_unit_test(unknown), cmocka_unit_test(loops),
    cmocka_unit_test(errors), cmocka_unit_test(control), cmocka_unit_test(out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
