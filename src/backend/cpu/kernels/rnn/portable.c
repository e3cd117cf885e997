#define INGOT__ISA portable
#include "backend/cpu/kernels/rnn/rnn.inc"
