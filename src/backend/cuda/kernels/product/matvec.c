/* Products of few rows with a constant matrix (product/matvec.cu): what matters is to read the matrix as fast as memory can. Any number of
 * rows is computed, eight at a time. */
#include <string.h>
#include "backend/cuda/kernels/product/matrices.h"

enum { ROWS = 8, COLUMNS = 16, CLUSTER = 8, WARPS = 8 };

static bool supports(const ingot__call *call) {
  if (!ingot__matrices_take(call) || !call->in[1].constant) return false;
  ingot__matrices d;
  ingot__matrices_shape(call, &d);
  return !d.a_strided;
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "HALVES", call->in[0].dtype != INGOT_FLOAT32);
  ingot__cuda_define(text, "ACT", INGOT__ATTRS(call, MatMul)->act);
}

/* Blocks of a cluster along k: until there are two blocks for each multiprocessor, and each has something to do. */
static int64_t choose_splits(const ingot__matrices *d, int64_t tiles) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const int64_t step = WARPS * 256 / (int64_t)d->product.size; /* k's of a block's step */
  int64_t splits = 1;
  if (info->arch < 90) return 1;
  while (splits < CLUSTER && tiles * splits < info->sms * 3 / 2 && d->k >= step * splits * 2) splits *= 2;
  return splits;
}

static double cost(const ingot__call *call) {
  const ingot__cuda_info *info = ingot__cuda_info_get();
  ingot__matrices d;
  if (ingot__matrices_prepare(call, &d) != INGOT_OK) return 1e9;
  const double sms = info->sms > 0 ? info->sms : 108, bytes = (double)d.n * (double)d.padded * (double)d.product.size;
  const double times = (double)ingot__divide_up(d.product.m, ROWS) * (double)d.product.batches;
  const double blocks = (double)ingot__divide_up(d.n, COLUMNS) * times;
  double speed = sms * (times > 1 ? 20e9 : 27e9); /* what is read again comes out of L2, but the work is the same */
  const double busy = blocks * (double)choose_splits(&d, (int64_t)blocks) / sms;
  if (busy < 1) speed *= busy;
  return 1.6e-6 + bytes * times / speed;
}

static ingot_status run(const ingot__call *call) {
  ingot__matrices d;
  INGOT_TRY(ingot__matrices_prepare(call, &d));
  product_params *p = &d.product.p;
  if (d.product.m == 0 || d.n == 0 || d.product.batches == 0) return INGOT_OK;
  const int64_t tiles_n = ingot__divide_up(d.n, COLUMNS);
  int64_t most = INT32_MAX / CLUSTER / d.product.batches / tiles_n * ROWS;
  if (most > INT32_MAX - 1024) most = INT32_MAX - 1024;
  if (most < 1) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "a matrix is too large for this kernel");
  for (int64_t first = 0; first < d.product.m; first += most) {
    p->m = (uint32_t)(d.product.m - first < most ? d.product.m - first : most);
    const int64_t tiles = ingot__divide_up(p->m, ROWS) * tiles_n * d.product.batches, splits = choose_splits(&d, tiles);
    ingot__product_number(p, ROWS, COLUMNS, d.product.batches, splits);
    ingot__cuda_grid grid = {.x = (unsigned)(tiles * splits), .threads = WARPS * 32, .shared = WARPS * ROWS * COLUMNS * sizeof(float),
                             .cluster = splits > 1 ? (unsigned)splits : 0, .early = true};
    INGOT_TRY(ingot__cuda_launch(call, "matvec", &grid, p, sizeof *p));
    p->a.data = (const char *)p->a.data + most * d.product.a_unit * (int64_t)d.product.size;
    p->out = (char *)p->out + most * d.product.out_unit * (int64_t)d.product.size;
    for (int i = 0; i < 2; i++)
      if (p->add[i].data) p->add[i].data = (const char *)p->add[i].data + most * d.product.add_unit[i] * (int64_t)d.product.size;
  }
  return INGOT_OK;
}

const ingot__kernel_functions ingot__cuda_matvec = {
  .supports = supports, .cost = cost, .pack_size = ingot__matrices_pack_size, .pack = ingot__matrices_pack, .pack_format = "columns",
  .packs_inputs = 1u << 1, .run = run, .source = "product/matvec.cu", .define = define};
