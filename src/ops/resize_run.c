/* Resize: the reference. Nearest looks elements up; linear and cubic work along one axis after the other, in float. Leading axes that stay as
 * they are count as a batch, so that the memory between the passes is that of one plane. */
#include "ops/move.h"
#include "ops/resize.h"
#include <math.h>

/* What lies in the workspace. */
typedef struct space {
  size_t index[INGOT_MAX_RANK], weight[INGOT_MAX_RANK], buffer[2]; /* offsets */
  size_t total;                                                    /* SIZE_MAX: too large */
  int batch;                                                       /* leading axes that stay */
} space;

static size_t take(space *s, size_t n, size_t size) {
  size_t at = s->total, bytes;
  if (at == SIZE_MAX || !ingot__mul(n, size, &bytes) || bytes > SIZE_MAX / 4 || at > SIZE_MAX / 4) {
    s->total = SIZE_MAX;
    return 0;
  }
  s->total = ingot__align(at + bytes, 64);
  return at;
}

static void lay_out(const ingot__resize *r, bool is_f32, space *s) {
  *s = (space){0};
  while (s->batch < r->rank && r->axis[s->batch].same) s->batch++;
  size_t elements = 1, largest = 0;
  int passes = 0, done = 0;
  for (int i = s->batch; i < r->rank; i++) elements *= (size_t)r->axis[i].in, passes += !r->axis[i].same;
  if (!is_f32) largest = elements;
  for (int i = s->batch; i < r->rank; i++) {
    const ingot__resize_axis *a = &r->axis[i];
    if (a->same && r->mode != INGOT__RESIZE_NEAREST) continue;
    s->index[i] = take(s, (size_t)a->out, sizeof(int32_t));
    if (r->mode == INGOT__RESIZE_NEAREST) continue;
    size_t weights;
    if (!ingot__mul((size_t)a->out, (size_t)ingot__resize_taps(r, i), &weights)) s->total = SIZE_MAX;
    else s->weight[i] = take(s, weights, sizeof(float));
    if (a->in) {
      elements /= (size_t)a->in;
      if (!ingot__mul(elements, (size_t)a->out, &elements)) s->total = SIZE_MAX;
    }
    if ((++done < passes || !is_f32) && elements > largest) largest = elements;
  }
  if (r->mode == INGOT__RESIZE_NEAREST || largest == 0) return;
  s->buffer[0] = take(s, largest, sizeof(float));
  if (passes + (is_f32 ? 0 : 1) > 2 || !is_f32) s->buffer[1] = take(s, largest, sizeof(float));
}

size_t ingot__workspace_Resize(const ingot__call *call) {
  ingot__call quiet = *call;
  quiet.diag = NULL; /* problems are told when it runs */
  ingot__resize r;
  bool guess;
  space s;
  if (ingot__resize_setup(&quiet, &r, &guess) != INGOT_OK || ingot__view_count(&call->out[0]) == 0) return 0;
  lay_out(&r, call->in[0].dtype == INGOT_FLOAT32, &s);
  return s.total;
}

static ingot_status nearest(const ingot__call *call, const ingot__resize *r, const space *s) {
  const ingot__view *in = &call->in[0];
  ingot__view *out = &call->out[0];
  size_t size = ingot__move_size(in->dtype), run = 1;
  if (!size) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "%s can't be resized", ingot_dtype_name(in->dtype));
  uint64_t outside[2] = {0};
  ingot__set_double(in->dtype, outside, 0, (double)INGOT__ATTRS(call, Resize)->extrapolation_value);
  const int32_t *index[INGOT_MAX_RANK] = {0};
  for (int i = s->batch; i < r->rank; i++) {
    int32_t *t = (int32_t *)((char *)call->workspace + s->index[i]);
    ingot__resize_nearest_table(r, i, t);
    index[i] = t;
  }
  int last = r->rank - 1; /* innermost axes that stay are copied whole */
  while (last >= s->batch && r->axis[last].same) run *= (size_t)r->axis[last--].in;
  int64_t at[INGOT_MAX_RANK] = {0};
  char *to = out->data;
  const char *from = in->data;
  for (;;) {
    int64_t offset = 0;
    bool hit = true;
    for (int i = 0; i < last; i++) {
      int64_t j = i < s->batch ? at[i] : index[i][at[i]];
      hit = hit && j >= 0;
      offset += j * in->stride[i];
    }
    if (last < s->batch) { /* nothing changes */
      for (int i = 0; i <= last; i++) run *= (size_t)in->dim[i];
      memcpy(to, from, run * size);
      return INGOT_OK;
    }
    const int32_t *row = index[last];
    int64_t n = out->dim[last];
    if (run == 1 && size == 4 && hit && r->coordinates != INGOT__RESIZE_TF_CROP) {
      for (int64_t i = 0; i < n; i++) memcpy(to + i * 4, from + (offset + row[i]) * 4, 4);
    } else {
      for (int64_t i = 0; i < n; i++) {
        char *t = to + (size_t)i * run * size;
        if (!hit || row[i] < 0) ingot__move_fill(t, run, size, outside);
        else memcpy(t, from + (size_t)(offset + row[i] * in->stride[last]) * size, run * size);
      }
    }
    to += (size_t)n * run * size;
    int i = last - 1;
    for (; i >= 0; i--) {
      if (++at[i] < out->dim[i]) break;
      at[i] = 0;
    }
    if (i < 0) return INGOT_OK;
  }
}

