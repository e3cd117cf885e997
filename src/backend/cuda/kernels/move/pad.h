/* Parameters of Pad. */
#pragma once
typedef struct pad_params {
  void *out;
  const void *in, *value;                /* value may be missing: zeros */
  space_dims dims;                       /* of the output, in items */
  int64_t stride[2 * SPACE_RANK];        /* of the output and the input */
  int64_t first[SPACE_RANK], size[SPACE_RANK]; /* along padded dims: where the input begins, and how much of it is left */
  uint32_t padded;                       /* bit d: dim d is */
  int32_t mode;                          /* 0 constant, 1 reflect, 2 edge, 3 wrap */
} pad_params;
