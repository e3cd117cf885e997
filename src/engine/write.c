/* Writing an engine: the description into memory, then head, description and blobs to wherever they go. */
#include "base/text.h"
#include "engine/engine.h"
#include "engine/format.h"
#define XXH_INLINE_ALL
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { BUCKETS = 1024 };
typedef struct blob { const void *data; size_t size; uint64_t offset; size_t next; /* in its bucket: index + 1; 0: none */ } blob;
typedef struct writer {
  const ingot_engine *engine;
  ingot__text text;       /* the description */
  ingot__arena arena;
  blob *blob;
  size_t n_blob, blob_capacity;
  size_t bucket[BUCKETS]; /* blobs by address: index + 1 */
  uint64_t blobs_size;
  bool failed;
} writer;

static void u8(writer *w, uint8_t v) { ingot__text_add(&w->text, (const char *)&v, 1); }
static void u32(writer *w, uint32_t v) { ingot__text_add(&w->text, (const char *)&v, 4); }
static void i64(writer *w, int64_t v) { ingot__text_add(&w->text, (const char *)&v, 8); }
static void f32(writer *w, float v) { ingot__text_add(&w->text, (const char *)&v, 4); }
static void string(writer *w, const char *s) { /* NULL is written as the length 2^32 - 1 */
  u32(w, s ? (uint32_t)strlen(s) : UINT32_MAX);
  if (s) ingot__text_add(&w->text, s, strlen(s));
}

/* The blob's offset among the blobs, or NONE for no data. What several readers share (packed weights) is written once. */
static void put_blob(writer *w, const void *data, size_t size) {
  if (!data) {
    i64(w, INGOT__ENGINE_NONE);
    return;
  }
  size_t *bucket = &w->bucket[((uintptr_t)data >> 6) % BUCKETS];
  for (size_t i = *bucket; i; i = w->blob[i - 1].next) {
    if (w->blob[i - 1].data != data || w->blob[i - 1].size != size) continue;
    i64(w, (int64_t)w->blob[i - 1].offset);
    return;
  }
  if (!ingot__arena_grow(&w->arena, (void **)&w->blob, &w->blob_capacity, w->n_blob + 1, sizeof *w->blob)) {
    w->failed = true;
    return;
  }
  i64(w, (int64_t)w->blobs_size);
  w->blob[w->n_blob++] = (blob){data, size, w->blobs_size, *bucket};
  *bucket = w->n_blob;
  w->blobs_size += ingot__align(size, INGOT__ENGINE_ALIGN);
}

/* Strings are one blob: how many, u64; where each ends, u64; the characters, a zero behind each. *size: its bytes. */
static const void *string_blob(writer *w, const ingot_string *s, size_t n, size_t *size) {
  uint64_t end = 0;
  size_t characters = 0;
  for (size_t i = 0; i < n; i++) characters += s[i].size + 1;
  *size = (n + 1) * sizeof end + characters;
  char *blob = ingot__arena_alloc(&w->arena, *size), *at = blob, *text = blob + (n + 1) * sizeof end;
  if (!blob) {
    w->failed = true;
    *size = 0;
    return NULL;
  }
  end = n;
  memcpy(at, &end, sizeof end);
  end = 0;
  for (size_t i = 0; i < n; i++) {
    if (s[i].size) memcpy(text + end, s[i].data, s[i].size);
    end += s[i].size + 1; /* the arena clears */
    memcpy(at += sizeof end, &end, sizeof end);
  }
  return blob;
}

/* Bytes and place of a constant's or attribute's elements. */
static void put_elements(writer *w, ingot_dtype dtype, const void *data, size_t size) {
  if (data && dtype == INGOT_STRING) data = string_blob(w, data, size / sizeof(ingot_string), &size);
  i64(w, data ? (int64_t)size : 0);
  put_blob(w, data, size);
}

static void dim(writer *w, const ingot__dims *dims, ingot__dim d) { /* a number, or its text */
  int64_t number;
  char text[4096];
  bool known = ingot__dim_value(dims, d, &number);
  u8(w, known);
  if (known) i64(w, number);
  else string(w, strlen(ingot__dim_text(dims, d, text, sizeof text)) + 1 < sizeof text ? text : "?"); /* cut off: known when it runs */
}

