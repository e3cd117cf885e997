/* The float32 products against their definition, computed here in double: every kernel that takes a call, on every instruction set, with one
 * and two threads, dense and as slices of larger buffers, whose other elements must stay as they were.
 * INGOT_TEST_SECONDS 300 */
#include "testing.h"
#include "backend/product_call.h"

static ingot__pool *pools[3];

/* Runs every kernel that takes the call and compares the whole output buffer with `expect`; `what` names the call in failures. */
static void check_kernels(product_call *p, const float *expect, double tolerance, const char *what) {
  const size_t n_memory = p->n_memory;
  int tried = 0;
  for (TESTING_EACH_ISA(isa)) {
    const ingot__kernel *list[32];
    size_t count = ingot__cpu_backend.candidates(&p->call, list, 32);
    for (size_t k = 0; k < count; k++)
      for (int threads = 1; threads <= 2; threads++) {
        if (list[k]->level != isa || strcmp(list[k]->name, "reference") == 0) continue;
        const ingot__view in1 = p->in[1], in2 = p->in[2];
        for (size_t i = 0; i < p->out_floats; i++) p->out_memory[i] = 777.0f;
        product_prepare(p, list[k], threads, pools[threads]);
        if (list[k]->functions->packs_inputs & 2) p->in[1].data = NULL;
        if (list[k]->functions->packs_inputs & 4) p->in[2].data = NULL;
        assert_int_equal(list[k]->functions->run(&p->call), INGOT_OK);
        p->in[1] = in1, p->in[2] = in2;
        tried++;
        double most = strstr(list[k]->name, "winograd") ? tolerance * 5 : tolerance;
        for (size_t i = 0; i < p->out_floats; i++)
          if (!testing_close(p->out_memory[i], expect[i], 1e-5, most))
            fail_msg("%s, %d threads, %s: element %zu is %g, not %g", list[k]->name, threads, what, i, (double)p->out_memory[i], (double)expect[i]);
        while (p->n_memory > n_memory) free(p->memory[--p->n_memory]);
      }
  }
  if (!tried) fail_msg("no kernel takes %s", what);
}

/* A copy of the output's buffer with `value(index)` in the view's elements. */
static float *expected(product_call *p, double (*value)(const product_call *p, const void *shape, const int64_t *index), const void *shape) {
  const ingot__view *y = &p->out[0];
  float *expect = product_memory(p, p->out_floats * sizeof(float));
  memcpy(expect, p->out_memory, p->out_floats * sizeof(float));
  float *first = expect + ((float *)y->data - p->out_memory);
  int64_t index[INGOT_MAX_RANK] = {0};
  for (int64_t left = ingot__view_count(y); left > 0; left--) {
    first[product_at(y, index)] = (float)value(p, shape, index);
    for (int i = y->rank - 1; i >= 0 && ++index[i] == y->dim[i]; i--) index[i] = 0;
  }
  return expect;
}

static double conv_value(const product_call *p, const void *shape, const int64_t *index) {
  const conv_shape *s = shape;
  return conv_expect(p, s, index[0], index[1], s->rank == 4 ? index[2] : 0, index[s->rank - 1]);
}
static double matmul_value(const product_call *p, const void *shape, const int64_t *index) { return matmul_expect(p, shape, index); }

static void check_conv(const conv_shape *s, ingot__layout in, ingot__layout out) {
  product_call p;
  product_conv(&p, s, in, out);
  char what[256];
  snprintf(what, sizeof what,
           "%lldx%lldx%lldx%lld -> %lld, %lldx%lld stride %lld,%lld pad %lld,%lld,%lld,%lld dilation %lld group %lld act %s slack %lld,%lld",
           (long long)s->n, (long long)s->c, (long long)s->h, (long long)s->w, (long long)s->oc, (long long)s->kh, (long long)s->kw, (long long)s->sh,
           (long long)s->sw, (long long)s->ph, (long long)s->pw, (long long)s->ph2, (long long)s->pw2, (long long)s->dw, (long long)s->group,
           ingot__act_name(s->act), (long long)s->in_slack, (long long)s->out_slack);
  check_kernels(&p, expected(&p, conv_value, s), 8e-6 * (1 + sqrt((double)(s->c / s->group * s->kh * s->kw))), what);
  product_free(&p);
}

static double transposed_value(const product_call *p, const void *shape, const int64_t *index) {
  const conv_shape *s = shape;
  return transposed_expect(p, s, index[0], index[1], s->rank == 4 ? index[2] : 0, index[s->rank - 1]);
}

