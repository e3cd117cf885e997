/* Elementwise work on types that floats can't stand for: the program of elementwise/program.h, but its slots hold blocks of the values' own
 * types, and each operation is one row of ops.def for one type. Takes float32 too, so that chains may cross from type to type. */
#ifndef INGOT_BACKEND_CPU_KERNELS_TYPED_PROGRAM_H
#define INGOT_BACKEND_CPU_KERNELS_TYPED_PROGRAM_H
#include "backend/cpu/kernels/elementwise/program.h"

enum { TYPED_MAX_SLOTS = 64, TYPED_MAX_CONSTANTS = 24 };
enum { TYPED_TYPES = INGOT_BFLOAT16 + 1 }; /* tables over types have rows up to here */

/* Gelu by tanh, beside the operators. */
enum { TYPED_GELU_TANH = INGOT__OP_COUNT, TYPED_OPS };

typedef struct typed_op {
  uint16_t op;       /* ingot__op, or one of the above */
  uint8_t from, to;  /* the first operand's type (Where: the second's) and the result's */
  uint8_t out, a, b, c;
  float p0, p1;
} typed_op;

/* Slots: the inputs first, then constants, then one for each operation. */
typedef struct typed_program {
  element_program io;                        /* inputs and outputs, for ingot__element_space; no operations */
  int n_constant, n_slot, n_op;
  uint64_t constant[TYPED_MAX_CONSTANTS];    /* one element of its type */
  uint8_t type[TYPED_MAX_SLOTS];             /* of each slot */
  typed_op op[ELEMENT_MAX_OPS];
} typed_program;

/* False when the call isn't one that the program can express. */
bool ingot__typed_program(const ingot__call *call, typed_program *program);
#endif
