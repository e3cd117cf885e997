#define INGOT__ISA avx2
#include "backend/cpu/kernels/norm/norm.inc"