static void value(writer *w, const ingot__value *v) {
  const ingot__network *net = w->engine->network;
  u8(w, (uint8_t)v->type.dtype);
  u8(w, v->type.kind);
  u8(w, (uint8_t)v->type.rank);
  for (int d = 0; d < v->type.rank; d++) dim(w, &net->dims, v->type.dim[d]);
  const ingot__place *p = &w->engine->place[v->id];
  u8(w, p->layout);
  u8(w, (uint8_t)(p->home | (p->on_device ? INGOT__PLACE_ON_DEVICE : 0)));
  u32(w, p->index);
  u32(w, p->of);
}

static size_t graph_index(const ingot__graph *const *graphs, size_t n, const ingot__graph *g) {
  size_t i = 0;
  while (i < n && graphs[i] != g) i++;
  return i;
}

static void attribute(writer *w, const ingot__attr_info *info, const void *attrs, const ingot__graph *const *graphs, size_t n_graph) {
  const char *p = (const char *)attrs + info->offset;
  string(w, info->name);
  u8(w, (uint8_t)info->type);
  switch (info->type) {
  case INGOT__ATTR_INT: i64(w, *(const int64_t *)p); break;
  case INGOT__ATTR_FLOAT: f32(w, *(const float *)p); break;
  case INGOT__ATTR_STRING: string(w, *(const char *const *)p); break;
  case INGOT__ATTR_INTS: {
    const ingot__ints *a = (const ingot__ints *)p;
    u32(w, (uint32_t)a->n);
    for (size_t i = 0; i < a->n; i++) i64(w, a->v[i]);
    break;
  }
  case INGOT__ATTR_FLOATS: {
    const ingot__floats *a = (const ingot__floats *)p;
    u32(w, (uint32_t)a->n);
    for (size_t i = 0; i < a->n; i++) f32(w, a->v[i]);
    break;
  }
  case INGOT__ATTR_STRINGS: {
    const ingot__strings *a = (const ingot__strings *)p;
    u32(w, (uint32_t)a->n);
    for (size_t i = 0; i < a->n; i++) string(w, a->v[i]);
    break;
  }
  case INGOT__ATTR_TENSOR: {
    const ingot__literal *a = (const ingot__literal *)p;
    u8(w, (uint8_t)a->dtype);
    u8(w, (uint8_t)a->rank);
    for (int d = 0; d < a->rank; d++) i64(w, a->dim[d]);
    put_elements(w, a->dtype, a->data, a->bytes);
    break;
  }
  case INGOT__ATTR_GRAPH: {
    const ingot__graph *g = *(struct ingot__graph *const *)p;
    u32(w, g ? (uint32_t)graph_index(graphs, n_graph, g) : UINT32_MAX);
    break;
  }
  }
}

/* A step; base: the one whose other this is. Those that take the same packed weights share a blob. */
static void step_of(writer *w, const ingot__step *step, const ingot__step *base) {
  string(w, step->kernel ? step->kernel->name : NULL);
  string(w, step->kernel ? step->kernel->functions->pack_format : NULL);
  f32(w, step->microseconds);
  f32(w, step->size);
  u8(w, step->one_thread);
  i64(w, (int64_t)step->packed_size);
  i64(w, (int64_t)step->code_size);
  put_blob(w, step->code, step->code_size);
  for (size_t i = w->n_blob; base && step->packed && i > 0 && w->n_blob - i <= INGOT__MAX_OTHERS; i--)
    if (w->blob[i - 1].data == step->packed && w->blob[i - 1].size == step->packed_size) {
      i64(w, (int64_t)w->blob[i - 1].offset);
      return;
    }
  put_blob(w, step->packed, step->packed_size);
}

static void node(writer *w, const ingot__node *n, const ingot__graph *const *graphs, size_t n_graph) {
  const ingot__op_info *info = ingot__op_get(n->op);
  const ingot__step *step = &w->engine->step[n->id];
  string(w, info->name);
  string(w, n->name);
  string(w, n->origin);
  u32(w, (uint32_t)n->n_in);
  for (size_t i = 0; i < n->n_in; i++) u32(w, n->in[i] ? n->in[i]->id : UINT32_MAX);
  u32(w, (uint32_t)n->n_out);
  for (size_t i = 0; i < n->n_out; i++) {
    u32(w, n->out[i] ? n->out[i]->id : UINT32_MAX);
    if (!n->out[i]) continue;
    string(w, n->out[i]->name);
    value(w, n->out[i]);
  }
  u32(w, (uint32_t)info->n_attr);
  for (size_t i = 0; i < info->n_attr; i++) attribute(w, &info->attr[i], n->attrs, graphs, n_graph);
  step_of(w, step, NULL);
  u8(w, step->n_other);
  for (int i = 0; i < step->n_other; i++) step_of(w, &step->other[i], step);
}