static void transposed_both(conv_shape s) {
  s = conv_filled(s);
  for (int slack = 0; slack < 2; slack++) {
    s.in_slack = slack * 6, s.out_slack = slack * 9;
    product_call p;
    product_transposed(&p, &s);
    char what[256];
    snprintf(what, sizeof what,
             "transposed %lldx%lldx%lldx%lld -> %lld, %lldx%lld stride %lld,%lld pad %lld,%lld dilation %lld group %lld slack %d", (long long)s.n,
             (long long)s.c, (long long)s.h, (long long)s.w, (long long)s.oc, (long long)s.kh, (long long)s.kw, (long long)s.sh, (long long)s.sw,
             (long long)s.ph, (long long)s.pw, (long long)s.dw, (long long)s.group, slack);
    check_kernels(&p, expected(&p, transposed_value, &s), 8e-6 * (1 + sqrt((double)(s.c / s.group * s.kh * s.kw))), what);
    product_free(&p);
  }
}

static void transposed(void **state) {
  (void)state;
  static const int64_t channels[] = {1, 5, 16, 40}, sizes[] = {1, 2, 7, 16};
  for (size_t i = 0; i < 4; i++)
    for (size_t j = 0; j < 4; j++) {
      const int64_t c = channels[i], oc = channels[(i + j) % 4], h = sizes[(j + 1) % 4], w = sizes[j];
      transposed_both((conv_shape){.c = c, .oc = oc, .h = h, .w = w, .kh = 2, .kw = 2, .sh = 2, .sw = 2, .residual = j % 2, .act = INGOT__ACT_RELU});
      transposed_both((conv_shape){.c = c, .oc = oc, .h = h + 1, .w = w + 1, .kh = 3, .kw = 3, .sh = 2, .sw = 2, .ph = 1, .pw = 1, .ph2 = 1,
                                   .pw2 = 1, .oph = 1, .opw = 1});
      transposed_both((conv_shape){.c = c, .oc = oc, .h = h, .w = w, .kh = 4, .kw = 4, .sh = 2, .sw = 2, .ph = 1, .pw = 1, .ph2 = 1, .pw2 = 1,
                                   .n = 2});
      transposed_both((conv_shape){.c = c, .oc = oc, .h = h, .w = w, .kh = 3, .kw = 2, .sh = 4, .sw = 3, .no_bias = true});
      transposed_both((conv_shape){.c = c, .oc = oc, .h = h + 2, .w = w + 2, .kh = 3, .kw = 3, .ph = 1, .pw = 1, .ph2 = 1, .pw2 = 1});
      transposed_both((conv_shape){.c = c, .oc = oc, .h = h + 2, .w = w + 2, .kh = 3, .kw = 3, .sh = 2, .sw = 3, .dh = 3, .dw = 2, .ph = 2, .pw = 1,
                                   .ph2 = 1});
    }
  transposed_both((conv_shape){.c = 12, .oc = 6, .h = 5, .w = 9, .kh = 4, .kw = 4, .sh = 2, .sw = 2, .ph = 1, .pw = 1, .ph2 = 1, .pw2 = 1,
                               .group = 3});
  transposed_both((conv_shape){.rank = 3, .n = 2, .c = 12, .oc = 20, .w = 19, .kw = 5, .sw = 3, .pw = 2, .pw2 = 1});
  transposed_both((conv_shape){.c = 130, .oc = 200, .h = 4, .w = 20, .kh = 2, .kw = 2, .sh = 2, .sw = 2});
}

static void check_matmul(matmul_shape s) {
  for (int constant = 0; constant < 2; constant++)
    for (int i = 0; i < 8; i++) {
      s.constant = constant && s.b_rank <= 2;
      s.bias = i & 1 && s.b_rank > 1, s.residual = i & 2;
      s.out_slack = i & 4 ? 5 : 0, s.a_slack = i & 4 ? 3 : 0, s.b_slack = i & 4 && !s.constant ? 7 : 0;
      product_call p;
      product_matmul(&p, &s);
      char what[256];
      snprintf(what, sizeof what, "%dd%s %lldx%lld times %dd%s %lldx%lld%s, bias %d, residual %d, slack %d", s.a_rank, s.trans_a ? "^T" : "",
               (long long)s.m,
               (long long)s.k, s.b_rank, s.trans_b ? "^T" : "", (long long)s.k, (long long)s.n, s.constant ? " (constant)" : "", s.bias, s.residual,
                 i & 4);
      check_kernels(&p, expected(&p, matmul_value, &s), 8e-6 * (1 + sqrt((double)s.k)), what);
      product_free(&p);
    }
}

