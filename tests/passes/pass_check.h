/* Checking a pass on a network given as text: what the outputs are computed as afterwards, spelt as expressions, and that they are still the
 * same numbers, which the reference engine computes before and after. */
#ifndef INGOT_PASS_CHECK_H
#define INGOT_PASS_CHECK_H
#include "testing.h"
#include "passes/passes.h"

typedef struct pass_text { size_t n; char text[8192]; } pass_text;

__attribute__((format(printf, 2, 3))) static inline void pass_put(pass_text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  t->n += (size_t)vsnprintf(t->text + t->n, sizeof t->text - t->n, format, args);
  va_end(args);
  assert_true(t->n < sizeof t->text);
}

static inline void pass_put_graph(pass_text *t, const ingot__graph *g);

static inline void pass_put_attributes(pass_text *t, const ingot__node *n) {
  const ingot__op_info *info = ingot__op_get(n->op);
  for (size_t i = 0; i < info->n_attr; i++) {
    const ingot__attr_info *a = &info->attr[i];
    const void *field = (const char *)n->attrs + a->offset;
    const ingot__ints *ints = field;
    switch (a->type) {
    case INGOT__ATTR_INT:
      if (*(const int64_t *)field != a->default_int) pass_put(t, " %s=%lld", a->name, (long long)*(const int64_t *)field);
      break;
    case INGOT__ATTR_FLOAT:
      if (*(const float *)field != a->default_float) pass_put(t, " %s=%.4g", a->name, (double)*(const float *)field);
      break;
    case INGOT__ATTR_STRING:
      if (strcmp(*(const char *const *)field, a->default_string)) pass_put(t, " %s=%s", a->name, *(const char *const *)field);
      break;
    case INGOT__ATTR_INTS:
      if (ints->n) pass_put(t, " %s=", a->name);
      for (size_t k = 0; k < ints->n; k++) pass_put(t, k ? ",%lld" : "%lld", (long long)ints->v[k]);
      break;
    case INGOT__ATTR_GRAPH:
      if (*(ingot__graph *const *)field) pass_put_graph(t, *(ingot__graph *const *)field);
      break;
    default: break;
    }
  }
}

/* x for inputs, Op(inputs attributes) for nodes, numbers for constants of one element, type[dims] for others (their elements as well where
 * they are up to 8 integers), ^ for what an outer graph computes. Results of nodes with several outputs have .1, .2. */
static inline void pass_put_value(pass_text *t, const ingot__value *v, const ingot__graph *graph) {
  size_t count;
  if (!v) {
    pass_put(t, "_");
  } else if (v->data) {
    assert_true(ingot__type_count(&v->type, &count));
    bool whole = ingot__dtype_is_int(v->type.dtype) && count <= 8;
    if (count == 1) pass_put(t, "%.4g", ingot__get_double(v->type.dtype, v->data, 0));
    else if (!whole) pass_put(t, "%s", ingot_dtype_name(v->type.dtype));
    if (count == 1) return;
    for (size_t i = 0; i < (whole ? count : (size_t)v->type.rank); i++)
      pass_put(t, "%c%lld", i ? ',' : whole ? '{' : '[', (long long)(whole ? ingot__get_int(v->type.dtype, v->data, i) : v->type.dim[i]));
    pass_put(t, whole ? "}" : "]");
  } else if (!v->producer || v->graph != graph) {
    pass_put(t, "%s", v->graph != graph && v->producer ? "^" : v->name);
  } else {
    const ingot__node *n = v->producer;
    pass_put(t, "%s(", ingot__op_get(n->op)->name);
    for (size_t i = 0; i < n->n_in; i++) {
      if (i) pass_put(t, ", ");
      pass_put_value(t, n->in[i], graph);
    }
    pass_put_attributes(t, n);
    pass_put(t, ")");
    if (v->output_slot) pass_put(t, ".%d", v->output_slot);
  }
}

static inline void pass_put_graph(pass_text *t, const ingot__graph *g) {
  pass_put(t, " {");
  for (size_t i = 0; i < g->n_output; i++) {
    if (i) pass_put(t, "; ");
    pass_put_value(t, g->output[i], g);
  }
  pass_put(t, "}");
}

static inline ingot__network *pass_parse(const ingot_env *env, const char *text, ingot__diag *diag) {
  ingot__network *n = NULL;
  if (ingot__network_parse(env, text, strlen(text), diag, &n) != INGOT_OK) fail_msg("%s in %s", diag->text, text);
  return n;
}

/* ---- Numbers */

