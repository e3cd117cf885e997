/* Passes over the network, run in the order of passes.def. */
#ifndef INGOT_PASSES_PASSES_H
#define INGOT_PASSES_PASSES_H
#include "ir/name_list.h"
#include "ops/ops.h"

typedef struct ingot__pass_context {
  ingot__diag *diag;
  const ingot__log *log;
  bool float_only;   /* float16 and bfloat16 are computed as float32, or narrowed again at the end */
  bool device;       /* the target has a device of its own; for unfold_patches and later: compile/measure.c runs those before for the host */
  ingot_dtype narrow; /* what float32 may become; INGOT_UNDEFINED: nothing */
  const ingot__name_list *wide, *exact; /* of values whose layers stay in float32, by their range and by rounding; NULL: none */
  ingot__pool *pool; /* for folding; may be NULL */
} ingot__pass_context;

/* A pass changes the network and says whether it did. Values it makes get their types (ingot__infer_node on each node made). */
typedef ingot_status (*ingot__pass_fn)(ingot__network *network, const ingot__pass_context *context, bool *changed);
typedef struct ingot__pass { const char *name, *postcondition; ingot__pass_fn run; } ingot__pass;

/* Whether narrow_floats may make the node's results narrow, of inputs that are float32. */
bool ingot__narrows_to_half(const ingot__node *node);

extern const ingot__pass ingot__pass_list[];
extern const size_t ingot__pass_count;
const ingot__pass *ingot__pass_find(const char *name);

/* What a run of the passes reports, one a pass. */
typedef struct ingot__pass_record { const char *name; double seconds; bool changed, skipped; size_t nodes_after; } ingot__pass_record;
typedef struct ingot__pass_options {
  const char *dump_folder;     /* NULL: none */
  const char *stop_after;      /* NULL: run all */
  const char *const *skip;
  size_t n_skip;
} ingot__pass_options;
/* Runs all; records has room for ingot__pass_count. In debug builds the network is verified after each. */
ingot_status ingot__passes_run(ingot__network *network, const ingot__pass_context *context, const ingot__pass_options *options,
                               ingot__pass_record *records, size_t *n_records);

#define INGOT_PASS(name, postcondition) ingot_status ingot__pass_##name(ingot__network *, const ingot__pass_context *, bool *);
#include "passes.def"
#undef INGOT_PASS
#endif
