/* Parts dims into kept and gone ones; see the header. */
#include "backend/cpu/kernels/reduce/lines.h"

static void put(ingot__axes *a, int64_t dim, int64_t in, int64_t out) {
  a->count *= dim;
  if (dim == 1) return;
  int at = a->rank++;
  for (; at > 0 && a->in[at - 1] < in; at--) a->dim[at] = a->dim[at - 1], a->in[at] = a->in[at - 1], a->out[at] = a->out[at - 1];
  a->dim[at] = dim, a->in[at] = in, a->out[at] = out;
}

static void join(ingot__axes *a) {
  int n = 0;
  for (int i = 0; i < a->rank; i++) {
    if (n > 0 && a->in[n - 1] == a->in[i] * a->dim[i] && a->out[n - 1] == a->out[i] * a->dim[i]) {
      a->dim[n - 1] *= a->dim[i], a->in[n - 1] = a->in[i], a->out[n - 1] = a->out[i];
    } else {
      a->dim[n] = a->dim[i], a->in[n] = a->in[i], a->out[n++] = a->out[i];
    }
  }
  a->rank = n;
}

void ingot__lines_set(ingot__lines *lines, const ingot__view *in, const ingot__view *out, unsigned gone) {
  *lines = (ingot__lines){.kept.count = 1, .gone.count = 1};
  bool same_rank = in->rank == out->rank;
  for (int i = 0, o = 0; i < in->rank; i++) {
    bool is_gone = gone >> i & 1;
    int64_t stride = !is_gone || (same_rank && out->dim[same_rank ? i : 0] != 1) ? out->stride[same_rank ? i : o] : 0;
    put(is_gone ? &lines->gone : &lines->kept, in->dim[i], in->stride[i], stride);
    if (!is_gone) o++;
  }
  join(&lines->kept), join(&lines->gone);
  const ingot__axes *k = &lines->kept, *g = &lines->gone;
  lines->rows = g->rank > 0 && g->in[g->rank - 1] == 1;
  lines->width = lines->blocks = 1;
  lines->units = k->count;
  if (lines->rows || k->rank == 0 || k->in[k->rank - 1] != 1 || k->out[k->rank - 1] != 1) return;
  int64_t dim = k->dim[k->rank - 1];
  lines->width = dim < LINES_WIDTH ? dim : LINES_WIDTH;
  if (dim > 0) lines->blocks = (dim + lines->width - 1) / lines->width, lines->units = k->count / dim * lines->blocks;
}

void ingot__lines_gather(ingot__lines *lines, int64_t most) {
  const ingot__axes *k = &lines->kept;
  if (!lines->rows || lines->gone.rank != 1 || lines->gone.count > most || k->rank == 0 || k->count == 0) return;
  int64_t dim = k->dim[k->rank - 1];
  lines->gathered = true;
  lines->width = dim < LINES_GATHER ? dim : LINES_GATHER;
  lines->blocks = (dim + lines->width - 1) / lines->width, lines->units = k->count / dim * lines->blocks;
}

void ingot__lines_narrow(ingot__lines *lines, int threads) {
  while (!lines->gathered && lines->width > 16 && lines->units < 2 * threads && threads > 1) {
    int64_t dim = lines->kept.dim[lines->kept.rank - 1], outer = lines->units / lines->blocks;
    lines->width = (lines->width / 2 + 15) / 16 * 16;
    lines->blocks = (dim + lines->width - 1) / lines->width, lines->units = outer * lines->blocks;
  }
}

ingot__line ingot__lines_at(const ingot__lines *lines, int64_t unit) {
  const ingot__axes *k = &lines->kept;
  ingot__line line = {0, 0, 1};
  int rank = k->rank;
  if (lines->width > 1 || lines->blocks > 1) {
    int64_t first = unit % lines->blocks * lines->width, left = k->dim[--rank] - first;
    unit /= lines->blocks;
    line = (ingot__line){first * k->in[rank], first * k->out[rank], left < lines->width ? left : lines->width};
  }
  for (int i = rank - 1; i >= 0; i--) {
    line.in += unit % k->dim[i] * k->in[i], line.out += unit % k->dim[i] * k->out[i];
    unit /= k->dim[i];
  }
  return line;
}
