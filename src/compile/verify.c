/* Verification before the engine is written: it runs once on random inputs, and every layer's output is compared with the reference, given
 * the very inputs the layer had. Products too large to recompute are sampled: random elements, from the definition. */
#include "compile/compile.h"
#include "compile/element.h"
#include "runtime/state.h"
#include <math.h>
#include <string.h>

enum { SAMPLES = 48, ELEMENTWISE_SAMPLES = 512, WHOLE_FLOPS = 2000000, WHOLE_COUNT = 1 << 17, MOST = 60 /* seconds after which it gives up */ };
enum { LEAST_LAYERS = 4 }; /* of a device that are compared however late it is: a busy machine may be late at once */
#define TOLERANCE 1e-3 /* of the largest magnitude among the compared elements */
#define SHARE 0.1      /* of the build's time */
#define LEAST 0.1      /* seconds it may always take */
#define SHARE_ON_DEVICE 0.05 /* where a build whose timings and code are known is to take less than a second */
#define LEAST_ON_DEVICE 0.03
#define LARGER 8       /* than the optimum's inputs: shapes that it doesn't run at */

typedef struct verifier {
  ingot__build *build;
  ingot__arena arena;       /* of one layer */
  uint64_t random;
  double deadline;          /* after it only what is cheap is compared */
  ingot__view *saved;       /* inputs of a step that writes over them */
  ingot_context *context;
  bool late;                /* there is no time for the present step */
} verifier;

static void random_position(verifier *v, const ingot__view *view, int64_t *at) {
  for (int d = 0; d < view->rank; d++) at[d] = (int64_t)(ingot__random(&v->random) % (uint64_t)view->dim[d]);
}

/* A dense PLAIN copy in the arena; the view itself if it is one already. */
static bool plain(verifier *v, const ingot__view *from, ingot__view *to, bool copy) {
  *to = *from;
  if (from->dtype == INGOT_UNDEFINED || (!copy && from->dense && from->layout == INGOT__PLAIN)) return true;
  size_t bytes;
  if (!ingot__view_set(to, from->dtype, from->rank, from->dim, INGOT__PLAIN)) return false;
  if (!ingot__dtype_bytes(from->dtype, (size_t)ingot__view_count(from), &bytes) || !(to->data = ingot__arena_alloc(&v->arena, bytes))) return false;
  to->constant = from->constant;
  ingot__view_copy(to, from);
  return true;
}

static ingot_status differ(verifier *v, const ingot__run_step *run, double got, double want, double tolerance) {
  return INGOT__FAIL_NODE(v->build->diag, INGOT_E_VERIFY, run->node,
                          "kernel %s gives %.9g where the reference gives %.9g (tolerance %.3g); this is a bug in ingot: please report it",
                          run->step->kernel->name, got, want, tolerance);
}

/* How many times float32's tolerance a step may have: the last bit of a half is 2^-11 of its value, of a bfloat16 2^-8; TF32 rounds inputs to
 * 2^-11 each. A Cast within a chain rounds what kernels compute a little differently to another neighbour. */
static double rounding_of(ingot_dtype t) { return t == INGOT_BFLOAT16 ? 12 : t == INGOT_FLOAT16 ? 3 : 1; }
static double rounding(const ingot__run_step *run) {
  double most = strstr(run->step->kernel->name, "tf32") ? 3 : 1;
  for (size_t i = 0; i < run->call.n_out; i++) most = fmax(most, rounding_of(run->call.out[i].dtype));
  if (run->node->op != INGOT__OP_Fused) return most;
  for (const ingot__node *n = ((const ingot__attrs_Fused *)run->node->attrs)->body->first; n; n = n->next)
    most = fmax(most, rounding_of(n->out[0]->type.dtype));
  return most;
}

/* The part of the largest output by which attention may be off where all of a row is masked by finite numbers: the softmax is then of what these
 * leave of the scores, no more than their rounding. On random inputs that is usual: whole numbers, which masks are made of, are zeros. */