/* What the outputs are on random inputs, one after the other; every symbol is 3. Integer inputs are 0, 1, 2, 0 .. */
static inline double *pass_numbers(const ingot__network *network, size_t *total) {
  ingot_config *config;
  ingot_engine *engine;
  ingot_context *context;
  assert_int_equal(ingot_config_create(NULL, &config), INGOT_OK);
  assert_int_equal(ingot_config_set_threads(config, 1), INGOT_OK);
  uint64_t state = 20240229;
  void *memory[16];
  size_t n_input = network->main->n_input, room = 0;
  assert_true(n_input <= 16);
  double *numbers = NULL;
  *total = 0;
  for (size_t i = 0; i < n_input; i++) {
    const ingot__value *v = network->main->input[i];
    int64_t dims[INGOT_MAX_RANK];
    for (int d = 0; d < v->type.rank; d++) dims[d] = v->type.dim[d] >= 0 ? v->type.dim[d] : 3;
    if (v->type.rank > 0) assert_int_equal(ingot_config_set_profile(config, v->name, v->type.rank, dims, dims, dims), INGOT_OK);
  }
  if (ingot_build_reference(network, config, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  assert_int_equal(ingot_context_create(engine, NULL, &context), INGOT_OK);
  for (size_t i = 0; i < n_input; i++) {
    const ingot__value *v = network->main->input[i];
    size_t count = 1;
    for (int d = 0; d < v->type.rank; d++) count *= (size_t)(v->type.dim[d] >= 0 ? v->type.dim[d] : 3);
    memory[i] = aligned_alloc(64, (count * 8 + 64) / 64 * 64);
    for (size_t k = 0; k < count; k++) {
      if (ingot__dtype_is_float(v->type.dtype)) ingot__set_double(v->type.dtype, memory[i], k, 4 * testing_random(&state) - 2);
      else if (v->type.dtype == INGOT_BOOL) ((uint8_t *)memory[i])[k] = testing_random(&state) < 0.5;
      else ingot__set_int(v->type.dtype, memory[i], k, (int64_t)(k % 3));
    }
    assert_int_equal(ingot_context_set_address(context, v->name, memory[i]), INGOT_OK);
  }
  if (ingot_context_run(context) != INGOT_OK) fail_msg("%s", ingot_last_error());
  for (size_t i = 0; i < network->main->n_output; i++) {
    const ingot__value *v = network->main->output[i];
    int rank;
    int64_t dims[INGOT_MAX_RANK];
    size_t count = 1;
    assert_int_equal(ingot_context_shape(context, v->name, &rank, dims), INGOT_OK);
    for (int d = 0; d < rank; d++) count *= (size_t)dims[d];
    const void *data = ingot_context_output(context, v->name);
    assert_non_null(data);
    if (*total + count > room) numbers = realloc(numbers, (room = 2 * (*total + count)) * sizeof *numbers);
    for (size_t k = 0; k < count; k++)
      numbers[(*total)++] = v->type.dtype == INGOT_BOOL ? ((const uint8_t *)data)[k] : ingot__get_double(v->type.dtype, data, k);
  }
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  for (size_t i = 0; i < n_input; i++) free(memory[i]);
  return numbers;
}

/* What the target is like, as passes are told. */
static ingot_dtype pass_narrow = INGOT_UNDEFINED;
static bool pass_device;
static const char *pass_wide; /* the name of a value that leaves float16's range; NULL: none */

/* Runs the pass over the text's network and compares its outputs' expressions, "; " between, with `expected` (NULL: not looked at), and their
 * numbers with those before, within `tolerance` (0: not computed). */
static inline void pass_check_within(ingot__pass_fn pass, const char *text, const char *expected, double tolerance) {
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot__network *before = pass_parse(NULL, text, &diag);
  if (ingot__infer_network(before, &diag) != INGOT_OK) fail_msg("%s in %s", diag.text, text);
  ingot__network *after = ingot__network_clone(before, NULL);
  assert_non_null(after);
  const ingot__name_list wide = {&pass_wide, pass_wide ? 1 : 0};
  ingot__pass_context context = {.diag = &diag, .log = &after->log, .float_only = true, .device = pass_device, .narrow = pass_narrow, .wide = &wide};
  bool changed = false;
  if (pass(after, &context, &changed) != INGOT_OK) fail_msg("%s in %s", diag.text, text);
  if (ingot__network_verify(after, &diag) != INGOT_OK) fail_msg("%s in %s", diag.text, text);
  ingot__network_sweep(after);
  if (ingot__infer_network(after, &diag) != INGOT_OK) fail_msg("%s in %s", diag.text, text);
  pass_text was = {0}, is = {0};
  for (size_t i = 0; i < after->main->n_output; i++) {
    assert_string_equal(before->main->output[i]->name, after->main->output[i]->name);
    assert_true(ingot__type_same(&before->main->output[i]->type, &after->main->output[i]->type));
    if (i) pass_put(&was, "; "), pass_put(&is, "; ");
    pass_put_value(&was, before->main->output[i], before->main);
    pass_put_value(&is, after->main->output[i], after->main);
  }
  if (expected) assert_string_equal(is.text, expected);
  if (strcmp(was.text, is.text)) assert_true(changed);
  if (tolerance > 0) {
    size_t n, m;
    double *a = pass_numbers(before, &n), *b = pass_numbers(after, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
      if (!testing_close(b[i], a[i], tolerance, tolerance)) fail_msg("element %zu is %.9g instead of %.9g in %s", i, b[i], a[i], is.text);
    free(a), free(b);
  }
  ingot__network_free(after);
  ingot__network_free(before);
}
static inline void pass_check(ingot__pass_fn pass, const char *text, const char *expected) { pass_check_within(pass, text, expected, 2e-5); }
#endif
