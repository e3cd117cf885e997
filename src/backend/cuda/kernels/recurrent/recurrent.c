/* LSTM, GRU and RNN with constant weights: all activations, clip, peepholes, coupled gates, sequences' lengths. The product with W for all
 * steps comes first, for as many sequences at once as its results have room. Then all steps in one launch, where R fits into a cluster's
 * shared memory, else a launch a step. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/recurrent/recurrent.h"
#include "ops/rnn.h"
#include <string.h>

enum { SIDE = 64, CHUNK = 1024, WARPS = 16, STEP_WARPS = 4, MOST_BLOCKS = 8 };
#define MOST_PROJECTED ((size_t)256 << 20) /* bytes */

typedef struct plan {
  ingot__rnn rnn;
  recurrent_params p;
  bool halves, usual, linear_first, halved, lstm;
  int blocks;                /* of a cluster; 0: a launch a step */
  int sequences;             /* of a block */
  size_t shared, part;       /* sequences at once */
  size_t projected, state;   /* floats */
} plan;

static int gates_of(ingot__op op) { return op == INGOT__OP_LSTM ? 4 : op == INGOT__OP_GRU ? 3 : op == INGOT__OP_RNN ? 1 : 0; }

static bool dense(const ingot__call *call, size_t i, ingot_dtype type, int rank) {
  const ingot__view *v = &call->in[i];
  return !ingot__has_in(call, i) || (v->dtype == type && v->rank == rank && v->dense && v->layout == INGOT__PLAIN);
}

static bool takes(const ingot__call *call, plan *a) {
  const int gates = call->node ? gates_of(call->node->op) : 0;
  *a = (plan){0};
  if (!gates || call->n_in < 3 || !ingot__rnn_read(call, gates, &a->rnn)) return false;
  const ingot_dtype type = call->in[0].dtype;
  if (gates == 4 && INGOT__ATTRS(call, LSTM)->levels) return false;
  if (!ingot__cuda_is_float(type) || !dense(call, 0, type, 3) || !dense(call, 3, type, 2) || !dense(call, 4, INGOT_INT32, 1)) return false;
  for (size_t i = 1; i < 3; i++)
    if (!dense(call, i, type, 3) || !call->in[i].constant || call->in[i].dim[1] > INT32_MAX / 4) return false;
  if (ingot__has_in(call, 3) && !call->in[3].constant) return false;
  for (size_t i = 5; i < 7; i++)
    if (!dense(call, i, type, 3)) return false;
  if (!dense(call, 7, type, 2)) return false;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && (call->out[i].dtype != type || call->out[i].layout != INGOT__PLAIN || !call->out[i].dense)) return false;
  a->halves = type != INGOT_FLOAT32;
  a->lstm = gates == 4;
  a->linear_first = gates == 3 && INGOT__ATTRS(call, GRU)->linear_before_reset != 0;
  a->halved = gates == 3 && !a->linear_first;
  a->usual = a->rnn.clip == 0;
  for (int i = 0; i < (int)a->rnn.directions * a->rnn.n_act; i++) { /* Sigmoid 2 for gates, Tanh 1 else */
    a->usual = a->usual && a->rnn.act[i].kind == (gates != 1 && i % a->rnn.n_act == 0 ? 2 : 1);
  }
  return a->rnn.hidden > 0 && a->rnn.hidden < (1 << 28) && a->rnn.input < (1 << 28);
}

static size_t line_of(size_t hidden) { return (hidden + 7) / 8 * 8; }

/* Bytes of a block that keeps the rows of R of `units` units. */
static size_t shared_of(const plan *a, size_t units, size_t sequences) {
  const size_t line = line_of(a->rnn.hidden), gates = (size_t)a->rnn.gates, halved = a->halved;
  size_t floats = sequences * (line * (1 + halved) + units * (2 + 1 + halved + 2 * gates));
  return floats * sizeof(float) + units * gates * line * (a->halves ? 2 : 4);
}