#define LARGE_MASK 1000
static double masked_away(const ingot__call *c) {
  if (c->node->op != INGOT__OP_FusedAttention || !ingot__has_in(c, 3) || !ingot__dtype_is_float(c->in[3].dtype)) return 0;
  const ingot__view *m = &c->in[3];
  if (!m->dense) return 0;
  const double unit = m->dtype == INGOT_FLOAT16 ? 0x1p-11 : m->dtype == INGOT_BFLOAT16 ? 0x1p-8 : 0x1p-23;
  double largest = 0;
  for (int64_t i = 0, n = ingot__view_count(m); i < n; i++) {
    const double x = fabs(ingot__get_double(m->dtype, m->data, (size_t)i));
    if (isfinite(x)) largest = fmax(largest, x);
  }
  return largest < LARGE_MASK ? 0 : fmin(1, 4 * unit * largest);
}

/* Kernels multiply by zero what the reference leaves out, such as the values of keys that a mask hides: NaNs may come of NaNs. */
static bool holds_nan(const ingot__call *c) {
  for (size_t i = 0; i < c->n_in; i++) {
    const ingot__view *in = &c->in[i];
    if (!ingot__has_in(c, i) || !in->data || !in->dense || !ingot__dtype_is_float(in->dtype)) continue;
    for (size_t k = 0, n = (size_t)ingot__view_count(in); k < n; k++)
      if (isnan(ingot__get_double(in->dtype, in->data, k))) return true;
  }
  return false;
}

/* more: of each element, beyond that; NULL: nothing. */
static ingot_status compare(verifier *v, const ingot__run_step *run, const double *got, const double *want, const double *more, size_t n,
                            bool floating) {
  double largest = 0;
  for (size_t i = 0; i < n; i++)
    if (isfinite(want[i]) && fabs(want[i]) > largest) largest = fabs(want[i]);
  double tolerance = rounding(run) > 1 ? 1 : 0; /* levels out of halves: the next one */
  if (floating) tolerance = (TOLERANCE * rounding(run) + masked_away(&run->call)) * largest + 1e-6;
  if (run->node->op == INGOT__OP_LSTM && ((const ingot__attrs_LSTM *)run->node->attrs)->levels) tolerance *= 10; /* one level stays in the state */
  size_t excused = ingot__node_jumps(run->node) ? 1 + n / 50 : 0; /* elements that may have jumped */
  for (size_t i = 0; i < n; i++) {
    if (isnan(want[i]) && isnan(got[i])) continue;
    if (got[i] == want[i]) continue;
    double error = fabs(got[i] - want[i]);
    if (!(error <= tolerance + (more ? more[i] : 0))) {
      if (isnan(got[i]) && holds_nan(&run->call)) return INGOT_OK;
      if (isnan(error) || excused == 0) return differ(v, run, got[i], want[i], tolerance + (more ? more[i] : 0));
      excused--;
    } else if (largest > 0 && floating && error / largest > v->build->verified.worst) {
      v->build->verified.worst = error / largest;
      v->build->verified.worst_layer = run->node->name;
    }
  }
  v->build->verified.elements += n;
  return INGOT_OK;
}

/* Where sums cancel their errors are parts of what their terms come to: TF32 leaves those 10 bits, and tensor cores add with some bits less than
 * float32 has. */
static ingot_status sample_products(verifier *v, const ingot__run_step *run) {
  double got[SAMPLES], want[SAMPLES], more[SAMPLES];
  const double part = strstr(run->step->kernel->name, "tf32") ? 0x1p-9 : run->step->kernel->on_device ? 1e-4 : 0;
  size_t n = 0;
  for (; n < SAMPLES; n++) {
    int64_t at[INGOT_MAX_RANK];
    if (n >= 4 && ingot__now() > v->deadline) break;
    random_position(v, &run->call.out[0], at);
    got[n] = ingot__element_at(&run->call.out[0], at);
    want[n] = ingot__element(&run->call, at, &more[n]);
    more[n] *= part;
  }
  v->build->verified.sampled++;
  return compare(v, run, got, want, more, n, true);
}

