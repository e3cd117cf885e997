/* Parameters of strided copies: several at once, or one that is turned through tiles. */
#pragma once
enum { MOVE_PIECES = 8 };
typedef struct move_piece {
  space_dims dims;                 /* of items */
  void *to;
  const void *from;
  int64_t stride[2 * SPACE_RANK];  /* of items: first those of `to`, then of `from` */
} move_piece;
typedef struct move_params {
  move_piece piece[MOVE_PIECES];
  int32_t inner;                   /* copy_short: elements that a thread copies, along a short dim that items leave out */
  int64_t inner_to, inner_from;    /* its strides */
} move_params;

/* `to` has stride 1 along dim i, `from` along dim j; the others are `outer`. */
typedef struct turn_params {
  space_dims outer;
  void *to;
  const void *from;
  int64_t stride[2 * SPACE_RANK];  /* of the outer dims */
  space_divisor tiles_i, tiles_j;
  int64_t dim_i, dim_j;
  int64_t to_j, from_i;            /* strides */
} turn_params;
