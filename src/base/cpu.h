/* What the CPU can do, asked once. */
#ifndef INGOT_BASE_CPU_H
#define INGOT_BASE_CPU_H
#include <stdbool.h>
#include <stddef.h>

/* Instruction-set levels that kernels are compiled for, each including the ones before it. */
typedef enum ingot__isa { INGOT__ISA_PORTABLE = 0, INGOT__ISA_AVX2, INGOT__ISA_AVX512, INGOT__ISA_COUNT } ingot__isa;

typedef struct ingot__cpu {
  ingot__isa isa;        /* the best level, lowered by the environment variable INGOT_ISA=portable|avx2|avx512 */
  bool avx512_vnni, avx_vnni, avx512_bf16, amx_int8, amx_bf16;
  int cores;             /* that this process may use */
  size_t l1d, l2, l3;    /* bytes; of one core for l1d and l2 */
  char model[64];        /* "AMD EPYC 9655" */
} ingot__cpu;

const ingot__cpu *ingot__cpu_info(void);
const char *ingot__isa_name(ingot__isa isa); /* "avx512" */
void ingot__cpu_force(ingot__isa isa);       /* for tests: at most what the CPU has */
#endif