/* Graphs, outer ones before inner ones. */
static bool list_graphs(writer *w, const ingot__graph ***graphs, size_t *n) {
  size_t capacity = 0;
  *graphs = NULL;
  *n = 0;
  if (!ingot__arena_grow(&w->arena, (void **)graphs, &capacity, 1, sizeof **graphs)) return false;
  (*graphs)[(*n)++] = w->engine->network->main;
  for (size_t g = 0; g < *n; g++)
    for (const ingot__node *nd = (*graphs)[g]->first; nd; nd = nd->next) {
      const ingot__op_info *info = ingot__op_get(nd->op);
      for (size_t a = 0; a < info->n_attr; a++) {
        const ingot__graph *sub = info->attr[a].type == INGOT__ATTR_GRAPH
            ? *(struct ingot__graph *const *)((const char *)nd->attrs + info->attr[a].offset) : NULL;
        if (!sub) continue;
        if (!ingot__arena_grow(&w->arena, (void **)graphs, &capacity, *n + 1, sizeof **graphs)) return false;
        (*graphs)[(*n)++] = sub;
      }
    }
  return true;
}

static void describe(writer *w) {
  const ingot_engine *e = w->engine;
  const ingot__network *net = e->network;
  const ingot__graph **graphs;
  size_t n_graph;
  if (!list_graphs(w, &graphs, &n_graph)) {
    w->failed = true;
    return;
  }
  string(w, ingot_version());
  string(w, e->backend->name);
  string(w, e->device);
  string(w, net->source);
  u32(w, (uint32_t)e->threads);
  u32(w, (uint32_t)e->device_index);
  u32(w, (uint32_t)n_graph);
  for (size_t g = 0; g < n_graph; g++) {
    u32(w, graphs[g]->outer ? (uint32_t)graph_index(graphs, n_graph, graphs[g]->outer) : UINT32_MAX);
    string(w, graphs[g]->name);
  }
  size_t constants = 0;
  u32(w, (uint32_t)net->n_value);
  for (size_t g = 0; g < n_graph; g++) {
    u32(w, (uint32_t)graphs[g]->n_input);
    for (size_t i = 0; i < graphs[g]->n_input; i++) {
      u32(w, graphs[g]->input[i]->id);
      string(w, graphs[g]->input[i]->name);
      value(w, graphs[g]->input[i]);
    }
  }
  for (size_t i = 0; i < net->n_value; i++) constants += net->value[i] && !net->value[i]->producer && !net->value[i]->is_input;
  u32(w, (uint32_t)constants);
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    if (!v || v->producer || v->is_input) continue;
    u32(w, v->id);
    u32(w, (uint32_t)graph_index(graphs, n_graph, v->graph));
    string(w, v->name);
    value(w, v);
    bool away = ingot__engine_packed_away(e, v) || !v->data;
    put_elements(w, v->type.dtype, away ? NULL : v->data, v->bytes);
  }
  for (size_t g = 0; g < n_graph; g++) {
    u32(w, (uint32_t)graphs[g]->n_node);
    for (const ingot__node *n = graphs[g]->first; n; n = n->next) node(w, n, graphs, n_graph);
  }
  for (size_t g = 0; g < n_graph; g++) {
    u32(w, (uint32_t)graphs[g]->n_output);
    for (size_t i = 0; i < graphs[g]->n_output; i++) u32(w, graphs[g]->output[i]->id);
  }
  u32(w, (uint32_t)e->n_profile);
  for (size_t i = 0; i < e->n_profile * net->main->n_input; i++)
    for (int d = 0; d < net->main->input[i % net->main->n_input]->type.rank; d++) {
      i64(w, e->profile[i].min[d]);
      i64(w, e->profile[i].opt[d]);
      i64(w, e->profile[i].max[d]);
    }
}

static const char zeros[INGOT__ENGINE_ALIGN];

