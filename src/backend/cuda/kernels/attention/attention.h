/* Parameters of the attention kernels. Strides are in elements; a leading dim's stride is 0 where a tensor is broadcast along it. Rows are
 * queries: row r is query r % queries of fold r / queries, folds being heads of queries that share a head of keys, so that few queries of many
 * heads fill a tile. */
#ifndef INGOT_CUDA_ATTENTION_H
#define INGOT_CUDA_ATTENTION_H
enum { ATTENTION_LEAD = 8 };

typedef struct attention_tensor {
  void *data;
  int64_t lead[ATTENTION_LEAD], fold, row, column;
  int32_t whole;             /* 16 bytes at a time: address, strides and columns are multiples of that, and columns lie side by side */
} attention_tensor;

typedef struct attention_params {
  attention_tensor q, k, v, o, mask;
  const void *lengths, *offsets;       /* or NULL */
  int32_t lengths_bytes, offsets_bytes; /* of a number: 4 or 8 */
  int32_t lengths_each, offsets_each;  /* 1: one for each element of the batch; 0: one for all */
  int32_t lead, dim[ATTENTION_LEAD];   /* leading dims, outermost first */
  int32_t per_element;                 /* of their products to one element of the batch */
  int32_t queries, rows, tiles;        /* tiles: of rows */
  int32_t keys, head, width;           /* head: features of Q and K; width: of V */
  int32_t chunks;                      /* of the width, each WIDTH */
  int32_t splits, split_keys;          /* parts of the keys that blocks share; keys of one */
  int32_t ring;                        /* few queries: tiles of keys in shared memory for each warp, 1 or 2 */
  int32_t causal, left, right;         /* left, right: -1 none */
  float scale;                         /* of scores, in base 2 where there is no cap */
  float cap, cap_scale;                /* scores s become cap * tanh(s * cap_scale), in base 2 */
  float *partial, *sums;               /* with splits: [row of all][split][width rounded up], and [..][2]: greatest, sum */
} attention_params;
#endif
