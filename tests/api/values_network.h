/* A network of sequences, optionals and strings, for the tests of values and of failing allocations. */
#ifndef INGOT_TESTS_API_VALUES_NETWORK_H
#define INGOT_TESTS_API_VALUES_NETWORK_H
#include "ingot/ingot.h"
#include "ir/network.h"
#include "ops/ops.h"

/* Three ones are put behind s; all but the first are joined. What o holds, or an empty sequence, is negated. t and words, twice. */
static const char values_text[] =
    "network {\n"
    "  input s: sequence float32[*]\n"
    "  input o: optional sequence float32[*]\n"
    "  input t: string[N]\n"
    "  const words: string[3] = {\"a\\x00b\", \"\", \"é\"}\n"
    "  const trips: int64[] = {3}\n"
    "  const go: bool[] = {1}\n"
    "  const first: int64[] = {0}\n"
    "  const one: float32[1] = {1}\n"
    "  l = Loop(trips, go, s) {body={\n"
    "    input i: int64[]\n"
    "    input c: bool[]\n"
    "    input v: sequence float32[*]\n"
    "    k = Identity(c)\n"
    "    w = SequenceInsert(v, one)\n"
    "    output k\n"
    "    output w\n"
    "  }}\n"
    "  n = SequenceLength(l)\n"
    "  e = SequenceErase(l, first)\n"
    "  cat = ConcatFromSequence(e) {axis=0}\n"
    "  h = OptionalHasElement(o)\n"
    "  p = If(h) {then_branch={\n"
    "    g = OptionalGetElement(o)\n"
    "    output g\n"
    "  } else_branch={\n"
    "    q = SequenceEmpty()\n"
    "    output q\n"
    "  }}\n"
    "  m = SequenceMap(p) {body={\n"
    "    input x: float32[*]\n"
    "    y = Neg(x)\n"
    "    output y\n"
    "  }}\n"
    "  back = Identity(o)\n"
    "  joined = Concat(t, words) {axis=0}\n"
    "  done = StringConcat(joined, joined)\n"
    "  output l\n"
    "  output n\n"
    "  output cat\n"
    "  output m\n"
    "  output back\n"
    "  output done\n"
    "}\n";

static inline ingot_status values_network(const ingot_env *env, const char *text, ingot_network **network) {
  ingot__diag diag;
  ingot__diag_init(&diag, NULL);
  ingot_status status = ingot__network_parse(env, text, strlen(text), &diag, network);
  if (status != INGOT_OK) return status;
  status = ingot__infer_network(*network, &diag);
  if (status != INGOT_OK) {
    if (status != INGOT_E_MEMORY) fprintf(stderr, "%s\n", diag.text);
    ingot_network_destroy(*network);
  }
  return status;
}

static inline ingot_status values_build_text(const ingot_env *env, const char *text, bool reference, ingot_engine **engine) {
  ingot_network *network;
  ingot_config *config = NULL;
  INGOT_TRY(values_network(env, text, &network));
  ingot_status status = ingot_config_create(env, &config);
  if (status == INGOT_OK) status = ingot_config_set_budget(config, 0);
  if (status == INGOT_OK) status = reference ? ingot_build_reference(network, config, engine) : ingot_build(network, config, engine);
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  return status;
}

static inline ingot_status values_build(const ingot_env *env, bool reference, ingot_engine **engine) {
  return values_build_text(env, values_text, reference, engine);
}
#endif