/* An elementwise node on some positions only: the inputs' elements there, as vectors. Fused nodes too. */
static ingot_status sample_elementwise(verifier *v, const ingot__run_step *run, const ingot__view *in, bool *done) {
  const ingot__call *c = &run->call;
  const ingot__view *o = &c->out[0];
  size_t n = ELEMENTWISE_SAMPLES;
  int64_t dim[INGOT_MAX_RANK]; /* a vector, of the output's rank: constants inside a Fused node's body have a rank that must not be more */
  for (int d = 0; d < o->rank; d++) dim[d] = d == o->rank - 1 ? ELEMENTWISE_SAMPLES : 1;
  ingot__view *views = INGOT_NEW_ARRAY(&v->arena, c->n_in + c->n_out + 1, ingot__view);
  double *got = INGOT_NEW_ARRAY(&v->arena, n * c->n_out + 1, double), *want = INGOT_NEW_ARRAY(&v->arena, n + 1, double);
  if (!views || !got || !want) return ingot__no_memory(v->build->diag);
  for (size_t i = 0; i < c->n_in + c->n_out; i++) {
    const ingot__view *from = i < c->n_in ? &in[i] : &c->out[i - c->n_in];
    if (from->dtype == INGOT_UNDEFINED) continue;
    size_t bytes;
    bool one = i < c->n_in && ingot__view_count(from) == 1; /* such as a bound of Clip, which must stay one number */
    ingot__view_set(&views[i], from->dtype, one ? 0 : o->rank, dim, INGOT__PLAIN);
    if (!ingot__dtype_size(from->dtype) || !ingot__dtype_bytes(from->dtype, one ? 1 : n, &bytes)) return INGOT_OK;
    if (!(views[i].data = ingot__arena_alloc(&v->arena, bytes))) return ingot__no_memory(v->build->diag);
  }
  for (size_t s = 0; s < n; s++) {
    int64_t at[INGOT_MAX_RANK];
    random_position(v, o, at);
    for (size_t i = 0; i < c->n_in + c->n_out; i++) {
      const ingot__view *from = i < c->n_in ? &in[i] : &c->out[i - c->n_in];
      if (from->dtype == INGOT_UNDEFINED) continue;
      int64_t offset = 0;
      for (int d = 0; d < from->rank; d++)
        if (from->dim[d] != 1) offset += at[o->rank - from->rank + d] * from->stride[d];
      if (i < c->n_in) {
        size_t size = ingot__dtype_size(from->dtype);
        memcpy((char *)views[i].data + (views[i].rank ? s : 0) * size, (const char *)from->data + (size_t)offset * size, size);
      } else got[(i - c->n_in) * n + s] = ingot__get_double(from->dtype, from->data, (size_t)offset);
    }
  }
  ingot__call call = *c;
  call.in = views;
  call.out = views + c->n_in;
  call.packed = NULL;
  call.workspace_size = ingot__reference_workspace(&call);
  if (call.workspace_size && !(call.workspace = ingot__arena_alloc(&v->arena, call.workspace_size))) return ingot__no_memory(v->build->diag);
  INGOT_TRY(ingot__reference(&call));
  *done = true;
  v->build->verified.sampled++;
  for (size_t o2 = 0; o2 < c->n_out; o2++) {
    if (call.out[o2].dtype == INGOT_UNDEFINED) continue;
    for (size_t s = 0; s < n; s++) want[s] = ingot__get_double(call.out[o2].dtype, call.out[o2].data, s);
    INGOT_TRY(compare(v, run, got + o2 * n, want, NULL, n, ingot__dtype_is_float(call.out[o2].dtype)));
  }
  return INGOT_OK;
}

/* Attention in halves as it is in float32: its reference rounds scores to halves, which kernels don't, and exponents make more of that. */
static bool widened(verifier *v, ingot__view *view) {
  if (!ingot__dtype_is_half(view->dtype)) return true;
  const ingot__view from = *view;
  const size_t n = (size_t)ingot__view_count(&from);
  float *to = INGOT_NEW_ARRAY(&v->arena, n + 1, float);
  if (!to || !ingot__view_set(view, INGOT_FLOAT32, from.rank, from.dim, INGOT__PLAIN)) return false;
  view->data = to;
  view->constant = from.constant;
  for (size_t i = 0; i < n; i++) to[i] = (float)ingot__get_double(from.dtype, from.data, i);
  return true;
}

