#define INGOT__ISA avx512
#include "backend/cpu/kernels/norm/norm.inc"