/* How many blocks share the units, the fewest that have room and not too much to do; none have: a launch a step. */
static void choose_blocks(plan *a) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const size_t hidden = a->rnn.hidden;
  a->sequences = a->rnn.batch > 1 ? 8 : 1;
  a->blocks = 0;
  for (int blocks = 1; blocks <= (info->arch >= 90 ? MOST_BLOCKS : 1); blocks *= 2) {
    const size_t units = (hidden + (size_t)blocks * 4 - 1) / ((size_t)blocks * 4) * 4, size = shared_of(a, units, (size_t)a->sequences);
    if (size > info->shared) continue;
    a->blocks = a->p.blocks = blocks, a->p.units = (int32_t)units, a->shared = size;
    if (units <= 2 * WARPS) break;
  }
}

static void prepare(const ingot__call *call, plan *a) {
  const ingot__rnn *r = &a->rnn;
  recurrent_params *p = &a->p;
  const void *in[8] = {NULL};
  for (size_t i = 0; i < 8; i++)
    if (ingot__has_in(call, i)) in[i] = call->in[i].data;
  p->x = in[0], p->w = in[1], p->r = in[2], p->b = in[3], p->lengths = in[4], p->h0 = in[5], p->c0 = in[6], p->peepholes = in[7];
  p->y = ingot__has_out(call, 0) ? call->out[0].data : NULL, p->yh = ingot__has_out(call, 1) ? call->out[1].data : NULL;
  p->yc = a->lstm && ingot__has_out(call, 2) ? call->out[2].data : NULL;
  p->steps = (int32_t)r->steps, p->batch = (int32_t)r->batch, p->input = (int32_t)r->input, p->hidden = (int32_t)r->hidden;
  p->directions = (int32_t)r->directions, p->reverse = r->reverse, p->batch_first = r->layout, p->clip = r->clip;
  p->coupled = a->lstm && INGOT__ATTRS(call, LSTM)->input_forget != 0;
  for (int i = 0; i < 6; i++) p->act[i] = (recurrent_act){r->act[i].kind, r->act[i].alpha, r->act[i].beta};
  const size_t piece = a->halves ? 8 : 4;
  p->x_whole = r->input % piece == 0 && (uintptr_t)p->x % 16 == 0;
  p->w_whole = r->input % piece == 0 && (uintptr_t)p->w % 16 == 0;
  p->r_whole = r->hidden % piece == 0 && (uintptr_t)p->r % 16 == 0;
  choose_blocks(a);
  const size_t each = r->directions * r->steps * (size_t)r->gates * r->hidden;
  a->part = each ? MOST_PROJECTED / sizeof(float) / each : r->batch;
  if (a->part > 8) a->part = a->part / 8 * 8;
  if (a->part < 1) a->part = 1;
  if (a->part > r->batch) a->part = r->batch;
  a->projected = each * a->part;
  a->state = a->blocks ? 0 : r->directions * a->part * r->hidden; /* two of h, c; for the halved GRU z and r h */
}

static bool supports(const ingot__call *call) { plan a; return takes(call, &a); }

static size_t workspace(const ingot__call *call) {
  plan a;
  if (!takes(call, &a)) return 0;
  prepare(call, &a);
  return (a.projected + a.state * 5) * sizeof(float) + 256;
}

static double cost(const ingot__call *call) {
  plan a;
  if (!takes(call, &a)) return 1e9;
  prepare(call, &a);
  const ingot__rnn *r = &a.rnn;
  const double weights = (double)(r->directions * (size_t)r->gates * r->hidden), rows = (double)(r->steps * r->batch);
  const double project = ingot__cuda_cost(ingot__cuda_bytes(call) + (double)a.projected * 8, 2 * rows * weights * (double)r->input,
      a.halves ? 100e12 : 15e12);
  const double step = (a.blocks ? 1.5e-6 : 2.5e-6) * (a.halved ? 2 : 1) + 2 * (double)r->batch * weights * (double)r->hidden / 10e12;
  return project + step * (double)r->steps;
}

