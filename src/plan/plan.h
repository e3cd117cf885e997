/* From an optimised network to a plan: layouts, kernels, homes of values, packed weights.
 *
 * Each node has up to four configurations: its first input PLAIN or CHANNELS_LAST, its output likewise. For each the backend's candidates
 * are ranked by the cost model, the best few timed; then configurations are chosen for all nodes together so that the time of kernels
 * and of the Reformats between them is least (coordinate descent from channels-last wherever possible). */
#ifndef INGOT_PLAN_PLAN_H
#define INGOT_PLAN_PLAN_H
#include "engine/engine.h"
#include "ir/name_list.h"

enum { INGOT__CONFIGS = 4, INGOT__MAX_CANDIDATES = 40 };
static inline int ingot__config(ingot__layout in, ingot__layout out) { return (int)in * 2 + (int)out; }

/* For the report: one candidate of one node. Times in seconds; measured < 0: not timed. */
typedef struct ingot__candidate { const ingot__kernel *kernel; uint8_t in_layout, out_layout; bool one_thread; double estimated,
    measured, copies; } ingot__candidate; /* copies: seconds of those that it causes by not taking slices */
typedef struct ingot__choice {        /* by node id */
  ingot__candidate *candidate;
  size_t n_candidate;
  double cost;                        /* of the chosen one */
} ingot__choice;

/* Seconds of a kernel on a call whose views have dims but no data; < 0 when there is no time left for it. */
typedef double (*ingot__time_fn)(void *user, const ingot__kernel *kernel, const ingot__call *call, double estimated);

typedef struct ingot__planner {
  ingot_engine *engine;               /* network, backend, profile, threads set; places and steps are filled */
  ingot__arena *arena;                /* for what only planning needs */
  ingot__diag *diag;
  ingot__time_fn time;                /* NULL: cost model alone */
  void *time_user;
  const ingot__progress *progress;
  ingot__pool *pool;                  /* threads to compile code with */
  double seconds_compiling;           /* for the report: of device code for candidates */
  bool tf32;                          /* kernels that round float32 to TF32 are allowed */
  const ingot__name_list *exact;      /* of values whose layers don't round so even then; NULL: none */
  unsigned tactics;                   /* INGOT_TACTIC_: vendors' libraries whose kernels are allowed */
  size_t workspace;                   /* bytes that a kernel may want; 0: any */
  ingot__choice *choice;              /* out, by node id */
  size_t n_choice;
  size_t reformats;                   /* out: how many were inserted */
} ingot__planner;

ingot_status ingot__plan(ingot__planner *planner);

/* ---- Between the files of this folder */
/* Concrete views of a node's inputs and outputs at the profile's optimum; unknown dims count as 16. in and out have room for n_in, n_out.
 * False when a rank is unknown. */
bool ingot__plan_call(const ingot__planner *planner, const ingot__node *node, ingot__layout in_layout, ingot__layout out_layout,
                      ingot__view *in, ingot__view *out, ingot__call *call);
/* Whether dims in the two layouts lie in memory alike, for all shapes of the profile. */
bool ingot__plan_same_memory(const ingot__type *type);
/* A value's view at the profile's optimum. */
bool ingot__plan_view(const ingot_engine *engine, const ingot__value *v, ingot__layout layout, ingot__view *view);
/* Whether all dims of the node's tensors are told by the profile. Where they aren't (they depend on data), views have some size or other, one that
 * needn't fit from tensor to tensor: good for estimates, not for running. */
bool ingot__plan_sizes_told(const ingot_engine *engine, const ingot__node *node);
/* homes.c: whether the parts of a Concat, Split or Slice are each one run of memory in `whole`, in this layout; whether a Slice (or Split) takes a
 * part that may be read in place: one axis, a constant start, steps of 1. */
bool ingot__plan_is_run(const ingot__node *node, const ingot__type *whole, ingot__layout layout);
bool ingot__plan_is_simple_slice(const ingot__node *node);
/* slices.c: seconds of a copy of v, estimated; of the copies that are needed because the kernel doesn't take slices. */
double ingot__plan_copy_seconds(const ingot__planner *planner, const ingot__value *v);
double ingot__plan_slice_seconds(const ingot__planner *planner, const ingot__node *node, const ingot__kernel *kernel, ingot__layout from,
                                 ingot__layout to);
ingot_status ingot__plan_free_outputs(ingot__planner *planner); /* Reformats for outputs that are made CHANNELS_LAST */
ingot_status ingot__plan_layouts(ingot__planner *planner); /* kernels and Reformats */
ingot_status ingot__plan_spaces(ingot__planner *planner);  /* the device's memory and the host's, and Transfers */
ingot_status ingot__plan_homes(ingot__planner *planner);
ingot_status ingot__plan_prepare(ingot__planner *planner); /* compiles what will be timed on a device */
ingot_status ingot__plan_code(ingot__planner *planner);    /* compiles what runs on a device */
ingot_status ingot__plan_stand_ins(ingot__planner *planner); /* for kernels of vendors' libraries */
ingot_status ingot__plan_sizes(ingot__planner *planner);
/* The target's candidates for a call that the build allows; list has room for INGOT__MAX_CANDIDATES. */
size_t ingot__plan_kernels(const ingot__planner *planner, const ingot__call *call, const ingot__kernel **list);
/* Sorts candidates by their estimates and returns how many of them are worth timing. */
size_t ingot__plan_shortlist(ingot__candidate *candidates, size_t n);
/* ---- candidates.c. A kernel's estimate; then the best of n > 0 of them, which are sorted and timed as far as the budget goes. */
ingot__candidate ingot__plan_candidate(const ingot__planner *planner, const ingot__kernel *kernel, const ingot__call *call, ingot__layout from,
                                       ingot__layout to);
const ingot__candidate *ingot__plan_rank(const ingot__planner *planner, ingot__call *call, ingot__candidate *candidates, size_t n);
/* What a kernel of the host costs among those of a device, beside its work: the way there and back, and a queue that is empty meanwhile. */
double ingot__plan_side_seconds(const ingot__planner *planner, const ingot__kernel *kernel);
double ingot__plan_candidate_seconds(const ingot__candidate *candidate); /* timed or estimated, with the copies that it causes */
ingot_status ingot__plan_pack(ingot__planner *planner);
#endif
