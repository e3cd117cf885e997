#define INGOT__ISA avx512
#include "backend/cpu/kernels/resize/resize.inc"
