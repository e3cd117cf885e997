/* Parameters of reading and writing by index. */
#pragma once
enum { INDEX_TENSORS = 3, INDEX_MOST = 8 };
typedef struct index_params {
  void *to;
  const void *from, *index;
  space_dims dims;                                /* items */
  int64_t stride[INDEX_TENSORS * SPACE_RANK];     /* of what is written, read, and of the indices */
  int64_t step;                                   /* between the numbers of one index */
  int64_t dim[INDEX_MOST], jump[INDEX_MOST];      /* what each number of an index counts: its end, and items from one to the next */
  int32_t numbers;
} index_params;