static ingot_status whole(verifier *v, const ingot__run_step *run, const ingot__view *in) {
  ingot__call call = run->call;
  ingot__view *views = INGOT_NEW_ARRAY(&v->arena, call.n_in + call.n_out + 1, ingot__view);
  if (!views) return ingot__no_memory(v->build->diag);
  const bool attention = run->node->op == INGOT__OP_FusedAttention;
  for (size_t i = 0; i < call.n_in; i++)
    if (!plain(v, &in[i], &views[i], false) || (attention && !widened(v, &views[i]))) return ingot__no_memory(v->build->diag);
  for (size_t i = 0; i < call.n_out; i++) {
    ingot__view *o = &views[call.n_in + i];
    size_t bytes;
    *o = call.out[i];
    if (o->dtype == INGOT_UNDEFINED) continue;
    ingot__view_set(o, attention ? views[0].dtype : o->dtype, o->rank, call.out[i].dim, INGOT__PLAIN);
    if (!ingot__dtype_bytes(o->dtype, (size_t)ingot__view_count(o), &bytes) || !(o->data = ingot__arena_alloc(&v->arena, bytes)))
      return ingot__no_memory(v->build->diag);
  }
  call.in = views;
  call.out = views + call.n_in;
  call.workspace_size = ingot__reference_workspace(&call);
  if (call.workspace_size && !(call.workspace = ingot__arena_alloc(&v->arena, call.workspace_size))) return ingot__no_memory(v->build->diag);
  INGOT_TRY(ingot__reference(&call));
  v->build->verified.whole++;
  for (size_t i = 0; i < call.n_out; i++) {
    ingot__view got;
    if (call.out[i].dtype == INGOT_UNDEFINED || call.out[i].dtype == INGOT_STRING) continue;
    if (!plain(v, &run->call.out[i], &got, false)) return ingot__no_memory(v->build->diag);
    size_t n = (size_t)ingot__view_count(&got);
    double *a = INGOT_NEW_ARRAY(&v->arena, n + 1, double), *b = INGOT_NEW_ARRAY(&v->arena, n + 1, double);
    if (!a || !b) return ingot__no_memory(v->build->diag);
    for (size_t k = 0; k < n; k++) {
      a[k] = ingot__get_double(got.dtype, got.data, k);
      b[k] = ingot__get_double(call.out[i].dtype, call.out[i].data, k);
    }
    INGOT_TRY(compare(v, run, a, b, NULL, n, ingot__dtype_is_float(got.dtype)));
  }
  return INGOT_OK;
}

static bool comparable(const ingot__view *v, unsigned most_bits) {
  unsigned bits = ingot_dtype_bits(v->dtype);
  return v->data && ingot__is_tensor(v) && bits && bits % 8 == 0 && bits <= most_bits;
}

static bool readable(const ingot__call *c) {
  for (size_t i = 0; i < c->n_in; i++)
    if (ingot__has_in(c, i) && !comparable(&c->in[i], 128)) return false;
  for (size_t i = 0; i < c->n_out; i++)
    if (ingot__has_out(c, i) && !comparable(&c->out[i], 64)) return false;
  return c->n_out > 0 && ingot__has_out(c, 0) && ingot__view_count(&c->out[0]) > 0;
}

