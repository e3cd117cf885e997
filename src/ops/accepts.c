/* What operators take besides tensors of numbers: sequences, optionals and strings. All others are refused them in one place, before their
 * own inference, so that no kernel meets an element that it would read as a number. */
#include "ops/ops.h"

enum { REST = 31 }; /* this bit: input 31 and all behind it; ALL: every input */
#define ALL 0xffffffffu
#define FROM(i) (ALL << (i))
#define ONLY(i) (1u << (i))


/* By inputs, as bits. */
static void look_up(ingot__op op, unsigned *objects, unsigned *strings) {
  *objects = *strings = 0;
  switch (op) {
  case INGOT__OP_Identity: *objects = *strings = ALL; return;
  case INGOT__OP_Loop: *objects = *strings = FROM(2); return;
  case INGOT__OP_SequenceConstruct: *strings = ALL; return;
  case INGOT__OP_SequenceInsert: *objects = ONLY(0), *strings = ONLY(1); return;
  case INGOT__OP_SequenceErase: case INGOT__OP_SequenceAt: case INGOT__OP_SequenceLength: case INGOT__OP_ConcatFromSequence:
    *objects = ONLY(0);
    return;
  case INGOT__OP_SequenceMap: *objects = *strings = ALL; return;
  case INGOT__OP_SplitToSequence: *strings = ONLY(0); return;
  case INGOT__OP_Optional: case INGOT__OP_OptionalHasElement: case INGOT__OP_OptionalGetElement: *objects = *strings = ONLY(0); return;
  case INGOT__OP_Reshape: case INGOT__OP_Flatten: case INGOT__OP_Squeeze: case INGOT__OP_Unsqueeze: case INGOT__OP_Transpose:
  case INGOT__OP_Split: case INGOT__OP_Slice: case INGOT__OP_Expand: case INGOT__OP_Tile: case INGOT__OP_Gather: case INGOT__OP_GatherElements:
  case INGOT__OP_GatherND: case INGOT__OP_Shape: case INGOT__OP_Size: case INGOT__OP_Cast: case INGOT__OP_DepthToSpace:
  case INGOT__OP_SpaceToDepth: case INGOT__OP_Compress: case INGOT__OP_Unique: case INGOT__OP_ReverseSequence: case INGOT__OP_CenterCropPad:
    *strings = ONLY(0);
    return;
  case INGOT__OP_StringSplit: case INGOT__OP_StringNormalizer: case INGOT__OP_RegexFullMatch: case INGOT__OP_TfIdfVectorizer:
  case INGOT__OP_LabelEncoder:
    *strings = ONLY(0);
    return;
  case INGOT__OP_Concat: case INGOT__OP_Scan: *strings = ALL; return;
  case INGOT__OP_Pad: case INGOT__OP_ScatterElements: case INGOT__OP_ScatterND: *strings = ONLY(0) | ONLY(2); return;
  case INGOT__OP_Where: *strings = ONLY(1) | ONLY(2); return;
  case INGOT__OP_OneHot: *strings = ONLY(2); return;
  case INGOT__OP_CastLike: case INGOT__OP_Equal: case INGOT__OP_StringConcat: *strings = ONLY(0) | ONLY(1); return;
  default: return;
  }
}

ingot_status ingot__infer_accepts(ingot__infer *f) {
  unsigned objects = 0, strings = 0;
  bool looked = false;
  for (size_t i = 0; i < f->n_in; i++) {
    const ingot__type *t = f->in[i];
    if (!t || (t->kind == INGOT__TENSOR && t->dtype != INGOT_STRING)) continue;
    if (!looked) look_up(f->node->op, &objects, &strings);
    looked = true;
    unsigned bit = ONLY(i < REST ? i : REST);
    if (t->kind != INGOT__TENSOR && !(objects & bit))
      return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu is %s, but must be a tensor", i,
                               t->kind == INGOT__SEQUENCE ? "a sequence" : "an optional");
    if (t->kind == INGOT__TENSOR && !(strings & bit))
      return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu is a tensor of strings, which isn't taken", i);
  }
  return INGOT_OK;
}