static void matrices(void **state) {
  (void)state;
  static const int64_t m[] = {1, 2, 5, 14, 17, 30}, k[] = {1, 3, 16, 37}, n[] = {1, 7, 16, 33, 70};
  for (size_t i = 0; i < 6; i++)
    for (size_t j = 0; j < 4; j++)
      for (size_t l = 0; l < 5; l++)
        check_matmul((matmul_shape){.a_rank = 2, .b_rank = 2, .m = m[i], .k = k[j], .n = n[l], .trans_a = (i + j) % 3 == 0, .trans_b = (j + l) % 2,
                                    .act = l % 2 ? INGOT__ACT_GELU : INGOT__ACT_NONE, .alpha = j % 2 ? 0.5f : 0});
  check_matmul((matmul_shape){.a_rank = 2, .b_rank = 2, .m = 60, .k = 1200, .n = 300});
  check_matmul((matmul_shape){.a_rank = 2, .b_rank = 2, .m = 1, .k = 1200, .n = 1000, .trans_b = true});
}

static void batches(void **state) {
  (void)state;
  for (int t = 0; t < 4; t++) {
    const bool ta = t & 1, tb = t & 2;
    check_matmul((matmul_shape){.a_rank = 3, .b_rank = 3, .a_batch = {4}, .b_batch = {4}, .m = 19, .k = 24, .n = 35, .trans_a = ta, .trans_b = tb});
    check_matmul((matmul_shape){.a_rank = 4, .b_rank = 4, .a_batch = {2, 3}, .b_batch = {2, 3}, .m = 20, .k = 33, .n = 20, .trans_a = ta,
                                .trans_b = tb});
    check_matmul((matmul_shape){.a_rank = 4, .b_rank = 4, .a_batch = {2, 1}, .b_batch = {1, 3}, .m = 7, .k = 9, .n = 17, .trans_a = ta,
                                .trans_b = tb});
    check_matmul((matmul_shape){.a_rank = 3, .b_rank = 2, .a_batch = {5}, .m = 9, .k = 20, .n = 40, .trans_a = ta, .trans_b = tb});
    check_matmul((matmul_shape){.a_rank = 2, .b_rank = 3, .b_batch = {5}, .m = 9, .k = 20, .n = 40, .trans_a = ta, .trans_b = tb});
    check_matmul((matmul_shape){.a_rank = 4, .b_rank = 3, .a_batch = {2, 3}, .b_batch = {1}, .m = 1, .k = 20, .n = 40, .trans_a = ta, .trans_b = tb});
  }
  check_matmul((matmul_shape){.a_rank = 1, .b_rank = 2, .m = 1, .k = 20, .n = 40});
  check_matmul((matmul_shape){.a_rank = 3, .b_rank = 1, .a_batch = {3}, .m = 6, .k = 20, .n = 1});
  check_matmul((matmul_shape){.a_rank = 1, .b_rank = 3, .b_batch = {3}, .m = 1, .k = 20, .n = 6});
  check_matmul((matmul_shape){.a_rank = 1, .b_rank = 1, .m = 1, .k = 20, .n = 1});
}

static void conv_both(conv_shape s) {
  s = conv_filled(s);
  check_conv(&s, INGOT__CHANNELS_LAST, INGOT__CHANNELS_LAST);
  s.in_slack = 5, s.out_slack = 3;
  check_conv(&s, INGOT__CHANNELS_LAST, INGOT__CHANNELS_LAST);
  s.in_slack = 0;
  if (s.group == 1 && s.c <= 8) check_conv(&s, INGOT__PLAIN, INGOT__CHANNELS_LAST);
}

#define SHAPE(...) ((conv_shape){__VA_ARGS__})
#define SAME1 .ph = 1, .pw = 1, .ph2 = 1, .pw2 = 1

