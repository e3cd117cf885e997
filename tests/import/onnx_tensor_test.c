/* TensorProto in all its encodings, external data, and test_data_set files. Expected elements follow from onnx.proto's description.
 * INGOT_TEST_ASAN */
#include "import/onnx_bytes.h"
#include "base/dtype.h"
#include "import/onnx/onnx.h"
#include <sys/stat.h>

static ingot__diag diag;
static ingot__heap heap;
static ingot__arena arena;

static int setup(void **state) {
  (void)state;
  ingot__heap_init(&heap, NULL);
  ingot__arena_init(&arena, &heap);
  return 0;
}
static int teardown(void **state) {
  (void)state;
  ingot__arena_free(&arena);
  msg_free_all();
  return 0;
}

static ingot__literal read_tensor(msg t) {
  ingot__literal l = {0};
  const char *name = NULL;
  ingot__diag_init(&diag, "t.pb");
  if (ingot__onnx_load_tensor(&heap, &arena, t.p, t.n, &diag, &l, &name) != INGOT_OK) fail_msg("%s", diag.text);
  assert_string_equal(name, "t");
  memset(t.p, 0xee, t.n); /* the elements must not lie in there any more */
  return l;
}
static void refuse(msg t, ingot_status expected, const char *text) {
  ingot__literal l;
  ingot__diag_init(&diag, "t.pb");
  ingot_status status = ingot__onnx_load_tensor(&heap, &arena, t.p, t.n, &diag, &l, NULL);
  if (status != expected || !strstr(diag.text, text)) fail_msg("status %d, %s", (int)status, diag.text);
}

static const int64_t two = 2, three = 3, four = 4;

static void test_raw(void **state) {
  (void)state;
  static const float f[6] = {1, 2, 3, 4, 5, 6};
  ingot__literal l = read_tensor(tensor("t", INGOT_FLOAT32, 2, (int64_t[]){2, 3}, f, sizeof f));
  assert_int_equal(l.dtype, INGOT_FLOAT32);
  assert_int_equal(l.rank, 2);
  assert_true(l.dim[0] == 2 && l.dim[1] == 3 && l.bytes == 24);
  assert_memory_equal(l.data, f, 24);
  l = read_tensor(tensor("t", INGOT_FLOAT32, 0, NULL, f, 4));
  assert_true(l.rank == 0 && l.bytes == 4);
  l = read_tensor(tensor("t", INGOT_FLOAT32, 2, (int64_t[]){0, 3}, f, 0));
  assert_true(l.rank == 2 && l.bytes == 0);
  l = read_tensor(tensor("t", INGOT_INT4, 1, &three, "\x21\x03", 2)); /* the low half first */
  assert_int_equal(l.bytes, 2);
  for (size_t i = 0; i < 3; i++) assert_int_equal(ingot__get_int(INGOT_INT4, l.data, i), i + 1);
  l = read_tensor(tensor("t", INGOT_UINT2, 1, (int64_t[]){5}, "\xe4\x02", 2)); /* four to a byte */
  for (size_t i = 0; i < 5; i++) assert_int_equal(ingot__get_int(INGOT_UINT2, l.data, i), i < 4 ? i : 2);
  l = read_tensor(tensor("t", INGOT_FLOAT6E2M3, 1, (int64_t[]){5}, "\x81\x30\x10\x05", 4)); /* 1, 2, 3, 4, 5 of 6 bits each */
  assert_int_equal(l.bytes, 5);
  assert_memory_equal(l.data, "\x01\x02\x03\x04\x05", 5);
  l = read_tensor(tensor("t", INGOT_BOOL, 1, &three, "\x00\x01\x80", 3)); /* anything but 0 is true, and 1 in memory */
  assert_memory_equal(l.data, "\x00\x01\x01", 3);
}

