/* Operators that only move elements, as strided copies: on any layouts and slices, because views carry strides. */
#ifndef INGOT_BACKEND_CUDA_KERNELS_MOVE_PIECES_H
#define INGOT_BACKEND_CUDA_KERNELS_MOVE_PIECES_H
#include "backend/cuda/kernels/walk.h"

/* How many copies the call is made of. */
size_t ingot__cuda_pieces(const ingot__call *call);
/* The i-th as a walk of two tensors, what is written and what is read; not joined. No dims of 0 but where there is nothing to do.
 * INGOT_E_SHAPE where indices leave the input. */
ingot_status ingot__cuda_piece(const ingot__call *call, size_t i, ingot__walk *walk);
#endif
