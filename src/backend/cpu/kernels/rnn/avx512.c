#define INGOT__ISA avx512
#include "backend/cpu/kernels/rnn/rnn.inc"
