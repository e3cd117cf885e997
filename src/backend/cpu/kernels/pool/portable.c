#define INGOT__ISA portable
#include "backend/cpu/kernels/pool/pool.inc"