static void pointwise(void **state) {
  (void)state;
  static const int64_t channels[] = {1, 3, 8, 16, 21, 33, 64, 100}, sizes[] = {1, 2, 5, 7, 14, 15, 29};
  for (size_t i = 0; i < 8; i++)
    for (size_t j = 0; j < 7; j++)
      conv_both(SHAPE(.c = channels[i], .oc = channels[(i * 3 + j) % 8], .h = sizes[(j + 1) % 4], .w = sizes[j], .kh = 1, .kw = 1,
                      .residual = j % 2, .act = j % 3 == 0 ? INGOT__ACT_RELU : INGOT__ACT_NONE, .n = 1 + (int64_t)(i % 2)));
  conv_both(SHAPE(.c = 20, .oc = 40, .h = 9, .w = 11, .kh = 1, .kw = 1, .sh = 2, .sw = 2));
  conv_both(SHAPE(.c = 20, .oc = 40, .h = 9, .w = 11, .kh = 1, .kw = 1, .sh = 2, .sw = 3, .n = 2, .residual = true));
  conv_both(SHAPE(.c = 20, .oc = 20, .h = 4, .w = 4, .kh = 1, .kw = 1, SAME1));
}

static void spatial(void **state) {
  (void)state;
  static const int64_t channels[] = {1, 3, 4, 16, 20, 35, 64}, sizes[] = {3, 5, 7, 14, 15, 17, 30};
  for (size_t i = 0; i < 7; i++)
    for (size_t j = 0; j < 7; j++)
      conv_both(SHAPE(.c = channels[i], .oc = channels[(i + j) % 7], .h = sizes[(i + 2) % 5], .w = sizes[j], .kh = 3, .kw = 3, SAME1,
                      .sh = 1 + (int64_t)(j % 3 == 2), .sw = 1 + (int64_t)(j % 3 == 2), .residual = i % 2, .no_bias = j % 2,
                      .act = i % 2 ? INGOT__ACT_RELU : INGOT__ACT_NONE));
  conv_both(SHAPE(.c = 3, .oc = 64, .h = 30, .w = 41, .kh = 7, .kw = 7, .sh = 2, .sw = 2, .ph = 3, .pw = 3, .ph2 = 3, .pw2 = 3));
  conv_both(SHAPE(.c = 3, .oc = 20, .h = 27, .w = 35, .kh = 11, .kw = 11, .sh = 4, .sw = 4, .ph = 2, .pw = 2, .ph2 = 2, .pw2 = 2));
  conv_both(SHAPE(.c = 20, .oc = 37, .h = 14, .w = 11, .kh = 5, .kw = 5, .ph = 2, .pw = 1, .ph2 = 2, .pw2 = 0, .n = 2, .residual = true,
                  .act = INGOT__ACT_SILU));
  conv_both(SHAPE(.c = 12, .oc = 24, .h = 9, .w = 9, .kh = 5, .kw = 5, .ph = 2, .pw = 2, .ph2 = 2, .pw2 = 2, .n = 3));
  conv_both(SHAPE(.c = 12, .oc = 24, .h = 12, .w = 13, .kh = 3, .kw = 3, .ph = 2, .pw = 2, .ph2 = 2, .pw2 = 2, .dh = 2, .dw = 2));
  conv_both(SHAPE(.c = 6, .oc = 24, .h = 20, .w = 20, .kh = 3, .kw = 3, .ph = 6, .pw = 6, .ph2 = 6, .pw2 = 6, .dh = 6, .dw = 6));
  conv_both(SHAPE(.c = 12, .oc = 24, .h = 8, .w = 9, .kh = 1, .kw = 7, .pw = 3, .pw2 = 3));
  conv_both(SHAPE(.c = 12, .oc = 24, .h = 8, .w = 9, .kh = 7, .kw = 1, .ph = 3, .ph2 = 3));
  conv_both(SHAPE(.c = 4, .oc = 24, .h = 8, .w = 9, .kh = 2, .kw = 4, .ph2 = 1, .pw = 3, .pw2 = 0));
  conv_both(SHAPE(.c = 5, .oc = 7, .h = 2, .w = 2, .kh = 3, .kw = 3, .ph = 4, .pw = 4, .ph2 = 4, .pw2 = 4));
  conv_both(SHAPE(.c = 32, .oc = 32, .h = 13, .w = 10, .kh = 3, .kw = 3, .ph = 0, .pw = 0));
  conv_both(SHAPE(.c = 32, .oc = 48, .h = 4, .w = 4, .kh = 3, .kw = 3, .ph = 1, .pw = 0, .ph2 = 2, .pw2 = 3, .n = 2, .residual = true));
}

