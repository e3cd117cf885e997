#define INGOT__ISA avx2
#include "backend/cpu/kernels/rnn/rnn.inc"
