/* Where the elements of several tensors lie that are walked in step: dims with their strides in each, as few as there can be. Parameters of
 * kernels that turn an item's number into offsets: each thread divides by the dims, with multiplications. */
#pragma once
enum { SPACE_RANK = 8 };
/* n / dim for n < 2^31 is (high half of n * multiplier + n) >> shift. */
typedef struct space_divisor { uint32_t dim, multiplier, shift; } space_divisor;
typedef struct space_dims {
  uint32_t items;                 /* of all dims; below 2^31 */
  int32_t rank;                   /* >= 1; dims outermost first */
  space_divisor dim[SPACE_RANK];
} space_dims;
