#define INGOT__ISA avx2
#include "backend/cpu/kernels/reduce/reduce.inc"
