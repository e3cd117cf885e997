/* For the files of kernels/: the row's view of itself, common arithmetic helpers are beside the families that use them. */
#ifndef INGOT_BACKEND_CPU_KERNEL_H
#define INGOT_BACKEND_CPU_KERNEL_H
#include "backend/backend.h"
#include "base/cpu.h"

#define INGOT_KERNEL(name, op, isa, in_layout, out_layout, flags) extern const ingot__kernel_functions ingot__cpu_##name;
#include "backend/cpu/kernels.def"
#undef INGOT_KERNEL

/* Rates for cost models, of one thread, at the level a kernel is compiled for. */
typedef struct ingot__cpu_rates { double f32_flops, memory_bytes, l2_bytes; } ingot__cpu_rates; /* per second */
const ingot__cpu_rates *ingot__cpu_rates_get(ingot__isa isa);
#endif