static void test_typed(void **state) {
  (void)state;
  msg t = tensor_begin("t", INGOT_FLOAT32, 1, &three), packed = {0};
  put_float(&t, 4, 1.5f), put_float(&t, 4, -2), put_float(&t, 4, 3);
  assert_memory_equal(read_tensor(t).data, ((float[]){1.5f, -2, 3}), 12);

  t = tensor_begin("t", INGOT_FLOAT32, 1, &three);
  put_data(&t, 4, (float[]){1.5f, -2}, 8), put_float(&t, 4, 3); /* packed and not */
  assert_memory_equal(read_tensor(t).data, ((float[]){1.5f, -2, 3}), 12);

  t = tensor_begin("t", INGOT_FLOAT64, 1, &two);
  put_data(&t, 10, (double[]){0.1, -1e300}, 16);
  assert_memory_equal(read_tensor(t).data, ((double[]){0.1, -1e300}), 16);

  t = tensor_begin("t", INGOT_INT64, 1, &three);
  put_int(&t, 7, -1), put_int(&t, 7, INT64_MIN), put_int(&t, 7, 300);
  assert_memory_equal(read_tensor(t).data, ((int64_t[]){-1, INT64_MIN, 300}), 24);

  t = tensor_begin("t", INGOT_INT32, 1, &three);
  put_varint(&packed, UINT64_MAX), put_varint(&packed, 5), put_varint(&packed, 70000);
  put_msg(&t, 5, packed);
  assert_memory_equal(read_tensor(t).data, ((int32_t[]){-1, 5, 70000}), 12);

  t = tensor_begin("t", INGOT_UINT64, 1, &two);
  put_int(&t, 11, -1), put_int(&t, 11, 7);
  assert_memory_equal(read_tensor(t).data, ((uint64_t[]){UINT64_MAX, 7}), 16);

  t = tensor_begin("t", INGOT_UINT32, 1, &two);
  put_int(&t, 11, UINT32_MAX), put_int(&t, 11, 7);
  assert_memory_equal(read_tensor(t).data, ((uint32_t[]){UINT32_MAX, 7}), 8);

  static const int narrow[] = {INGOT_FLOAT16, INGOT_BFLOAT16, INGOT_UINT16, INGOT_INT16};
  for (size_t i = 0; i < 4; i++) {
    t = tensor_begin("t", narrow[i], 1, &two);
    put_int(&t, 5, 0x3c00), put_int(&t, 5, 0x7fff);
    assert_memory_equal(read_tensor(t).data, ((uint16_t[]){0x3c00, 0x7fff}), 4);
  }
  static const int bytes[] = {INGOT_UINT8, INGOT_FLOAT8E4M3FN, INGOT_FLOAT8E5M2};
  for (size_t i = 0; i < 3; i++) {
    t = tensor_begin("t", bytes[i], 1, &two);
    put_int(&t, 5, 200), put_int(&t, 5, 1);
    assert_memory_equal(read_tensor(t).data, "\xc8\x01", 2);
  }
  t = tensor_begin("t", INGOT_INT8, 1, &two);
  put_int(&t, 5, -3), put_int(&t, 5, 127);
  assert_memory_equal(read_tensor(t).data, "\xfd\x7f", 2);

  t = tensor_begin("t", INGOT_UINT4, 1, &three); /* two to a byte there too */
  put_int(&t, 5, 0x21), put_int(&t, 5, 0x03);
  assert_memory_equal(read_tensor(t).data, "\x21\x03", 2);

  t = tensor_begin("t", INGOT_COMPLEX64, 1, &two);
  put_data(&t, 4, (float[]){1, 2, 3, 4}, 16);
  assert_int_equal(read_tensor(t).bytes, 16);

  t = tensor_begin("t", INGOT_STRING, 1, &two);
  put_text(&t, 6, "one"), put_text(&t, 6, "");
  const ingot_string *strings = read_tensor(t).data;
  assert_string_equal(strings[0].data, "one");
  assert_int_equal(strings[0].size, 3);
  assert_string_equal(strings[1].data, "");
}

static void test_wrong(void **state) {
  (void)state;
  static const float f[6] = {0};
  refuse(tensor("t", INGOT_FLOAT32, 1, &three, f, 8), INGOT_E_FORMAT, "t.pb: tensor 't': its shape needs 12 bytes, the file has 8");
  refuse(tensor("t", INGOT_FLOAT32, 1, &three, f, 16), INGOT_E_FORMAT, "needs 12 bytes, the file has 16");
  refuse(tensor_begin("t", INGOT_FLOAT32, 1, &three), INGOT_E_FORMAT, "needs 3 numbers, the file has 0");
  refuse(tensor_begin("t", INGOT_FLOAT32, 1, (int64_t[]){-3}), INGOT_E_FORMAT, "dim 0 is -3");
  refuse(tensor_begin("t", INGOT_FLOAT32, 3, (int64_t[]){INT64_MAX, INT64_MAX, 4}), INGOT_E_LIMIT, "too large");
  refuse(tensor_begin("t", INGOT_FLOAT32, 1, (int64_t[]){INT64_MAX / 4}), INGOT_E_FORMAT, "numbers");
  refuse(tensor_begin("t", INGOT_FLOAT32, 9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}), INGOT_E_LIMIT, "9 dims");
  refuse(tensor_begin("t", 99, 1, &three), INGOT_E_UNSUPPORTED, "element type 99");
  refuse(tensor_begin("t", 0, 1, &three), INGOT_E_UNSUPPORTED, "element type 0");
  refuse(tensor("t", INGOT_STRING, 1, &three, f, 8), INGOT_E_FORMAT, "strings can't be raw");
  msg t = tensor_begin("t", INGOT_FLOAT32, 1, &two);
  put_data(&t, 4, f, 7);
  refuse(t, INGOT_E_FORMAT, "floating-point");
  refuse((msg){0}, INGOT_E_FORMAT, "no bytes");
  refuse(tensor_external("t", 1, "w.bin", NULL, NULL), INGOT_E_IO, "no folder is known");
}

