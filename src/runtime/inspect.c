/* What an engine consists of, as JSON: for people through the CLI, and for programs. */
#include "runtime/inspect.h"
#include "base/text.h"
#include <string.h>

static void dims(ingot__text *t, const char *key, const ingot__network *net, const ingot__type *type) {
  ingot__json_open(t, key, '[');
  for (int d = 0; d < type->rank; d++) {
    char text[256];
    int64_t n;
    if (ingot__dim_value(&net->dims, type->dim[d], &n)) ingot__json_int(t, NULL, n);
    else ingot__json_string(t, NULL, ingot__dim_text(&net->dims, type->dim[d], text, sizeof text));
  }
  ingot__json_close(t, ']');
}

static void numbers(ingot__text *t, const char *key, const int64_t *v, int n) {
  ingot__json_open(t, key, '[');
  for (int i = 0; i < n; i++) ingot__json_int(t, NULL, v[i]);
  ingot__json_close(t, ']');
}

static void tensor(ingot__text *t, const ingot_engine *e, const ingot__value *v) {
  ingot__json_open(t, NULL, '{');
  ingot__json_string(t, "name", v->name);
  static const char *const kinds[] = {"tensor", "sequence", "optional", "optional sequence"};
  ingot__json_string(t, "type", ingot_dtype_name(v->type.dtype));
  if (v->type.kind != INGOT__TENSOR) ingot__json_string(t, "kind", kinds[v->type.kind]);
  dims(t, "dims", e->network, &v->type);
  ingot__json_string(t, "layout", e->place[v->id].layout == INGOT__CHANNELS_LAST ? "channels_last" : "plain");
  ingot__json_close(t, '}');
}

static const ingot__run_step *step_of(const ingot_context *context, const ingot__node *n) {
  const ingot__frame *frame = context && context->current ? context->current->frame[0] : NULL;
  for (size_t r = 0; frame && r < frame->n_region; r++)
    for (size_t i = 0; i < frame->region[r]->n_step; i++)
      if (frame->region[r]->step[i].node == n) return &frame->region[r]->step[i];
  return NULL;
}

const char *ingot__step_precision(const ingot__node *n, const ingot__kernel *kernel) {
  if (kernel && strstr(kernel->name, "tf32")) return "tf32";
  const ingot__value *in = n->n_in ? n->in[0] : NULL, *out = n->n_out ? n->out[0] : NULL;
  const ingot__value *v = in && (!out || ingot__dtype_is_float(in->type.dtype)) ? in : out;
  return v ? ingot_dtype_name(v->type.dtype) : NULL;
}

int64_t ingot__call_bytes(const ingot__call *call, size_t packed) {
  int64_t total = (int64_t)packed;
  for (size_t i = 0; i < call->n_in + call->n_out; i++) {
    const ingot__view *v = i < call->n_in ? &call->in[i] : &call->out[i - call->n_in];
    size_t bytes;
    if (v->dtype == INGOT_UNDEFINED || !ingot__is_tensor(v) || (packed && v->constant)) continue;
    if (ingot__dtype_bytes(v->dtype, (size_t)ingot__view_count(v), &bytes)) total += (int64_t)bytes;
  }
  return total;
}

/* What runs where shapes are nearer to another size than to the optimum's, or where a library is missing. */
static void others(ingot__text *t, const ingot_engine *e, const ingot__step *step) {
  uint8_t stand_ins = 0;
  for (uint8_t i = 0; i < step->n_other; i++) {
    if (step->other[i].size != step->size) continue;
    ingot__json_string(t, "stand_in", step->other[i].kernel->name);
    stand_ins++;
  }
  if (stand_ins == step->n_other) return;
  ingot__json_double(t, "elements", (double)step->size, 7);
  ingot__json_open(t, "at_other_sizes", '[');
  for (uint8_t i = 0; i < step->n_other; i++) {
    const ingot__step *o = &step->other[i];
    if (o->size == step->size) continue;
    ingot__json_open(t, NULL, '{');
    ingot__json_double(t, "elements", (double)o->size, 7);
    ingot__json_string(t, "kernel", o->kernel->name);
    ingot__json_int(t, "threads", o->one_thread ? 1 : e->threads);
    if (o->packed && o->packed != step->packed) ingot__json_int(t, "packed_bytes", (int64_t)o->packed_size);
    if (o->microseconds > 0) ingot__json_double(t, "tuned_us", (double)o->microseconds, 4);
    ingot__json_close(t, '}');
  }
  ingot__json_close(t, ']');
}

