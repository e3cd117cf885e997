/* Parameters of the pools. Spatial dims are depth, height, width; missing ones have one element. */
#pragma once
typedef struct pool_params {
  const void *in;
  void *out;
  uint32_t items;
  space_divisor inner[4];               /* an item's number, innermost first: LAST: channels, width, height, depth; else channels last */
  int64_t in_stride[2], out_stride[5];  /* of the image, of items of channels, of depth, height and width */
  int32_t in_step[3];                   /* the input's last three */
  int32_t size[3], begin[3], end[3];    /* of the input, and its padding */
} pool_params;