static msg sparse(int64_t n, const float *v, int index_rank, const int64_t *index, int64_t columns, const int64_t *dim) {
  msg s = {0};
  put_msg(&s, 1, tensor("t", INGOT_FLOAT32, 1, &n, v, (size_t)n * 4));
  put_msg(&s, 2, tensor("", INGOT_INT64, index_rank, (int64_t[]){n, columns}, index, (size_t)(n * (index_rank == 2 ? columns : 1)) * 8));
  put_int(&s, 3, dim[0]), put_int(&s, 3, dim[1]);
  return s;
}

/* y = x + t, with t sparse. */
static ingot_status load_sparse(msg s, ingot__network **network) {
  msg n = node("Add", "a", "x t", "y"), g = graph_of(&n, 1);
  put_msg(&g, GRAPH_SPARSE, s);
  msg m = model(g, 13);
  ingot__diag_init(&diag, NULL);
  return ingot__onnx_load_memory(NULL, m.p, m.n, NULL, &diag, network);
}

static void test_sparse(void **state) {
  (void)state;
  static const float v[2] = {5, 6};
  ingot__network *network = NULL;
  msg good[] = {sparse(2, v, 1, (int64_t[]){1, 7}, 0, (int64_t[]){2, 4}), sparse(2, v, 2, (int64_t[]){0, 1, 1, 3}, 2, (int64_t[]){2, 4})};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(load_sparse(good[i], &network), INGOT_OK);
    ingot__value *t = ingot__network_find_value(network, "t");
    assert_memory_equal(t->data, ((float[]){0, 5, 0, 0, 0, 0, 0, 6}), 32);
    ingot__network_free(network);
  }
  assert_int_equal(load_sparse(sparse(2, v, 1, (int64_t[]){1, 8}, 0, (int64_t[]){2, 4}), &network), INGOT_E_FORMAT);
  assert_int_equal(load_sparse(sparse(2, v, 1, (int64_t[]){-1, 7}, 0, (int64_t[]){2, 4}), &network), INGOT_E_FORMAT);
  assert_int_equal(load_sparse(sparse(2, v, 2, (int64_t[]){0, 1, 1, 4}, 2, (int64_t[]){2, 4}), &network), INGOT_E_FORMAT);
  assert_int_equal(load_sparse(sparse(2, v, 1, (int64_t[]){1, 7}, 0, (int64_t[]){1 << 20, 1 << 20}), &network), INGOT_E_LIMIT);
}

/* ---- External data: a folder with a model, its data, and things that it must not reach. */

static char folder[256], path[512];

static void write_file(const char *name, const void *data, size_t n) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, n, f), n);
  fclose(f);
}

static ingot_status load_external(msg t, ingot__network **network) {
  msg n = node("Add", "a", "x t", "y"), g = graph_of(&n, 1);
  put_msg(&g, GRAPH_INITIALIZER, t);
  msg m = model(g, 13);
  write_file("in/model.onnx", m.p, m.n);
  ingot__diag_init(&diag, NULL);
  return ingot__onnx_load(NULL, path, &diag, network);
}
static void refuse_external(const char *location, const char *offset, const char *length, ingot_status expected) {
  ingot__network *network = NULL;
  ingot_status status = load_external(tensor_external("t", 4, location, offset, length), &network);
  if (status != expected) fail_msg("'%s', %s, %s: status %d, %s", location, offset, length, (int)status, diag.text);
  assert_non_null(strstr(diag.text, "model.onnx: tensor 't'"));
}