/* One axis: from (outer, in, inner) to (outer, out, inner). */
static void pass(const ingot__resize_axis *a, int64_t taps, const int32_t *first, const float *weight, size_t outer, size_t inner, const float *from,
                 float *to, float outside) {
  for (size_t o = 0; o < outer; o++, from += (size_t)a->in * inner) {
    const float *w = weight;
    for (int64_t i = 0; i < a->out; i++, w += taps, to += inner) {
      if (first[i] < 0) {
        for (size_t k = 0; k < inner; k++) to[k] = outside;
        continue;
      }
      const float *x = from + (size_t)first[i] * inner;
      if (inner == 1) {
        float sum = 0;
        for (int64_t t = 0; t < taps; t++) sum += w[t] * x[t];
        *to = sum;
      } else if (taps == 2) {
        float w0 = w[0], w1 = w[1];
        for (size_t k = 0; k < inner; k++) to[k] = w0 * x[k] + w1 * x[inner + k];
      } else {
        for (size_t k = 0; k < inner; k++) to[k] = w[0] * x[k];
        for (int64_t t = 1; t < taps; t++)
          for (size_t k = 0; k < inner; k++) to[k] += w[t] * x[(size_t)t * inner + k];
      }
    }
  }
}

static void store(ingot_dtype dtype, void *to, size_t at, const float *from, size_t n) {
  bool integer = ingot__dtype_is_int(dtype);
  for (size_t i = 0; i < n; i++) ingot__set_double(dtype, to, at + i, integer ? rint((double)from[i]) : (double)from[i]);
}

ingot_status ingot__ref_Resize(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  ingot__view *out = &call->out[0];
  ingot__resize r;
  bool guess;
  space s;
  INGOT_TRY(ingot__resize_setup(call, &r, &guess));
  if (guess) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "scales or roi have no data");
  if (ingot__view_count(out) == 0) return INGOT_OK;
  bool is_f32 = in->dtype == INGOT_FLOAT32;
  lay_out(&r, is_f32, &s);
  if (s.total > call->workspace_size) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  if (r.mode == INGOT__RESIZE_NEAREST) return nearest(call, &r, &s);
  char *work = call->workspace;
  float outside = INGOT__ATTRS(call, Resize)->extrapolation_value;
  size_t batches = 1, n_in = 1, n_out = 1;
  int passes = 0;
  for (int i = 0; i < s.batch; i++) batches *= (size_t)r.axis[i].in;
  for (int i = s.batch; i < r.rank; i++) {
    n_in *= (size_t)r.axis[i].in, n_out *= (size_t)r.axis[i].out;
    if (r.axis[i].same) continue;
    passes++;
    ingot__resize_table(&r, i, (int32_t *)(work + s.index[i]), (float *)(work + s.weight[i]));
  }
  if (passes == 0) return ingot__move_all(call);
  for (size_t b = 0; b < batches; b++) {
    int which = 0, done = 0;
    const float *from = (const float *)in->data + b * n_in;
    if (!is_f32) {
      float *x = (float *)(work + s.buffer[0]);
      for (size_t i = 0; i < n_in; i++) x[i] = (float)ingot__get_double(in->dtype, in->data, b * n_in + i);
      from = x;
      which = 1;
    }
    size_t outer = 1, inner = n_in;
    for (int i = s.batch; i < r.rank; i++) {
      const ingot__resize_axis *a = &r.axis[i];
      inner /= (size_t)a->in;
      if (!a->same) {
        float *to = ++done == passes && is_f32 ? (float *)out->data + b * n_out : (float *)(work + s.buffer[which]);
        const int32_t *first = (const int32_t *)(work + s.index[i]);
        pass(a, ingot__resize_taps(&r, i), first, (const float *)(work + s.weight[i]), outer, inner, from, to, outside);
        from = to;
        which ^= 1;
      }
      outer *= (size_t)a->out;
    }
    if (!is_f32) store(out->dtype, out->data, b * n_out, from, n_out);
  }
  return INGOT_OK;
}
