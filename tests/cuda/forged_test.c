/* Engines of a device whose parts disagree, as a damaged or hostile file may have it: values that don't lie where their kernels run, copies that lead
 * from one side to the same. Loading refuses them. The engines are changed in memory and written with right checksums; bits that flip in
 * a file, its code among them, are told by the checksums. INGOT_TEST_SECONDS 300 */
#include "networks.h"
#include "engine/engine.h"
#include "engine/engine_bytes.h"

static ingot_engine *build(size_t i) {
  ingot_engine *engine = NULL;
  if (device_network_build(NULL, &device_networks[i], "cuda", 0, 0, &engine) != INGOT_OK) fail_msg("%s", ingot_last_error());
  return engine;
}

/* What loading it says. */
static ingot_status reload(ingot_engine *engine) {
  void *data;
  size_t size;
  ingot_engine *loaded = NULL;
  assert_int_equal(ingot_engine_serialize(engine, &data, &size), INGOT_OK);
  ingot_status status = ingot_engine_load_memory(&(ingot_env){.log = engine_silent}, data, size, &loaded);
  ingot_blob_free(engine, data, size);
  if (loaded) ingot_engine_destroy(loaded);
  return status;
}

static void refused(ingot_engine *engine, const char *what, const char *name) {
  ingot_status status = reload(engine);
  if (status != INGOT_E_FORMAT && status != INGOT_E_UNSUPPORTED) fail_msg("%s %s: %s", what, name, status ? ingot_last_error() : "was loaded");
}

/* Values inside Fused nodes have no places. */
static bool in_body(const ingot__value *v) {
  for (const ingot__graph *g = v->graph; g->outer; g = g->outer)
    for (const ingot__node *n = g->outer->first; n; n = n->next)
      if (n->op == INGOT__OP_Fused && ((const ingot__attrs_Fused *)n->attrs)->body == g) return true;
  return false;
}

static void values_on_the_other_side(void **state) {
  (void)state;
  size_t changed = 0;
  for (size_t i = 0; i < DEVICE_NETWORKS; i++) {
    ingot_engine *e = build(i);
    assert_int_equal(reload(e), INGOT_OK);
    for (size_t v = 0; v < e->network->n_value; v++) {
      const ingot__value *value = e->network->value[v];
      if (!value || value->type.kind != INGOT__TENSOR || in_body(value)) continue;
      e->place[v].on_device = !e->place[v].on_device;
      refused(e, device_networks[i].name, value->name);
      e->place[v].on_device = !e->place[v].on_device;
      changed++;
    }
    assert_int_equal(reload(e), INGOT_OK);
    ingot_engine_destroy(e);
  }
  assert_true(changed > 50);
}

/* Kernels of the one side in the place of the other's; copies left out. */
static void kernels_of_the_other_side(void **state) {
  (void)state;
  size_t changed = 0;
  for (size_t i = 0; i < DEVICE_NETWORKS; i++) {
    ingot_engine *e = build(i);
    const ingot__kernel *reference = e->backend->find("reference");
    assert_non_null(reference);
    for (size_t n = 0; n < e->network->n_node; n++) {
      ingot__node *node = e->network->node[n];
      ingot__step *step = &e->step[n], before = *step;
      if (!node || !step->kernel || !step->kernel->on_device) continue;
      step->kernel = reference;
      step->packed = step->code = NULL;
      step->packed_size = step->code_size = 0;
      step->n_other = 0;
      refused(e, "by the reference:", node->name);
      *step = before;
      changed++;
      if (node->op != INGOT__OP_Transfer) continue;
      ingot__value *to = node->out[0], *from = node->in[0];
      while (to->n_user) { /* its readers read what is on the other side */
        ingot__node *user = to->user[0];
        size_t k = 0;
        while (user->in[k] != to) k++;
        assert_true(ingot__node_set_input(user, k, from));
        refused(e, "without the copy:", node->name);
        changed++;
        break;
      }
      break; /* the engine is another one now */
    }
    ingot_engine_destroy(e);
  }
  assert_true(changed > 20);
}

static void flipped_bits(void **state) {
  (void)state;
  ingot_engine *e = build(1), *loaded = NULL;
  void *data;
  size_t size, changed = 0;
  const unsigned char *code = NULL;
  assert_int_equal(ingot_engine_serialize(e, &data, &size), INGOT_OK);
  unsigned char *bytes = malloc(size);
  memcpy(bytes, data, size);
  ingot_blob_free(e, data, size);
  for (size_t n = 0; n < e->network->n_node && !code; n++) code = e->step[n].code; /* somewhere in the bytes */
  assert_non_null(code);
  size_t at = 0;
  while (at + 256 < size && memcmp(bytes + at, code, 256)) at++;
  assert_true(at + 256 < size);
  for (size_t i = at; i < size && i < at + 40000; i += 997) {
    bytes[i] ^= 4;
    assert_int_equal(ingot_engine_load_memory(&(ingot_env){.log = engine_silent}, bytes, size, &loaded), INGOT_E_FORMAT);
    bytes[i] ^= 4;
    changed++;
  }
  assert_true(changed > 20);
  assert_int_equal(ingot_engine_load_memory(NULL, bytes, size, &loaded), INGOT_OK);
  ingot_engine_destroy(loaded);
  ingot_engine_destroy(e);
  free(bytes);
}

int main(void) {
  if (!testing_gpu()) return 77;
  const struct CMUnitTest tests[] = {cmocka_unit_test(values_on_the_other_side), cmocka_unit_test(kernels_of_the_other_side),
                                     cmocka_unit_test(flipped_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