static void test_external(void **state) {
  (void)state;
  static const float w[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/ingot_test_XXXXXX", base && *base ? base : "/tmp");
  assert_non_null(mkdtemp(folder));
  char in[300], sub[300], link_path[300], pipe_path[300], dangling[300];
  snprintf(in, sizeof in, "%s/in", folder), snprintf(sub, sizeof sub, "%s/in/sub", folder);
  snprintf(link_path, sizeof link_path, "%s/in/link.bin", folder), snprintf(dangling, sizeof dangling, "%s/in/inside.bin", folder);
  snprintf(pipe_path, sizeof pipe_path, "%s/in/pipe", folder);
  assert_true(mkdir(in, 0700) == 0 && mkdir(sub, 0700) == 0);
  write_file("secret.bin", w, sizeof w);
  write_file("in/w.bin", w, sizeof w);
  write_file("in/sub/w.bin", w, sizeof w);
  assert_true(symlink("../secret.bin", link_path) == 0 && symlink("sub/w.bin", dangling) == 0 && mkfifo(pipe_path, 0600) == 0);

  static const struct { const char *location, *offset, *length; size_t first; } good[] = {
      {"w.bin", "16", "16", 4}, {"w.bin", NULL, NULL, 0}, {"w.bin", "4", NULL, 1}, {"sub/w.bin", "0", "16", 0}, {"./w.bin", "8", "16", 2},
      {"inside.bin", "16", "16", 4}};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ingot__network *network = NULL;
    msg t = tensor_external("t", 4, good[i].location, good[i].offset, good[i].length);
    put_msg(&t, 13, entry("checksum", "0123"));
    if (load_external(t, &network) != INGOT_OK) fail_msg("%s: %s", good[i].location, diag.text);
    assert_memory_equal(ingot__network_find_value(network, "t")->data, w + good[i].first, 16);
    ingot__network_free(network);
  }
  refuse_external("w.bin", "17", "16", INGOT_E_FORMAT);
  refuse_external("w.bin", "20", NULL, INGOT_E_FORMAT);
  refuse_external("w.bin", "0", "15", INGOT_E_FORMAT);
  refuse_external("w.bin", "18446744073709551615", "16", INGOT_E_FORMAT);
  refuse_external("w.bin", "18446744073709551616", "16", INGOT_E_FORMAT);
  refuse_external("w.bin", "-4", "16", INGOT_E_FORMAT);
  refuse_external("w.bin", "", "16", INGOT_E_FORMAT);
  refuse_external("../secret.bin", NULL, NULL, INGOT_E_FORMAT);
  refuse_external("sub/../../secret.bin", NULL, NULL, INGOT_E_FORMAT);
  refuse_external("/etc/passwd", NULL, NULL, INGOT_E_FORMAT);
  refuse_external("", NULL, NULL, INGOT_E_FORMAT);
  refuse_external("link.bin", NULL, NULL, INGOT_E_FORMAT); /* leads out of the folder */
  refuse_external("pipe", NULL, NULL, INGOT_E_FORMAT);
  refuse_external("sub", NULL, NULL, INGOT_E_FORMAT);
  refuse_external("missing.bin", NULL, NULL, INGOT_E_IO);

  char command[400];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
}

static ingot_status try_tensor(const ingot_env *env, void *user) {
  const msg *m = user;
  ingot__heap h;
  ingot__arena a;
  ingot__literal l;
  ingot__heap_init(&h, env);
  ingot__arena_init(&a, &h);
  ingot_status status = ingot__onnx_load_tensor(&h, &a, m->p, m->n, NULL, &l, NULL);
  ingot__arena_free(&a);
  return status;
}

static void test_memory(void **state) {
  (void)state;
  int64_t n = 3000;
  msg t = tensor_begin("t", INGOT_FLOAT16, 1, &n);
  for (int i = 0; i < n; i++) put_int(&t, 5, i);
  testing_fail_each(try_tensor, &t, 0);
  msg s = tensor_begin("t", INGOT_STRING, 1, &four);
  for (int i = 0; i < 4; i++) put_text(&s, 6, "text");
  testing_fail_each(try_tensor, &s, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_raw, setup, teardown),      cmocka_unit_test_setup_teardown(test_typed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),    cmocka_unit_test_setup_teardown(test_sparse, setup, teardown),
      cmocka_unit_test_setup_teardown(test_external, setup, teardown), cmocka_unit_test_setup_teardown(test_memory, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
