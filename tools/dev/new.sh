# Scaffolds: the files and rows of a new operator, kernel or pass. They compile as they are and hold the word that ./dev check refuses
# wherever something is to be filled in. Sourced by dev.

FILL="FIX""ME"
snake() { printf '%s' "$1" | sed -E 's/([a-z0-9])([A-Z])/\1_\2/g' | tr '[:upper:]' '[:lower:]'; }

write() { # FILE < text; never over an existing one
  [ ! -e "$1" ] || die "$1 is there already"
  mkdir -p "${1%/*}"
  sed "s/@FILL@/$FILL/g" >"$1"
  say "wrote $1"
}

new_op() {
  local name=$1 file
  file=$(snake "$name")
  [[ $name =~ ^[A-Z][A-Za-z0-9]*$ ]] || die "operators are called like 'LayerNormalization'"
  ! grep -qE "^INGOT_(OP|ELEMENTWISE)\($name," src/ops.def || die "src/ops.def has $name already: ./dev where $name"
  write "src/ops/$file.c" <<TEXT
/* $name: @FILL@ what it computes, in a formula. */
#include "ops/ops.h"
#include <string.h>

ingot_status ingot__infer_$name(ingot__infer *f) {
  bool unknown = false;
  INGOT_TRY(ingot__infer_rank(f, 0, 0, -1, &unknown));
  if (unknown) return INGOT_OK;
  return ingot__infer_same(f, 0, 0); /* @FILL@ the output's type and dims, where they aren't the first input's */
}

ingot_status ingot__ref_$name(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  size_t bytes;
  if (!ingot__dtype_bytes(x->dtype, (size_t)ingot__view_count(x), &bytes)) {
    return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "can't take %s", ingot_dtype_name(x->dtype));
  }
  memcpy(call->out[0].data, x->data, bytes); /* @FILL@ plain and right; double sums; ingot__get_double for any type */
  return INGOT_OK;
}
TEXT
  write "tests/ops/${file}_test.c" <<TEXT
/* $name against numbers from @FILL@ (PyTorch, the onnx package or arithmetic by hand; never from ingot itself). */
#include "testing.h"
#include "ops/ops.h"

static void is_registered(void **state) {
  (void)state;
  assert_int_equal(ingot__op_find("$name"), INGOT__OP_$name);
  assert_non_null(ingot__op_functions_get(INGOT__OP_$name)->reference);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_registered)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
TEXT
  printf 'INGOT_OP(%s, "%s", "", "", 1, 1, 1, 1, A_NONE)\n' "$name" "$name" >>src/ops.def
  say "added a row to src/ops.def: give it its inputs and attributes (an elementwise operator needs an INGOT_ELEMENTWISE row and no file)"
  say "then: fill in the three places marked $FILL; a converter in src/import/onnx/ only if ONNX's older forms differ; ./dev test ops/$file"
}

new_kernel() {
  local name=$1 op=${2:-} family=${1%%_*} folder isa
  [ -n "$op" ] || die "usage: ./dev new kernel NAME OPERATOR, such as: softmax_f32 Softmax"
  [[ $name =~ ^[a-z][a-z0-9_]*$ ]] || die "kernels are called by what they are: softmax_f32"
  grep -qE "^INGOT_(OP|ELEMENTWISE)\($op," src/ops.def || die "src/ops.def has no operator $op"
  ! grep -q "(${name}_portable," src/backend/cpu/kernels.def || die "src/backend/cpu/kernels.def has $name already"
  folder=src/backend/cpu/kernels/$family
  write "$folder/$name.isa.c" <<TEXT
/* $name: @FILL@ the maths, and how it is cut into vectors and threads. Compiled for each instruction set. */
#include "backend/cpu/kernels/template.h"
#include <string.h>

static bool INGOT__ISA_FUNCTION(${name}_supports)(const ingot__call *call) {
  (void)call;
  return false; /* @FILL@ types, ranks, attributes that it computes */
}

static ingot_status INGOT__ISA_FUNCTION(${name}_run)(const ingot__call *call) {
  return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "$name is not there"); /* @FILL@ */
}

const ingot__kernel_functions INGOT__KERNEL($name) = {
  .supports = INGOT__ISA_FUNCTION(${name}_supports),
  .run = INGOT__ISA_FUNCTION(${name}_run),
};
TEXT
  for isa in avx512 avx2 portable; do
    sed -i "s/^INGOT_KERNEL(reference,/INGOT_KERNEL(${name}_$isa, $op, ${isa^^}, PLAIN, PLAIN, 0)\n&/" src/backend/cpu/kernels.def
  done
  say "added three rows to src/backend/cpu/kernels.def, before the reference: layouts and flags are in backend/backend.h"
  say "then: fill in what is marked $FILL. Its test against the reference needs nothing more: ./dev test backend"
}

new_pass() {
  local name=$1
  [[ $name =~ ^[a-z]+_[a-z0-9_]+$ ]] || die "passes are called verb_object: fuse_activations"
  ! grep -q "^INGOT_PASS($name," src/passes.def || die "src/passes.def has $name already"
  write "src/passes/$name.c" <<TEXT
/* @FILL@ what is found, what it becomes, and when that may be done. */
#include "passes/passes.h"

ingot_status ingot__pass_$name(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  (void)context;
  *changed = false;
  for (ingot__node *n = network->main->first, *next; n; n = next) {
    next = n->next; /* n may be removed: @FILL@ */
  }
  return INGOT_OK;
}
TEXT
  write "tests/passes/${name}_test.c" <<TEXT
/* The pass $name: @FILL@ what it changes, what it must leave alone, and that results stay the same. */
#include "testing.h"
#include "passes/passes.h"

static void is_in_the_list(void **state) {
  (void)state;
  const ingot__pass *pass = ingot__pass_find("$name");
  assert_non_null(pass);
  assert_non_null(pass->run);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_in_the_list)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
TEXT
  printf 'INGOT_PASS(%s, "%s what holds afterwards")\n' "$name" "$FILL" >>src/passes.def
  say "added a row to src/passes.def: move it to its place in the running order"
  say "then: fill in what is marked $FILL; ./dev test passes/$name"
}

new() {
  local kind=${1:-} name=${2:-}
  case $kind in
    op | kernel | pass) ;;
    *) die "usage: ./dev new op Name | kernel name Operator | pass verb_object" ;;
  esac
  [ -n "$name" ] || die "it needs a name: ./dev new $kind NAME"
  shift
  "new_$kind" "$@"
}
