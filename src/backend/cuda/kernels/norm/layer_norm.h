/* Parameters of LayerNormalization and RMSNormalization: dense rows. */
#pragma once
typedef struct layer_norm_params {
  const void *in, *scale, *bias;       /* scale and bias may be missing */
  void *out;
  float *mean, *inverse;               /* as outputs; may be missing */
  int64_t rows;
  int32_t length, lanes;               /* elements of a row; threads for one */
  int32_t constants;                   /* scale and bias are constants: no kernel before writes them */
  double share;                        /* 1 / length */
  float epsilon;
} layer_norm_params;
