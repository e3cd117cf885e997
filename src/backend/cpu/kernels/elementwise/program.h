/* Elementwise work as a small program over blocks of floats: what the instruction sets' templates run. Built anew for each call from the
 * node (or a Fused node's body): a few hundred nanoseconds, and nothing to keep in step between versions. */
#ifndef INGOT_BACKEND_CPU_KERNELS_ELEMENTWISE_PROGRAM_H
#define INGOT_BACKEND_CPU_KERNELS_ELEMENTWISE_PROGRAM_H
#include "backend/cpu/kernel.h"

enum { ELEMENT_MAX_SLOTS = 32, ELEMENT_MAX_IN = 12, ELEMENT_MAX_OUT = 6, ELEMENT_MAX_OPS = 48, ELEMENT_MAX_VALUES = 96 };
enum { ELEMENT_THREAD_GRAIN = 65536 }; /* operations worth a second thread */

/* Operations that stand for two or three: a b + c, and its ReLU. */
enum { ELEMENT_MULTIPLY_ADD = INGOT__OP_COUNT, ELEMENT_MULTIPLY_ADD_RELU, ELEMENT_OPS };

/* slot[out] = op(slot[a], slot[b], slot[c]); bools are 0 and 1. Identity copies; Cast makes a bool. */
typedef struct element_op {
  uint16_t op; /* ingot__op, or one of the above */
  uint8_t out, a, b, c;
  float p0, p1;
} element_op;

/* Slots: the inputs first, then constants, then results. */
typedef struct element_program {
  int n_in, n_constant, n_slot, n_op, n_out;
  uint8_t in[ELEMENT_MAX_IN];    /* the call's input that slot i holds */
  int8_t in_axis[ELEMENT_MAX_IN];/* the axis along which a 1-D input lies; -1: broadcast as NumPy does */
  uint8_t out[ELEMENT_MAX_OUT];  /* the call's output */
  uint8_t out_slot[ELEMENT_MAX_OUT];
  float constant[ELEMENT_MAX_SLOTS];
  element_op op[ELEMENT_MAX_OPS];
} element_program;

/* The loops around: dims with neighbours joined where all operands allow, outermost first; strides in bytes, 0 where broadcast. */
typedef struct element_space {
  int rank; /* >= 1 */
  int64_t dim[INGOT_MAX_RANK];
  int64_t in_stride[ELEMENT_MAX_IN][INGOT_MAX_RANK], out_stride[ELEMENT_MAX_OUT][INGOT_MAX_RANK];
} element_space;

/* False when the call isn't one that the program can express. */
bool ingot__element_program(const ingot__call *call, element_program *program);
/* Puts neighbouring operations together where one loop can do both. */
void ingot__element_join(element_program *program);
/* Needs a built program and views with dims and strides. */
void ingot__element_space(const ingot__call *call, const element_program *program, element_space *space);
#endif
