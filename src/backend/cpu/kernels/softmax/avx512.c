#define INGOT__ISA avx512
#include "backend/cpu/kernels/softmax/softmax.inc"
