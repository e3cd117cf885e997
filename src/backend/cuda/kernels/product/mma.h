/* Parameters of product/mma.cu: out[m, n] = act(alpha * sum over k of A[m, k] B[k, n] + add[0] + add[1]), for each of the batches. Strides are
 * in elements. A convolution is a product whose rows are output pixels and whose k are the window's taps and their channels; its groups are
 * the batches. Comes after divide.h. */
enum { PRODUCT_BATCH = 6, PRODUCT_BAND = 8 };

/* An operand: rows of k side by side, or, where its source says so (A_STRIDED, B_STRIDED), rows of k whose m or n lie side by side. */
typedef struct product_operand {
  const void *data;
  int64_t row;                    /* from one row to the next; strided: from one k to the next */
  int64_t batch[PRODUCT_BATCH];
  int32_t copy;                   /* bytes that all of its places are aligned to: 16, 4 or 2 */
} product_operand;

/* What is added: a row or a matrix, or NULL. `image`, `line`, `pixel`: in TRANSPOSED products in the place of `row`. */
typedef struct product_addend {
  const void *data;
  int64_t row, column, image, line;
  int64_t batch[PRODUCT_BATCH];
  int32_t vector;                 /* 16 bytes may be loaded at once */
} product_addend;

/* Windows: row m is the output pixel (image, z, y, x), tap (tz, ty, tx) reads input z * stride + tz * step - pad and so on. */
typedef struct product_window {
  divisor out[3];                 /* dims of the output, z y x */
  int32_t in[3], kernel[3], stride[3], step[3], pad[3];
  int64_t image, place[3];        /* strides of the input */
  uint32_t channels, padded;      /* of a tap: that are there, and in k */
  /* TRANSPOSED: phase (ry, rx) of the outputs, those at y % phases[0] and x % phases[1], is a convolution of its own. out has the dims of a
   * phase; the phase is the innermost batch, not in the table of batches. */
  divisor phases[2];
  int32_t out_dim[2], taps[2], pads[2]; /* whole output, kernel and pads of the transposed convolution, y x */
  int64_t out_image, out_line;    /* strides of the output; pixel: out_row */
  uint32_t groups;
} product_window;

typedef struct product_params {
  product_operand a, b;
  product_addend add[2];
  void *out;
  int64_t out_row, out_batch[PRODUCT_BATCH];
  int32_t out_vector;             /* 16 bytes may be stored at once */
  uint32_t m, n, k;               /* k: with a window, taps * padded channels */
  uint32_t tiles_m, batches;
  divisor by_tiles, by_batches, by_splits; /* by_tiles: of a batch */
  divisor by_band, by_last_rows;  /* tiles in a band of PRODUCT_BAND rows of tiles; rows of the last band, if it has fewer */
  int32_t batch_rank;
  divisor batch[PRODUCT_BATCH];
  int32_t batch_inside;           /* batches vary faster than tiles */
  uint32_t splits;                /* parts that k is cut into, one block each */
  float *partials;                /* sums of parts; NULL: the parts are a cluster */
  uint32_t *arrived;              /* with partials: a counter for each tile, zero before */
  float alpha, act_alpha, act_beta;
  int32_t b_early;                /* B is constant: may be read before earlier kernels have ended */
  product_window window;
} product_params;
