/* For kernel templates: names with the instruction set at their end. A file avx512.c, avx2.c or portable.c defines INGOT__ISA as that word
 * and includes <family>.inc; INGOT__KERNEL(softmax_f32) is then ingot__cpu_softmax_f32_avx512. */
#ifndef INGOT_BACKEND_CPU_KERNELS_TEMPLATE_H
#define INGOT_BACKEND_CPU_KERNELS_TEMPLATE_H
#include "backend/cpu/kernel.h"
#define INGOT__PASTE3_(a, b, c) a##b##_##c
#define INGOT__PASTE3(a, b, c) INGOT__PASTE3_(a, b, c)
#define INGOT__KERNEL(base) INGOT__PASTE3(ingot__cpu_, base, INGOT__ISA)
/* The same for functions that a template's files share among themselves. */
#define INGOT__ISA_FUNCTION(base) INGOT__PASTE3(ingot__, base, INGOT__ISA)
#endif
