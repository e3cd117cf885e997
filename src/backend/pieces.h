/* Operators that only move elements (Reformat, Transpose, Concat, Split, Slice, Pad, Expand, Tile, DepthToSpace, SpaceToDepth and what
 * copies all), as strided copies: on any layouts and slices, because views carry strides. */
#ifndef INGOT_BACKEND_PIECES_H
#define INGOT_BACKEND_PIECES_H
#include "ops/move.h"

typedef struct ingot__piece {
  ingot__move move;  /* strides in elements */
  const char *from;
  char *to;
} ingot__piece;

/* Whether the call is such an operator on elements of 1, 2, 4 or 8 bytes, of one type and where it matters one layout. */
bool ingot__piece_supports(const ingot__call *call);
/* How many copies the call is made of. */
size_t ingot__piece_count(const ingot__call *call);
/* The i-th; one dim of 0 where there is nothing to do. Inputs that say what goes where are read, so they are in the host's memory; of the
 * others only addresses are taken. INGOT_E_SHAPE where indices leave the input. */
ingot_status ingot__piece_get(const ingot__call *call, size_t i, ingot__piece *piece);
#endif