/* Head, description and blobs, in order, to `put`. */
static ingot_status emit(writer *w, ingot__diag *diag, bool (*put)(void *user, const void *data, size_t size), void *user) {
  ingot__engine_head head = {.magic = INGOT__ENGINE_MAGIC, .version = INGOT__ENGINE_VERSION};
  head.description_size = w->text.length;
  head.blobs_offset = ingot__align(sizeof head + w->text.length, INGOT__ENGINE_ALIGN);
  head.file_size = head.blobs_offset + w->blobs_size;
  head.description_hash = XXH3_64bits(w->text.data, w->text.length);
  XXH3_state_t h;
  XXH3_64bits_reset(&h);
  for (size_t i = 0; i < w->n_blob; i++) {
    XXH3_64bits_update(&h, w->blob[i].data, w->blob[i].size);
    XXH3_64bits_update(&h, zeros, ingot__align(w->blob[i].size, INGOT__ENGINE_ALIGN) - w->blob[i].size);
  }
  head.blobs_hash = XXH3_64bits_digest(&h);
  head.head_hash = XXH3_64bits(&head, sizeof head - 8);
  size_t gap = head.blobs_offset - sizeof head - w->text.length;
  bool good = put(user, &head, sizeof head) && put(user, w->text.data, w->text.length) && put(user, zeros, gap);
  for (size_t i = 0; good && i < w->n_blob; i++)
    good = put(user, w->blob[i].data, w->blob[i].size) && put(user, zeros, ingot__align(w->blob[i].size, INGOT__ENGINE_ALIGN) - w->blob[i].size);
  return good ? INGOT_OK : ingot__fail(diag, INGOT_E_IO, NULL, "can't be written: %s", strerror(errno));
}

static ingot_status prepare(writer *w, const ingot_engine *engine, ingot__diag *diag) {
  *w = (writer){.engine = engine};
  ingot__heap *heap = &((ingot_engine *)engine)->heap;
  ingot__text_init(&w->text, heap);
  ingot__arena_init(&w->arena, heap);
  describe(w);
  return w->failed || w->text.failed ? ingot__no_memory(diag) : INGOT_OK;
}

static void finish(writer *w) {
  ingot__text_free(&w->text);
  ingot__arena_free(&w->arena);
}

static bool put_file(void *user, const void *data, size_t size) { return size == 0 || fwrite(data, 1, size, user) == size; }

ingot_status ingot__engine_write(const ingot_engine *engine, const char *path, ingot__diag *diag) {
  writer w;
  char name[4096];
  int length = snprintf(name, sizeof name, "%s.%ld.tmp", path, (long)getpid());
  if (length < 0 || (size_t)length >= sizeof name) return ingot__fail(diag, INGOT_E_ARGUMENT, NULL, "the path is too long");
  ingot_status status = prepare(&w, engine, diag);
  FILE *file = status == INGOT_OK ? fopen(name, "wb") : NULL;
  if (status == INGOT_OK && !file) status = ingot__fail(diag, INGOT_E_IO, NULL, "can't be written: %s", strerror(errno));
  if (file) {
    status = emit(&w, diag, put_file, file);
    if (status == INGOT_OK && (fflush(file) || fsync(fileno(file)))) {
      status = ingot__fail(diag, INGOT_E_IO, NULL, "can't be written: %s", strerror(errno));
    }
    if (fclose(file) && status == INGOT_OK) status = ingot__fail(diag, INGOT_E_IO, NULL, "can't be written: %s", strerror(errno));
    if (status == INGOT_OK && rename(name, path)) status = ingot__fail(diag, INGOT_E_IO, NULL, "can't be put in place: %s", strerror(errno));
    if (status != INGOT_OK) unlink(name);
  }
  finish(&w);
  return status;
}

static bool put_memory(void *user, const void *data, size_t size) {
  char **to = user;
  if (size) memcpy(*to, data, size);
  *to += size;
  return true;
}

ingot_status ingot__engine_bytes(const ingot_engine *engine, ingot__diag *diag, void **data, size_t *size) {
  writer w;
  ingot_status status = prepare(&w, engine, diag);
  if (status == INGOT_OK) {
    *size = ingot__align(sizeof(ingot__engine_head) + w.text.length, INGOT__ENGINE_ALIGN) + w.blobs_size;
    char *to = ingot__alloc(&((ingot_engine *)engine)->heap, *size);
    *data = to;
    status = to ? emit(&w, diag, put_memory, &to) : ingot__no_memory(diag);
  }
  finish(&w);
  return status;
}