/* Compares a step after it has run; before it, what it will write over is put aside. */
static ingot_status check_step(verifier *v, const ingot__run_step *run, bool after) {
  const ingot__call *c = &run->call;
  if (!after) {
    ingot__arena_reset(&v->arena);
    v->saved = NULL;
    if (!(run->step->kernel->flags & INGOT__K_IN_PLACE) || !c->n_in || c->in[0].data != c->out[0].data) return INGOT_OK;
    v->saved = INGOT_NEW_ARRAY(&v->arena, c->n_in, ingot__view);
    if (!v->saved) return ingot__no_memory(v->build->diag);
    for (size_t i = 0; i < c->n_in; i++)
      if (!plain(v, &c->in[i], &v->saved[i], true)) return ingot__no_memory(v->build->diag);
    return INGOT_OK;
  }
  const ingot__view *in = v->saved ? v->saved : c->in;
  if (!readable(c)) return INGOT_OK;
  v->build->verified.layers++;
  bool elementwise = ingot__op_get(c->node->op)->elementwise || c->node->op == INGOT__OP_Fused || c->node->op == INGOT__OP_Clip ||
                     c->node->op == INGOT__OP_Where || c->node->op == INGOT__OP_Pow || c->node->op == INGOT__OP_PRelu ||
                         c->node->op == INGOT__OP_Gelu;
  bool done = false;
  if (ingot__element_known(c) && (run->step->kernel->on_device || ingot__op_flops(c) > WHOLE_FLOPS)) return sample_products(v, run);
  if (elementwise && ingot__view_count(&c->out[0]) > ELEMENTWISE_SAMPLES) {
    INGOT_TRY(sample_elementwise(v, run, in, &done));
    if (done) return INGOT_OK;
  }
  if (ingot__now() > v->deadline && ingot__view_count(&c->out[0]) > WHOLE_COUNT) {
    v->build->verified.layers--;
    return INGOT_OK;
  }
  return whole(v, run, in);
}

/* Constants that a kernel has packed aren't on the device as they were. */
static void read_packed(ingot__run_step *run) {
  ingot__view *in = (ingot__view *)run->call.in; /* the mirror's own */
  for (size_t i = 0; i < run->call.n_in; i++)
    if (ingot__has_in(&run->call, i) && !in[i].data && in[i].constant) in[i].data = (void *)run->node->in[i]->data;
}

/* One image of a convolution's batch, at random: the others needn't be copied. */
static bool one_image(verifier *v, const ingot__call *c, ingot__call *part) {
  *part = *c;
  if (c->node->op != INGOT__OP_Conv && c->node->op != INGOT__OP_ConvTranspose) return true;
  const int64_t n = c->in[0].rank > 2 ? c->in[0].dim[0] : 0;
  if (n < 2 || c->out[0].rank < 3 || c->out[0].dim[0] != n) return true;
  ingot__view *views = INGOT_NEW_ARRAY(&v->arena, c->n_in + c->n_out, ingot__view);
  if (!views) return false;
  memcpy(views, c->in, c->n_in * sizeof *views);
  memcpy(views + c->n_in, c->out, c->n_out * sizeof *views);
  const int64_t image = (int64_t)(ingot__random(&v->random) % (uint64_t)n);
  ingot__view *const batched[] = {&views[0], ingot__has_in(c, 3) ? &views[3] : NULL, &views[c->n_in]};
  for (size_t i = 0; i < sizeof batched / sizeof batched[0]; i++) {
    if (!batched[i] || !batched[i]->data || batched[i]->dim[0] != n) continue;
    batched[i]->data = (char *)batched[i]->data + (size_t)(image * batched[i]->stride[0]) * ingot__dtype_size(batched[i]->dtype);
    batched[i]->dim[0] = 1;
  }
  part->in = views;
  part->out = views + c->n_in;
  return true;
}

/* A step on a device, by copies of its tensors in the host's memory, which take their time: none when that is over. */
static ingot_status check_device(verifier *v, const ingot__run_step *run, bool after, ingot__diag *diag) {
  const ingot__call *c = &run->call;
  bool saves = (run->step->kernel->flags & INGOT__K_IN_PLACE) && c->n_in && c->in[0].data == c->out[0].data;
  ingot__run_step mirrored = *run;
  if (!after) ingot__arena_reset(&v->arena), v->saved = NULL, v->late = v->build->verified.layers >= LEAST_LAYERS && ingot__now() > v->deadline;
  if (v->late || (!after && !saves)) return INGOT_OK;
  ingot__call part;
  if (!one_image(v, c, &part)) return ingot__no_memory(diag);
  INGOT_TRY(ingot__device_mirror(v->context, &part, &v->arena, diag, &mirrored.call));
  if (after) {
    read_packed(&mirrored);
    return check_step(v, &mirrored, true);
  }
  v->saved = ingot__arena_copy(&v->arena, mirrored.call.in, c->n_in * sizeof *v->saved);
  return v->saved ? INGOT_OK : ingot__no_memory(diag);
}

