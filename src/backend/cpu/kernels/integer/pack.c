/* Packing of 8-bit matrices, and what MatMulInteger's kernels take. */
#include "backend/cpu/kernels/integer/pack.h"

void ingot__pack_bytes(ingot_dtype dtype, const void *from, size_t k, size_t n, size_t begin, size_t end, void *to) {
  const uint8_t *b = from;
  uint8_t flip = dtype == INGOT_UINT8 ? 0x80 : 0;
  for (size_t p = begin; p < end; p++) {
    char *panel = (char *)to + p * ingot__byte_panel_size(k);
    int32_t sum[INGOT__BYTE_PANEL] = {0};
    int8_t *bytes = (int8_t *)panel + 64;
    size_t first = p * INGOT__BYTE_PANEL, columns = n - first < INGOT__BYTE_PANEL ? n - first : INGOT__BYTE_PANEL;
    memset(bytes, 0, ingot__byte_panel_size(k) - 64);
    for (size_t r = 0; r < k; r++) {
      int8_t *row = bytes + r / 4 * 64 + r % 4;
      for (size_t c = 0; c < columns; c++) {
        int8_t v = (int8_t)(b[r * n + first + c] ^ flip);
        row[4 * c] = v;
        sum[c] += v;
      }
    }
    memcpy(panel, sum, sizeof sum);
  }
}

/* Any leading dims of A over one matrix B; or the same leading dims. */
bool ingot__byte_product_get(const ingot__call *call, ingot__byte_product *p) {
  const ingot__view *a = &call->in[0], *b = &call->in[1];
  if (!ingot__has_in(call, 0) || !ingot__has_in(call, 1) || !ingot__has_out(call, 0) || a->rank < 2 || b->rank < 2) return false;
  *p = (ingot__byte_product){.batch = 1, .m = (size_t)a->dim[a->rank - 2], .n = (size_t)b->dim[b->rank - 1], .k = (size_t)a->dim[a->rank - 1]};
  size_t outer = 1;
  for (int i = 0; i < a->rank - 2; i++) outer *= (size_t)a->dim[i];
  if (b->rank == 2) p->m *= outer;
  else p->batch = outer;
  bool same = a->rank == b->rank;
  for (int i = 0; same && i < a->rank - 2; i++) same = a->dim[i] == b->dim[i];
  if (b->rank > 2 && !same) return false;
  /* Zero points: one; one a row of A or column of B where B is a single matrix. */
  for (size_t i = 2; i < 4; i++) {
    if (!ingot__has_in(call, i)) continue;
    size_t count = (size_t)ingot__view_count(&call->in[i]), rows = (size_t)a->dim[a->rank - 2];
    if (count != 1 && (p->batch > 1 || (i == 2 ? count != p->m && count != rows : count != p->n))) return false;
  }
  return true;
}

size_t ingot__byte_product_pack_size(const ingot__call *call) {
  const ingot__view *b = &call->in[1];
  return ingot__byte_panels((size_t)b->dim[1]) * ingot__byte_panel_size((size_t)b->dim[0]);
}

void ingot__byte_product_pack(const ingot__call *call, void *packed) {
  const ingot__view *b = &call->in[1];
  size_t n = (size_t)b->dim[1];
  ingot__pack_bytes(b->dtype, b->data, (size_t)b->dim[0], n, 0, ingot__byte_panels(n), packed);
}
