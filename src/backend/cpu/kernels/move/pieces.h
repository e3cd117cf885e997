/* Operators that only move elements, as strided copies: on any layouts and slices, because views carry strides. */
#ifndef INGOT_BACKEND_CPU_KERNELS_MOVE_PIECES_H
#define INGOT_BACKEND_CPU_KERNELS_MOVE_PIECES_H
#include "backend/cpu/kernel.h"
#include "ops/move.h"

typedef struct move_piece {
  ingot__move move;  /* strides in elements */
  const char *from;
  char *to;
} move_piece;

bool ingot__move_supports(const ingot__call *call);
/* How many copies the call is made of. */
size_t ingot__move_pieces(const ingot__call *call);
/* The i-th; its rank is 0 and one dim of 0 where there is nothing to do. INGOT_E_SHAPE where indices leave the input. */
ingot_status ingot__move_piece(const ingot__call *call, size_t i, move_piece *piece);
#endif
