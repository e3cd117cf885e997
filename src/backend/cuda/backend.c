/* NVIDIA GPUs as a target: the table of kernels out of kernels.def and the questions asked about it. What no row takes runs on the host, by
 * the CPU's kernels; so do calls on a few whole numbers, which are shapes. */
#include "backend/cuda/cublaslt.h"
#include "backend/cuda/cudnn.h"
#include "backend/cuda/device.h"
#include "backend/fit.h"
#include <string.h>

#define INGOT_KERNEL(name, op, arch, in_layout, out_layout, flags) \
  {"cuda_" #name, INGOT__OP_##op, arch, INGOT__##in_layout, INGOT__##out_layout, flags, &ingot__cuda_##name, true},
static const ingot__kernel kernels[] = {
#include "backend/cuda/kernels.def"
  {"cuda_transfer", INGOT__OP_Transfer, 0, INGOT__PLAIN, INGOT__PLAIN, 0, &ingot__cuda_transfer, true},
  {"cuda_transfer_last", INGOT__OP_Transfer, 0, INGOT__CHANNELS_LAST, INGOT__CHANNELS_LAST, 0, &ingot__cuda_transfer, true},
};
#undef INGOT_KERNEL
enum { KERNELS = sizeof kernels / sizeof kernels[0], SHAPE_LIKE = 64 /* elements */ };

static bool available(const ingot__kernel *kernel) {
  if (!kernel->on_device) return ingot__cpu_backend.available(kernel);
  const ingot__library *library = kernel->functions->library;
  return kernel->level <= ingot__cuda_info_get()->arch && (!library || library->version(NULL) != 0);
}

/* What is added to a convolution lies as its output does. */
static bool addend_fits(const ingot__call *call) {
  if (!call->node || call->node->op != INGOT__OP_Conv || !ingot__has_in(call, 3) || !ingot__has_out(call, 0)) return true;
  return call->in[3].layout == call->out[0].layout;
}

/* Shapes and what is computed from them: whole numbers (or bools), few of them. */
static bool shape_like(const ingot__call *call) {
  for (size_t i = 0; i < call->n_in + call->n_out; i++) {
    const ingot__view *v = i < call->n_in ? &call->in[i] : &call->out[i - call->n_in];
    if (v->dtype == INGOT_UNDEFINED || v->constant) continue;
    bool whole = v->dtype == INGOT_INT64 || v->dtype == INGOT_INT32 || v->dtype == INGOT_BOOL;
    if (!whole || v->rank > 1 || ingot__view_count(v) > SHAPE_LIKE) return false;
  }
  return true;
}

/* Whether the row takes the call, its library apart, which isn't opened for the question. */
static bool takes(const ingot__kernel *kernel, const ingot__call *call) {
  if (kernel->op != INGOT__OP_NONE && call->node && kernel->op != call->node->op) return false;
  if (!ingot__layouts_fit(kernel, call) || !addend_fits(call) || !ingot__numbers_alone(call)) return false;
  if (kernel->level > ingot__cuda_info_get()->arch) return false;
  return !kernel->functions->supports || kernel->functions->supports(call);
}

static bool fits(const ingot__kernel *kernel, const ingot__call *call) {
  if (!kernel->on_device) return ingot__cpu_backend.fits(kernel, call);
  return takes(kernel, call) && available(kernel);
}

/* The host's: views, which are no work wherever they are; and all of them where no row of ours is. */
static size_t host_candidates(const ingot__call *call, bool views_alone, const ingot__kernel **list, size_t max) {
  const ingot__kernel *all[64];
  size_t n = ingot__cpu_backend.candidates(call, all, sizeof all / sizeof all[0]), kept = 0;
  for (size_t i = 0; i < n && kept < max; i++)
    if (!views_alone || (all[i]->flags & INGOT__K_VIEW)) list[kept++] = all[i];
  return kept;
}

static size_t candidates(const ingot__call *call, const ingot__kernel **list, size_t max) {
  size_t n = host_candidates(call, true, list, max);
  if (!shape_like(call) || (call->node && call->node->op == INGOT__OP_Transfer))
    for (size_t i = 0; i < KERNELS && n < max; i++)
      if (takes(&kernels[i], call)) list[n++] = &kernels[i];
  return n ? n : host_candidates(call, false, list, max);
}

static const ingot__kernel *find(const char *name) {
  for (size_t i = 0; i < KERNELS; i++)
    if (strcmp(kernels[i].name, name) == 0) return &kernels[i];
  return ingot__cpu_backend.find(name);
}

static double cost(const ingot__kernel *kernel, const ingot__call *call) {
  if (kernel->flags & INGOT__K_VIEW) return 0;
  if (!kernel->on_device) return ingot__cpu_backend.cost(kernel, call);
  if (kernel->functions->cost) return kernel->functions->cost(call);
  return ingot__cuda_cost(ingot__cuda_bytes(call), (double)ingot__op_flops(call), 30e12);
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* On a device: the row that is estimated to take least among those of ours that read the same packed bytes and have the same
 * layouts. */
static const ingot__kernel *substitute(const char *name, const ingot__call *call) {
  const ingot__kernel *old = find(name);
  if (!old || !old->on_device) return ingot__cpu_backend.substitute(name, call);
  const ingot__kernel *best = NULL;
  double least = 0;
  for (size_t i = 0; i < KERNELS; i++) {
    const ingot__kernel *now = &kernels[i];
    if (now == old || now->functions->library || now->op != old->op) continue;
    if (now->in_layout != old->in_layout || now->out_layout != old->out_layout) continue;
    if ((now->flags & old->flags) != old->flags || now->functions->packs_inputs != old->functions->packs_inputs) continue;
    if (!same_text(now->functions->pack_format, old->functions->pack_format) || !fits(now, call)) continue;
    const double seconds = cost(now, call);
    if (!best || seconds < least) best = now, least = seconds;
  }
  return best;
}

static const char *describe(void) { return "NVIDIA GPU"; }
static bool wants_channels_last(void) { return true; }

static const ingot__device_functions device_functions = {
  .open = ingot__cuda_open,
  .close = ingot__cuda_close,
  .count = ingot__cuda_count,
  .describe = ingot__cuda_describe,
  .code_key = ingot__cuda_code_key,
  .least = ingot__cuda_least,
  .allocate = ingot__cuda_allocate,
  .release = ingot__cuda_release,
  .write = ingot__cuda_write,
  .read = ingot__cuda_read,
  .owns = ingot__cuda_owns,
  .pin = ingot__cuda_pin,
  .unpin = ingot__cuda_unpin,
  .pinned = ingot__cuda_pinned,
  .compile = ingot__cuda_compile,
  .text_key = ingot__cuda_text_key,
  .load = ingot__cuda_load,
  .unload = ingot__cuda_unload,
  .queue_new = ingot__cuda_queue_new,
  .queue_free = ingot__cuda_queue_free,
  .queue_native = ingot__cuda_queue_native,
  .queue_use = ingot__cuda_queue_use,
  .copy = ingot__cuda_copy,
  .wait = ingot__cuda_wait,
  .record = ingot__cuda_record,
  .record_end = ingot__cuda_record_end,
  .play = ingot__cuda_play,
  .recording_free = ingot__cuda_recording_free,
  .mark_new = ingot__cuda_mark_new,
  .mark_free = ingot__cuda_mark_free,
  .mark = ingot__cuda_mark,
  .seconds = ingot__cuda_seconds,
  .reached = ingot__cuda_reached,
  .follow = ingot__cuda_follow,
};

static const ingot__library *const libraries[] = {&ingot__cublaslt, &ingot__cudnn, NULL};

const ingot__backend ingot__cuda_backend = {
  .name = "cuda",
  .describe = describe,
  .candidates = candidates,
  .find = find,
  .available = available,
  .fits = fits,
  .substitute = substitute,
  .cost = cost,
  .wants_channels_last = wants_channels_last,
  .libraries = libraries,
  .device = &device_functions,
};