static void layer(ingot__text *t, const ingot_engine *e, const ingot_context *context, const ingot__node *n) {
  const ingot__step *step = &e->step[n->id];
  const ingot__run_step *run = step_of(context, n);
  ingot__json_open(t, NULL, '{');
  ingot__json_string(t, "name", n->name);
  ingot__json_string(t, "type", ingot__op_get(n->op)->name);
  ingot__json_open(t, "nodes", '[');
  const char *s = n->origin ? n->origin : n->name;
  while (*s) { /* names are separated by ", " */
    const char *end = strstr(s, ", ");
    char name[512];
    size_t length = end ? (size_t)(end - s) : strlen(s);
    if (length >= sizeof name) length = sizeof name - 1;
    memcpy(name, s, length);
    name[length] = 0;
    ingot__json_string(t, NULL, name);
    if (!end) break;
    s = end + 2;
  }
  ingot__json_close(t, ']');
  ingot__json_string(t, "kernel", step->kernel ? step->kernel->name : NULL);
  ingot__json_string(t, "precision", ingot__step_precision(n, step->kernel));
  ingot__json_open(t, "inputs", '[');
  for (size_t i = 0; i < n->n_in; i++)
    if (n->in[i]) tensor(t, e, n->in[i]);
  ingot__json_close(t, ']');
  ingot__json_open(t, "outputs", '[');
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i]) tensor(t, e, n->out[i]);
  ingot__json_close(t, ']');
  ingot__json_int(t, "flops", run ? ingot__op_flops(&run->call) : 0);
  ingot__json_int(t, "bytes", run ? ingot__call_bytes(&run->call, step->packed_size) : 0);
  ingot__json_int(t, "packed_bytes", (int64_t)step->packed_size);
  if (step->microseconds > 0) ingot__json_double(t, "tuned_us", (double)step->microseconds, 4);
  if (step->n_other) others(t, e, step);
  ingot__json_close(t, '}');
}

ingot_status ingot__inspect(const ingot_engine *e, const ingot_context *context, ingot__heap *heap, ingot__diag *diag, char **json, size_t *size) {
  ingot__text text, *t = &text;
  const ingot__graph *g = e->network->main;
  ingot__text_init(t, heap);
  ingot__json_open(t, NULL, '{');
  ingot__json_string(t, "ingot", ingot_version());
  ingot__json_string(t, "source", e->network->source);
  ingot__json_string(t, "target", e->backend->name);
  ingot__json_string(t, "device", e->device);
  ingot__json_int(t, "threads", e->threads);
  ingot__json_open(t, "inputs", '[');
  for (size_t i = 0; i < g->n_input; i++) tensor(t, e, g->input[i]);
  ingot__json_close(t, ']');
  ingot__json_open(t, "outputs", '[');
  for (size_t i = 0; i < g->n_output; i++) tensor(t, e, g->output[i]);
  ingot__json_close(t, ']');
  ingot__json_open(t, "profiles", '[');
  for (size_t p = 0; p < e->n_profile; p++) {
    ingot__json_open(t, NULL, '{');
    for (size_t i = 0; i < g->n_input; i++) {
      const ingot__profile *profile = &e->profile[p * g->n_input + i];
      ingot__json_open(t, g->input[i]->name, '{');
      numbers(t, "min", profile->min, g->input[i]->type.rank);
      numbers(t, "opt", profile->opt, g->input[i]->type.rank);
      numbers(t, "max", profile->max, g->input[i]->type.rank);
      ingot__json_close(t, '}');
    }
    ingot__json_close(t, '}');
  }
  ingot__json_close(t, ']');
  if (context && context->current && context->current->n_frame) ingot__json_int(t, "regions", (int64_t)context->current->frame[0]->n_region);
  ingot__json_open(t, "layers", '[');
  for (const ingot__node *n = g->first; n; n = n->next) layer(t, e, context, n);
  ingot__json_close(t, ']');
  ingot__json_close(t, '}');
  return ingot__text_finish(t, diag, json, size);
}