static void one_dimension(void **state) {
  (void)state;
  conv_both((conv_shape){.rank = 3, .n = 2, .c = 12, .h = 1, .w = 33, .oc = 20, .kw = 5, .sw = 2, .pw = 2, .pw2 = 2,
                         .residual = true});
  conv_both((conv_shape){.rank = 3, .n = 2, .c = 12, .h = 1, .w = 33, .oc = 20, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1, .dw = 1, .group = 1});
  conv_both((conv_shape){.rank = 3, .n = 1, .c = 3, .h = 1, .w = 50, .oc = 20, .kh = 1, .kw = 3, .sh = 1, .sw = 1, .dh = 1, .dw = 2, .pw = 2,
                         .pw2 = 2, .group = 1});
}

static void grouped(void **state) {
  (void)state;
  static const int64_t widths[][3] = {{2, 8, 8}, {4, 4, 4}, {6, 4, 8}, {3, 24, 24}, {2, 16, 32}, {4, 5, 3}, {16, 1, 1}, {6, 1, 2}, {32, 4, 4}, {3,
      20, 40}};
  for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
    for (int64_t k = 1; k <= 3; k += 2)
      for (int64_t stride = 1; stride <= 2; stride++)
        conv_both(SHAPE(.group = widths[i][0], .c = widths[i][0] * widths[i][1], .oc = widths[i][0] * widths[i][2], .h = 9, .w = 17, .kh = k, .kw = k,
                        .ph = k / 2, .pw = k / 2, .ph2 = k / 2, .pw2 = k / 2, .sh = stride, .sw = stride, .residual = i % 2));
}

static void activations(void **state) {
  (void)state;
  for (int act = 0; act < INGOT__ACT_COUNT; act++)
    conv_both(SHAPE(.c = 10, .oc = 37, .h = 5, .w = 16, .kh = 3, .kw = 3, SAME1, .act = (ingot__act)act,
                    .alpha = act == INGOT__ACT_CLIP ? -0.5f : 0.2f,
                    .beta = 0.6f, .residual = true));
}

static void large(void **state) {
  (void)state;
  conv_both(SHAPE(.c = 160, .oc = 130, .h = 8, .w = 14, .kh = 3, .kw = 3, SAME1, .residual = true, .act = INGOT__ACT_RELU));
  conv_both(SHAPE(.c = 300, .oc = 200, .h = 7, .w = 7, .kh = 3, .kw = 3, SAME1));
  conv_both(SHAPE(.c = 512, .oc = 600, .h = 3, .w = 9, .kh = 1, .kw = 1));
}

static double attention_value(const product_call *p, const void *shape, const int64_t *index) { return attention_expect(p, shape, index); }

static void attention(void **state) {
  (void)state;
  static const attention_shape shapes[] = {
    {.batch = 1, .heads = 3, .l = 20, .s = 20, .d = 16, .e = 16}, {.batch = 2, .heads = 2, .l = 1, .s = 9, .d = 5, .e = 7, .mask_rank = 4},
    {.batch = 1, .heads = 2, .l = 33, .s = 50, .d = 24, .e = 40, .mask_rank = 2, .slack = 6}, {.batch = 2, .heads = 3, .l = 15, .s = 3, .d = 64,
        .e = 1, .scale = 0.3f},
    {.batch = 2, .heads = 3, .l = 15, .s = 35, .d = 8, .e = 20, .shared = true, .mask_rank = 4}, {.batch = 1, .heads = 1, .l = 49, .s = 49, .d = 32,
        .e = 32, .scale = 4},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    product_call p;
    product_attention(&p, &shapes[i]);
    char what[64];
    snprintf(what, sizeof what, "attention, shape %zu", i);
    check_kernels(&p, expected(&p, attention_value, &shapes[i]), 2e-6, what);
    product_free(&p);
  }
}

static int set_up(void **state) {
  (void)state;
  static ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  return ingot__pool_create(&heap, 1, NULL, &pools[1]) || ingot__pool_create(&heap, 2, NULL, &pools[2]);
}
static int tear_down(void **state) {
  (void)state;
  ingot__pool_destroy(pools[1]);
  ingot__pool_destroy(pools[2]);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pointwise), cmocka_unit_test(spatial), cmocka_unit_test(one_dimension),
    cmocka_unit_test(grouped), cmocka_unit_test(activations), cmocka_unit_test(large), cmocka_unit_test(matrices), cmocka_unit_test(batches),
      cmocka_unit_test(transposed), cmocka_unit_test(attention),
  };
  return cmocka_run_group_tests_name("cpu products", tests, set_up, tear_down);
}
