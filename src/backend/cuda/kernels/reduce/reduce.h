/* Parameters of the reductions: the kept dims, whose items are outputs or vectors of them, and the dims that go, whose items are elements or
 * vectors of them. */
#pragma once
typedef struct reduce_params {
  const void *in;
  void *out;
  void *partial;                    /* a state for each part and output, where parts are more than one */
  space_dims kept, gone;
  int64_t kept_stride[2 * SPACE_RANK]; /* of the input, of the output */
  int64_t gone_stride[SPACE_RANK];
  int64_t count;                    /* elements of an output */
  int64_t out_step;                 /* between a vector's outputs */
  uint32_t lanes;                   /* threads side by side: along what goes, or along the outputs */
  uint32_t outputs, parts;
} reduce_params;
