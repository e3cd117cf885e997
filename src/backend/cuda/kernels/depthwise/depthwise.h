/* Parameters of depthwise/depthwise.cu. Comes after divide.h and depthwise/tensors.h. */
typedef struct depthwise_params {
  depthwise_tensors t;
  uint32_t vectors_shift, rows_shift;       /* a block's: vectors of channels, output rows; the rest of its threads are strips of a row */
  divisor groups, blocks_x, blocks_y;       /* blocks along the channels, along and across the lines of an image */
  int32_t vector, vector_residual;          /* 16 bytes may be loaded and stored at once */
} depthwise_params;
