/* The CPU as a target: the table of kernels out of kernels.def and the questions asked about it. */
#include "backend/cpu/kernel.h"
#include "backend/fit.h"
#include <stdio.h>

#define INGOT_KERNEL(name, op, isa, in_layout, out_layout, flags) \
  {#name, INGOT__OP_##op, INGOT__ISA_##isa, INGOT__##in_layout, INGOT__##out_layout, flags, &ingot__cpu_##name, false},
static const ingot__kernel kernels[] = {
#include "backend/cpu/kernels.def"
};
#undef INGOT_KERNEL
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static bool available(const ingot__kernel *kernel) { return kernel->level <= (int)ingot__cpu_info()->isa; }

static bool fits(const ingot__kernel *kernel, const ingot__call *call) {
  if (kernel->op != INGOT__OP_NONE && call->node && kernel->op != call->node->op) return false;
  if (!available(kernel) || !ingot__layouts_fit(kernel, call)) return false;
  if (kernel->functions != &ingot__cpu_reference && !ingot__numbers_alone(call)) return false;
  return !kernel->functions->supports || kernel->functions->supports(call);
}

/* Rows are one kernel for several instruction sets when their names differ in the last word alone. */
static bool same_kernel(const char *a, const char *b) {
  const char *end_a = strrchr(a, '_'), *end_b = strrchr(b, '_');
  return end_a && end_b && end_a - a == end_b - b && memcmp(a, b, (size_t)(end_a - a)) == 0;
}

/* Of a kernel's variants only the widest that the device has. */
static size_t candidates(const ingot__call *call, const ingot__kernel **list, size_t max) {
  size_t n = 0;
  for (size_t i = 0; i < KERNELS && n < max; i++) {
    const ingot__kernel *k = &kernels[i], *last = n ? list[n - 1] : NULL;
    if (last && last->level > k->level && last->op == k->op && same_kernel(last->name, k->name)) continue;
    if (fits(k, call)) list[n++] = k;
  }
  return n;
}

static const ingot__kernel *find(const char *name) {
  for (size_t i = 0; i < KERNELS; i++)
    if (strcmp(kernels[i].name, name) == 0) return &kernels[i];
  return NULL;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Takes a row that reads the same packed bytes, has the same layouts and allows at least what the first one did (slices, in place). */
static const ingot__kernel *substitute(const char *name, const ingot__call *call) {
  const ingot__kernel *old = find(name);
  if (!old) return NULL;
  for (size_t i = 0; i < KERNELS; i++) {
    const ingot__kernel *now = &kernels[i];
    if (now == old || now->op != old->op || now->in_layout != old->in_layout || now->out_layout != old->out_layout) continue;
    if ((now->flags & old->flags) != old->flags || now->functions->packs_inputs != old->functions->packs_inputs) continue;
    if (same_text(now->functions->pack_format, old->functions->pack_format) && fits(now, call)) return now;
  }
  return NULL;
}

/* Of one thread: about what recent server cores at 3 to 4 GHz reach in our kernels. Only their proportions matter. */
const ingot__cpu_rates *ingot__cpu_rates_get(ingot__isa isa) {
  static const ingot__cpu_rates rates[INGOT__ISA_COUNT] = {
    [INGOT__ISA_PORTABLE] = {45e9, 6e9, 30e9},
    [INGOT__ISA_AVX2] = {120e9, 15e9, 60e9},
    [INGOT__ISA_AVX512] = {240e9, 15e9, 100e9},
  };
  return &rates[isa];
}

/* For rows without a model of their own: elementwise work and data movement, at the speed of memory or L2. */
static double default_cost(const ingot__kernel *kernel, const ingot__call *call) {
  const ingot__cpu_rates *rates = ingot__cpu_rates_get((ingot__isa)kernel->level);
  double bytes = 0, threads = call->threads > 1 ? call->threads : 1;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i)) bytes += (double)ingot__view_count(&call->in[i]) * (double)ingot_dtype_bits(call->in[i].dtype) / 8;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i)) bytes += (double)ingot__view_count(&call->out[i]) * (double)ingot_dtype_bits(call->out[i].dtype) / 8;
  /* What a network's neighbouring layers hand on mostly lies in L3, at about 4 times memory's rate for one core. */
  const ingot__cpu *cpu = ingot__cpu_info();
  double rate = bytes < (double)cpu->l2 ? rates->l2_bytes : bytes < (double)cpu->l3 / 2 ? 4 * rates->memory_bytes : rates->memory_bytes;
  double move = bytes / rate, compute = (double)ingot__op_flops(call) / rates->f32_flops;
  return 1e-6 + (move > compute ? move : compute) / threads;
}

static double cost(const ingot__kernel *kernel, const ingot__call *call) {
  if (kernel->flags & INGOT__K_VIEW) return 0;
  return kernel->functions->cost ? kernel->functions->cost(call) : default_cost(kernel, call);
}

/* "AMD EPYC 9655, 8 cores, avx512 vnni bf16": also the key of timings, so whatever changes which kernel is fastest belongs in it. */
static const char *describe(void) {
  static _Thread_local char text[160];
  const ingot__cpu *cpu = ingot__cpu_info();
  snprintf(text, sizeof text, "%s, %d core%s, %s%s%s%s", cpu->model, cpu->cores, cpu->cores == 1 ? "" : "s", ingot__isa_name(cpu->isa),
           cpu->isa >= INGOT__ISA_AVX512 && cpu->avx512_vnni ? " vnni" : cpu->isa == INGOT__ISA_AVX2 && cpu->avx_vnni ? " vnni" : "",
           cpu->isa >= INGOT__ISA_AVX512 && cpu->avx512_bf16 ? " bf16" : "", cpu->isa >= INGOT__ISA_AVX512 && cpu->amx_int8 ? " amx" : "");
  return text;
}

static bool wants_channels_last(void) { return true; }

const ingot__backend ingot__cpu_backend = {
  .name = "cpu",
  .describe = describe,
  .candidates = candidates,
  .find = find,
  .available = available,
  .fits = fits,
  .substitute = substitute,
  .cost = cost,
  .wants_channels_last = wants_channels_last,
};