static void define(const ingot__call *call, ingot__text *text) {
  plan a;
  if (!takes(call, &a)) return;
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define(text, "HALVES", a.halves);
  ingot__cuda_define(text, "GATES", a.rnn.gates);
  ingot__cuda_define(text, "LINEAR_FIRST", a.linear_first);
  ingot__cuda_define(text, "USUAL", a.usual);
  ingot__cuda_define(text, "PEEPHOLES", ingot__has_in(call, 7));
}

static ingot_status launch(const ingot__call *call, const plan *a, const char *entry, ingot__cuda_grid grid) {
  grid.early = true;
  return ingot__cuda_launch(call, entry, &grid, &a->p, sizeof a->p);
}

static ingot_status run_steps(const ingot__call *call, plan *a) {
  recurrent_params *p = &a->p;
  const unsigned tiles = (unsigned)ingot__divide_up(p->part, a->sequences), directions = (unsigned)p->directions;
  const bool one = a->sequences == 1;
  if (a->blocks) {
    return launch(call, a, one ? "recurrent_all_1" : "recurrent_all_8",
                  (ingot__cuda_grid){.x = (unsigned)a->blocks * tiles * directions, .threads = WARPS * 32, .shared = (unsigned)a->shared,
                                     .cluster = a->blocks > 1 ? (unsigned)a->blocks : 0});
  }
  const ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(p->hidden, STEP_WARPS), .y = tiles, .z = directions, .threads = STEP_WARPS * 32,
                                 .shared = (unsigned)(a->sequences * CHUNK * (int)sizeof(float))};
  for (p->late = 0; p->late < p->steps; p->late++) {
    INGOT_TRY(launch(call, a, one ? "recurrent_step_1" : "recurrent_step_8", grid));
    if (a->halved) INGOT_TRY(launch(call, a, one ? "recurrent_second_1" : "recurrent_second_8", grid));
  }
  return INGOT_OK;
}

static ingot_status run(const ingot__call *call) {
  plan a;
  if (!takes(call, &a)) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "a recurrent network that this kernel doesn't take");
  prepare(call, &a);
  recurrent_params *p = &a.p;
  if (p->batch == 0) return INGOT_OK;
  if (p->steps == 0) {
    for (p->first = 0; p->first < p->batch; p->first += 65535) { /* a grid's most */
      const int left = p->batch - p->first;
      INGOT_TRY(launch(call, &a, "recurrent_none",
                       (ingot__cuda_grid){.x = (unsigned)ingot__divide_up(p->hidden, 128), .y = (unsigned)(left < 65535 ? left : 65535),
                                          .z = (unsigned)p->directions, .threads = 128}));
    }
    return INGOT_OK;
  }
  p->projected = call->workspace;
  p->h = p->projected + (a.projected + 3) / 4 * 4;
  p->c = p->h + 2 * a.state, p->update = p->c + a.state, p->scaled = p->update + a.state;
  const size_t line = a.halves ? 64 + 8 : 32 + 4;
  for (p->first = 0; p->first < p->batch; p->first += p->part) {
    p->part = (int32_t)((size_t)(p->batch - p->first) < a.part ? (size_t)(p->batch - p->first) : a.part);
    INGOT_TRY(launch(call, &a, "recurrent_project",
                     (ingot__cuda_grid){.x = (unsigned)ingot__divide_up((int64_t)p->steps * p->part, SIDE),
                                        .y = (unsigned)ingot__divide_up((int64_t)a.rnn.gates * p->hidden, SIDE), .z = (unsigned)p->directions,
                                        .threads = 128, .shared = (unsigned)(4 * SIDE * line * (a.halves ? 2 : 4))}));
    INGOT_TRY(run_steps(call, &a));
  }
  return INGOT_OK;
}

const ingot__kernel_functions ingot__cuda_recurrent = {.supports = supports, .cost = cost, .workspace = workspace, .run = run,
                                                       .source = "recurrent/recurrent.cu", .define = define};