static ingot_status check(void *user, ingot__run_step *run, bool after, ingot__diag *diag) {
  verifier *v = user;
  if (!ingot__progressed(&v->build->config->progress, "verifying", v->build->verified.layers, v->build->engine->network->n_node + 1))
    return ingot__fail(diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  if (!strcmp(run->step->kernel->name, "reference") || run->node->op == INGOT__OP_Transfer) return INGOT_OK; /* the truth, and a copy of it */
  return run->step->kernel->on_device ? check_device(v, run, after, diag) : check_step(v, run, after);
}

static double elements(const ingot__build *b, const ingot__profile *profile, int which) {
  double total = 1;
  for (size_t i = 0; i < b->engine->network->main->n_input; i++) {
    double n = 1;
    for (int d = 0; d < b->engine->network->main->input[i]->type.rank; d++) n *= (double)ingot__dims_at(&profile[i], which)[d];
    total += n;
  }
  return total;
}

/* Where other kernels were chosen for other sizes, they run as well: at the ends of the profiles, unless those are far larger than the optimum. */
static ingot_status other_sizes(verifier *v, ingot_context *context, ingot__arena *inputs) {
  const ingot__build *b = v->build;
  const ingot_engine *e = b->engine;
  bool any = false;
  for (size_t i = 0; i < e->network->n_node; i++) any = any || (e->step[i].n_other && e->step[i].size > 0); /* 0: a stand-in alone */
  for (size_t p = 0; any && p < e->n_profile; p++)
    for (int which = INGOT__AT_OPT; which <= INGOT__AT_MAX; which++) {
      const ingot__profile *profile = &e->profile[p * context->n_in];
      if (p == 0 && which == INGOT__AT_OPT) continue;
      if (ingot__now() > v->deadline || elements(b, profile, which) > LARGER * elements(b, e->profile, INGOT__AT_OPT)) continue;
      INGOT_TRY(ingot__random_inputs(context, profile, which, &v->random, inputs, b->diag));
      INGOT_TRY(ingot__run_guarded(context, MOST, b->diag));
    }
  return INGOT_OK;
}

ingot_status ingot__build_verify(ingot__build *b) {
  const bool device = b->engine->backend->device != NULL;
  const double start = ingot__now(), share = (start - b->start) * (device ? SHARE_ON_DEVICE : SHARE), least = device ? LEAST_ON_DEVICE : LEAST;
  if (!ingot__progressed(&b->config->progress, "verifying", 0, 1)) return ingot__fail(b->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  verifier v = {.build = b, .random = 42, .deadline = start + (share > least ? share : least)};
  ingot__arena inputs;
  ingot__arena_init(&inputs, &b->heap);
  ingot__arena_init(&v.arena, &b->heap);
  ingot_context_options options = {.threads = b->engine->threads};
  ingot_context *context = NULL;
  ingot_status status = ingot__context_new(b->engine, &options, b->diag, &context);
  if (status == INGOT_OK) status = ingot__random_inputs(context, b->engine->profile, INGOT__AT_OPT, &v.random, &inputs, b->diag);
  if (status == INGOT_OK) {
    v.context = context;
    context->trace = check;
    context->trace_user = &v;
    status = ingot__run_guarded(context, MOST, b->diag);
  }
  if (status == INGOT_OK) status = other_sizes(&v, context, &inputs);
  ingot__context_free(context);
  ingot__arena_free(&v.arena);
  ingot__arena_free(&inputs);
  if (status != INGOT_OK && status != INGOT_E_VERIFY && status != INGOT_E_MEMORY && status != INGOT_E_CANCELLED) {
    bool tensors = true; /* random sequences and optionals seldom are what a network expects */
    for (size_t i = 0; i < b->engine->network->main->n_input; i++)
      tensors = tensors && b->engine->network->main->input[i]->type.kind == INGOT__TENSOR;
    ingot__logf(&b->engine->log, tensors ? INGOT_LOG_WARNING : INGOT_LOG_INFO, "the engine couldn't be verified on random inputs: %s", b->diag->text);
    ingot__diag_init(b->diag, b->diag->file);
    status = INGOT_OK;
  }
  b->seconds_verify = ingot__now() - start;
  ingot__progressed(&b->config->progress, "verifying", 1, 1);
  return status;
}
