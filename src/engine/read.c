/* Reading an engine: every number is checked before it is used, for the file may be damaged in ways that its checksums were made to hide. */
#include "engine/engine.h"
#include "engine/format.h"
#define XXH_INLINE_ALL
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { MOST_GRAPHS = 1 << 16, MOST_VALUES = 1 << 24, MOST_THREADS = 256, MOST_DEVICES = 255 };
typedef struct reader {
  ingot_engine *engine;
  ingot__diag *diag;
  const char *at, *end;      /* the description */
  const char *blobs;
  size_t blobs_size;
  ingot__graph **graph;
  size_t n_graph;
  ingot__value **value;      /* by index in the file */
  size_t n_value;
  ingot__place *place;       /* by index in the file; `of` too */
} reader;

#define DAMAGED(r, what) ingot__fail((r)->diag, INGOT_E_FORMAT, NULL, "the engine file is damaged: %s", what)

static bool get(reader *r, void *to, size_t n) {
  if ((size_t)(r->end - r->at) < n) {
    memset(to, 0, n);
    r->at = r->end;
    return false;
  }
  memcpy(to, r->at, n);
  r->at += n;
  return true;
}
static bool u8(reader *r, uint8_t *v) { return get(r, v, 1); }
static bool u32(reader *r, uint32_t *v) { return get(r, v, 4); }
static bool i64(reader *r, int64_t *v) { return get(r, v, 8); }
static bool f32(reader *r, float *v) { return get(r, v, 4); }

/* A count of things that take at least `least` bytes each. */
static bool count(reader *r, uint32_t *n, size_t least) { return u32(r, n) && *n <= (size_t)(r->end - r->at) / least; }

static ingot_status string(reader *r, ingot__arena *arena, const char **s) {
  uint32_t n;
  *s = NULL;
  if (!u32(r, &n)) return DAMAGED(r, "it ends in a name");
  if (n == UINT32_MAX) return INGOT_OK;
  if (n > (size_t)(r->end - r->at) || memchr(r->at, 0, n)) return DAMAGED(r, "a name is too long");
  if (!(*s = ingot__arena_stringn(arena, r->at, n))) return ingot__no_memory(r->diag);
  r->at += n;
  return INGOT_OK;
}

static ingot_status blob(reader *r, size_t size, const void **data) {
  int64_t offset;
  *data = NULL;
  if (!i64(r, &offset)) return DAMAGED(r, "it ends in a blob");
  if (offset == INGOT__ENGINE_NONE) return INGOT_OK;
  if (offset < 0 || offset % INGOT__ENGINE_ALIGN || (uint64_t)offset > r->blobs_size || size > r->blobs_size - (size_t)offset)
    return DAMAGED(r, "a blob lies outside the file");
  *data = r->blobs + offset;
  return INGOT_OK;
}

/* A blob's strings, see write.c: the array is made, the characters stay in the file. */
static ingot_status strings(reader *r, size_t count, const void **data, size_t *bytes) {
  const char *at = *data, *end = at + *bytes, *text;
  uint64_t n, from = 0, to;
  if (*bytes < sizeof n) return DAMAGED(r, "strings");
  memcpy(&n, at, sizeof n);
  if (n != count || n > (*bytes - sizeof n) / sizeof n) return DAMAGED(r, "strings");
  ingot_string *v = INGOT_NEW_ARRAY(&r->engine->arena, count, ingot_string);
  if (!v) return ingot__no_memory(r->diag);
  text = at + (n + 1) * sizeof n;
  for (size_t i = 0; i < count; i++, from = to) {
    memcpy(&to, at += sizeof to, sizeof to);
    if (to <= from || to > (uint64_t)(end - text) || text[to - 1]) return DAMAGED(r, "strings");
    v[i] = (ingot_string){text + from, (size_t)(to - from - 1)};
  }
  *data = v;
  *bytes = count * sizeof *v;
  return INGOT_OK;
}

static ingot_status type_and_place(reader *r, ingot__type *type, ingot__place *place) {
  ingot__network *net = r->engine->network;
  uint8_t dtype, kind, rank, layout, home;
  uint32_t index, of;
  if (!u8(r, &dtype) || !u8(r, &kind) || !u8(r, &rank)) return DAMAGED(r, "it ends in a tensor");
  *type = (ingot__type){.dtype = (ingot_dtype)dtype, .kind = kind, .rank = (int8_t)rank};
  if (dtype >= INGOT__DTYPE_COUNT || kind > INGOT__OPTIONAL_SEQUENCE || type->rank < -1 || type->rank > INGOT_MAX_RANK)
    return DAMAGED(r, "a tensor's type");
  for (int d = 0; d < type->rank; d++) {
    uint8_t known;
    int64_t number;
    const char *text;
    if (!u8(r, &known)) return DAMAGED(r, "it ends in a tensor");
    if (known) {
      if (!i64(r, &number) || number < 0) return DAMAGED(r, "a tensor's dims");
      type->dim[d] = number;
      continue;
    }
    INGOT_TRY(string(r, &net->arena, &text));
    if (!text) return DAMAGED(r, "a tensor's dims");
    const char *cursor = text, *end = text + strlen(text);
    bool read = ingot__dim_parse(&net->dims, &cursor, end, &type->dim[d]);
    if (net->dims.failed) return ingot__no_memory(r->diag);
    if (!read || cursor != end) return DAMAGED(r, "a tensor's dims");
  }
  if (!u8(r, &layout) || !u8(r, &home) || !u32(r, &index) || !u32(r, &of)) return DAMAGED(r, "it ends in a tensor");
  bool on_device = home & INGOT__PLACE_ON_DEVICE;
  home &= (uint8_t)~INGOT__PLACE_ON_DEVICE;
  if (layout > INGOT__CHANNELS_LAST || home > INGOT__HOME_SLICE || index > UINT16_MAX) return DAMAGED(r, "a tensor's place");
  if (on_device && (!r->engine->backend->device || kind != INGOT__TENSOR || dtype == INGOT_STRING)) return DAMAGED(r, "a tensor's place");
  *place = (ingot__place){.layout = layout, .home = home, .on_device = on_device, .index = (uint16_t)index, .of = of};
  return INGOT_OK;
}

static ingot_status new_index(reader *r, uint32_t *index) {
  if (!u32(r, index) || *index >= r->n_value || r->value[*index]) return DAMAGED(r, "a tensor's number");
  return INGOT_OK;
}

static ingot_status old_value(reader *r, const ingot__graph *graph, ingot__value **value) {
  uint32_t index;
  *value = NULL;
  if (!u32(r, &index)) return DAMAGED(r, "it ends in a node");
  if (index == UINT32_MAX) return INGOT_OK;
  if (index >= r->n_value || !r->value[index]) return DAMAGED(r, "a node reads a tensor before it is made");
  for (; graph; graph = graph->outer)
    if (r->value[index]->graph == graph) {
      *value = r->value[index];
      return INGOT_OK;
    }
  return DAMAGED(r, "a node reads a tensor of another graph");
}

/* ---- Parts, in the file's order */

static ingot_status read_graphs(reader *r) {
  ingot__network *net = r->engine->network;
  uint32_t n;
  if (!count(r, &n, 8) || n == 0 || n > MOST_GRAPHS) return DAMAGED(r, "the number of graphs");
  if (!(r->graph = ingot__arena_array(&r->engine->arena, n, sizeof *r->graph))) return ingot__no_memory(r->diag);
  for (uint32_t g = 0; g < n; g++) {
    uint32_t outer;
    const char *name;
    if (!u32(r, &outer)) return DAMAGED(r, "it ends in a graph");
    INGOT_TRY(string(r, &net->arena, &name));
    if (g == 0 ? outer != UINT32_MAX : outer >= g) return DAMAGED(r, "a graph's place");
    r->graph[g] = g ? ingot__graph_new(net, r->graph[outer], name) : net->main;
    if (!r->graph[g]) return ingot__no_memory(r->diag);
  }
  r->n_graph = n;
  return INGOT_OK;
}

static ingot_status read_inputs(reader *r) {
  for (size_t g = 0; g < r->n_graph; g++) {
    uint32_t n;
    if (!count(r, &n, 15)) return DAMAGED(r, "the number of inputs");
    for (uint32_t i = 0; i < n; i++) {
      uint32_t index;
      const char *name;
      ingot__type type;
      INGOT_TRY(new_index(r, &index));
      INGOT_TRY(string(r, &r->engine->arena, &name));
      INGOT_TRY(type_and_place(r, &type, &r->place[index]));
      if (!(r->value[index] = ingot__input_new(r->graph[g], name, &type))) return ingot__no_memory(r->diag);
    }
  }
  return INGOT_OK;
}

static ingot_status read_constants(reader *r) {
  ingot__network *net = r->engine->network;
  uint32_t n;
  if (!count(r, &n, 30)) return DAMAGED(r, "the number of constants");
  for (uint32_t i = 0; i < n; i++) {
    uint32_t index, graph;
    int64_t bytes;
    size_t need;
    const char *name;
    const void *data;
    ingot__type type;
    INGOT_TRY(new_index(r, &index));
    if (!u32(r, &graph) || graph >= r->n_graph) return DAMAGED(r, "a constant's graph");
    INGOT_TRY(string(r, &r->engine->arena, &name));
    INGOT_TRY(type_and_place(r, &type, &r->place[index]));
    if (!i64(r, &bytes) || bytes < 0 || !ingot__type_bytes(&type, &need)) return DAMAGED(r, "a constant's size");
    INGOT_TRY(blob(r, (size_t)bytes, &data));
    size_t size = data ? (size_t)bytes : 0, elements;
    if (type.kind != INGOT__TENSOR) return DAMAGED(r, "a constant that is no tensor");
    if (data && type.dtype == INGOT_STRING) INGOT_TRY(strings(r, need / sizeof(ingot_string), &data, &size));
    if (data && size < need) return DAMAGED(r, "a constant's size");
    r->place[index].home = INGOT__HOME_OWN;
    ingot__value *v = ingot__constant_new(r->graph[graph], name, &type, data, size);
    if (!v) return ingot__no_memory(r->diag);
    r->value[index] = v;
    if (!data || !(ingot__dtype_is_int(type.dtype) || type.dtype == INGOT_BOOL) || !ingot__type_count(&type, &elements) ||
        elements > INGOT__MAX_KNOWN)
      continue;
    ingot__dim *known = INGOT_NEW_ARRAY(&net->arena, elements + 1, ingot__dim);
    if (!known) return ingot__no_memory(r->diag);
    for (size_t k = 0; k < elements; k++) known[k] = ingot__dim_number(NULL, ingot__get_int(type.dtype, data, k));
    v->known = known;
  }
  return INGOT_OK;
}

static ingot_status read_attribute(reader *r, ingot__node *n) {
  ingot__arena *arena = &r->engine->network->arena;
  const char *name;
  uint8_t type, dtype, rank;
  uint32_t k;
  INGOT_TRY(string(r, &r->engine->arena, &name));
  if (!name || !u8(r, &type)) return DAMAGED(r, "it ends in an attribute");
  const ingot__attr_info *info = ingot__attr_find(n->op, name);
  if (!info || info->type != (ingot__attr_type)type) return DAMAGED(r, "an attribute that this version doesn't have");
  char *p = (char *)n->attrs + info->offset;
  switch (info->type) {
  case INGOT__ATTR_INT: return i64(r, (int64_t *)p) ? INGOT_OK : DAMAGED(r, "an attribute");
  case INGOT__ATTR_FLOAT: return f32(r, (float *)p) ? INGOT_OK : DAMAGED(r, "an attribute");
  case INGOT__ATTR_STRING: {
    INGOT_TRY(string(r, arena, (const char **)p));
    if (!*(const char **)p) *(const char **)p = info->default_string;
    return INGOT_OK;
  }
  case INGOT__ATTR_INTS: {
    if (!count(r, &k, 8)) return DAMAGED(r, "an attribute");
    int64_t *v = INGOT_NEW_ARRAY(arena, (size_t)k + 1, int64_t);
    if (!v) return ingot__no_memory(r->diag);
    get(r, v, k * sizeof *v);
    *(ingot__ints *)p = (ingot__ints){k, v};
    return INGOT_OK;
  }
  case INGOT__ATTR_FLOATS: {
    if (!count(r, &k, 4)) return DAMAGED(r, "an attribute");
    float *v = INGOT_NEW_ARRAY(arena, (size_t)k + 1, float);
    if (!v) return ingot__no_memory(r->diag);
    get(r, v, k * sizeof *v);
    *(ingot__floats *)p = (ingot__floats){k, v};
    return INGOT_OK;
  }
  case INGOT__ATTR_STRINGS: {
    if (!count(r, &k, 4)) return DAMAGED(r, "an attribute");
    const char **v = ingot__arena_array(arena, (size_t)k + 1, sizeof *v);
    if (!v) return ingot__no_memory(r->diag);
    for (uint32_t i = 0; i < k; i++) {
      INGOT_TRY(string(r, arena, &v[i]));
      if (!v[i]) return DAMAGED(r, "an attribute");
    }
    *(ingot__strings *)p = (ingot__strings){k, v};
    return INGOT_OK;
  }
  case INGOT__ATTR_TENSOR: {
    ingot__literal *a = (ingot__literal *)p;
    ingot__type t = {0};
    int64_t bytes;
    size_t need;
    if (!u8(r, &dtype) || !u8(r, &rank) || rank > INGOT_MAX_RANK || dtype >= INGOT__DTYPE_COUNT) return DAMAGED(r, "an attribute");
    t.dtype = a->dtype = (ingot_dtype)dtype;
    t.rank = (int8_t)(a->rank = rank);
    for (int d = 0; d < rank; d++) {
      if (!i64(r, &a->dim[d]) || a->dim[d] < 0) return DAMAGED(r, "an attribute");
      t.dim[d] = a->dim[d];
    }
    if (!i64(r, &bytes) || bytes < 0) return DAMAGED(r, "an attribute");
    INGOT_TRY(blob(r, (size_t)bytes, &a->data));
    a->bytes = a->data ? (size_t)bytes : 0;
    if (a->data && dtype == INGOT_STRING) return ingot__type_count(&t, &need) ? strings(r, need, &a->data, &a->bytes) : DAMAGED(r, "an attribute");
    return !a->data || (ingot__type_bytes(&t, &need) && need <= a->bytes) ? INGOT_OK : DAMAGED(r, "an attribute");
  }
  case INGOT__ATTR_GRAPH:
    if (!u32(r, &k) || (k != UINT32_MAX && (k >= r->n_graph || r->graph[k]->outer != n->graph))) return DAMAGED(r, "a subgraph");
    *(struct ingot__graph **)p = k == UINT32_MAX ? NULL : r->graph[k];
    return INGOT_OK;
  }
  return DAMAGED(r, "an attribute");
}

/* What a node was planned with; steps are resolved when all nodes are there. */
typedef struct record { ingot__step step; ingot__planned planned; } record;

static ingot_status read_step(reader *r, ingot__step *step, ingot__planned *planned) {
  int64_t size, code_size;
  uint8_t one_thread;
  INGOT_TRY(string(r, &r->engine->arena, &planned->kernel));
  INGOT_TRY(string(r, &r->engine->arena, &planned->pack_format));
  if (!f32(r, &step->microseconds) || !f32(r, &step->size) || !u8(r, &one_thread) || !i64(r, &size) || size < 0)
    return DAMAGED(r, "a node's kernel");
  if (!i64(r, &code_size) || code_size < 0) return DAMAGED(r, "a node's kernel");
  INGOT_TRY(blob(r, (size_t)code_size, &step->code));
  step->code_size = step->code ? (size_t)code_size : 0;
  INGOT_TRY(blob(r, (size_t)size, &step->packed));
  step->packed_size = step->packed ? (size_t)size : 0;
  step->one_thread = one_thread != 0;
  return step->size >= 0 ? INGOT_OK : DAMAGED(r, "a node's kernel");
}

static ingot_status read_others(reader *r, record *rec) {
  ingot__arena *arena = &r->engine->arena;
  uint8_t n;
  if (!u8(r, &n) || n > INGOT__MAX_OTHERS || (n && !rec->planned.kernel)) return DAMAGED(r, "a node's kernels");
  rec->step.n_other = n;
  if (!n) return INGOT_OK;
  rec->step.other = INGOT_NEW_ARRAY(arena, n, ingot__step);
  rec->planned.other = INGOT_NEW_ARRAY(arena, n, ingot__planned);
  if (!rec->step.other || !rec->planned.other) return ingot__no_memory(r->diag);
  for (uint8_t i = 0; i < n; i++) {
    INGOT_TRY(read_step(r, &rec->step.other[i], &rec->planned.other[i]));
    if (!rec->planned.other[i].kernel) return DAMAGED(r, "a node's kernels");
  }
  return INGOT_OK;
}

static ingot_status read_node(reader *r, ingot__graph *graph, record *rec, ingot__node **out) {
  ingot__arena *arena = &r->engine->arena;
  const char *op_name, *name, *origin;
  uint32_t n_in, n_out, n_attr;
  INGOT_TRY(string(r, arena, &op_name));
  INGOT_TRY(string(r, arena, &name));
  INGOT_TRY(string(r, &r->engine->network->arena, &origin));
  ingot__op op = op_name ? ingot__op_find(op_name) : INGOT__OP_NONE;
  if (op == INGOT__OP_NONE)
    return ingot__fail(r->diag, INGOT_E_UNSUPPORTED, name, "operator '%s' isn't in this version of ingot; build the engine again",
                       op_name ? op_name : "");
  const ingot__op_info *info = ingot__op_get(op);
  if (!count(r, &n_in, 4) || (int64_t)n_in < info->min_in || (info->max_in >= 0 && (int64_t)n_in > info->max_in)) {
    return DAMAGED(r, "a node's inputs");
  }
  ingot__value **in = ingot__arena_array(arena, (size_t)n_in + 1, sizeof *in);
  if (!in) return ingot__no_memory(r->diag);
  for (uint32_t i = 0; i < n_in; i++) {
    INGOT_TRY(old_value(r, graph, &in[i]));
    bool optional = op == INGOT__OP_Loop; /* trip count and condition may be left out */
    if (!in[i] && (int)i < info->min_in && !optional) return DAMAGED(r, "a node lacks an input");
  }
  if (!count(r, &n_out, 4) || (int64_t)n_out < info->min_out || (info->max_out >= 0 && (int64_t)n_out > info->max_out)) {
    return DAMAGED(r, "a node's outputs");
  }
  const char **names = ingot__arena_array(arena, (size_t)n_out + 1, sizeof *names);
  uint32_t *index = INGOT_NEW_ARRAY(arena, (size_t)n_out + 1, uint32_t);
  ingot__type *types = INGOT_NEW_ARRAY(arena, (size_t)n_out + 1, ingot__type);
  if (!names || !index || !types) return ingot__no_memory(r->diag);
  for (uint32_t i = 0; i < n_out; i++) {
    if (!u32(r, &index[i])) return DAMAGED(r, "a node's outputs");
    names[i] = "";
    if (index[i] == UINT32_MAX) continue;
    if (index[i] >= r->n_value || r->value[index[i]]) return DAMAGED(r, "a tensor's number");
    for (uint32_t k = 0; k < i; k++)
      if (index[k] == index[i]) return DAMAGED(r, "a tensor's number");
    INGOT_TRY(string(r, arena, &names[i]));
    if (!names[i] || !*names[i]) return DAMAGED(r, "a tensor without a name");
    INGOT_TRY(type_and_place(r, &types[i], &r->place[index[i]]));
  }
  ingot__node *n = ingot__node_new(graph, op, name, NULL, in, n_in, n_out, names);
  if (!n) return ingot__no_memory(r->diag);
  n->origin = origin;
  for (uint32_t i = 0; i < n_out; i++)
    if (n->out[i]) {
      n->out[i]->type = types[i];
      r->value[index[i]] = n->out[i];
    }
  if (!count(r, &n_attr, 5)) return DAMAGED(r, "a node's attributes");
  for (uint32_t i = 0; i < n_attr; i++) INGOT_TRY(read_attribute(r, n));
  INGOT_TRY(read_step(r, &rec->step, &rec->planned));
  INGOT_TRY(read_others(r, rec));
  *out = n;
  return INGOT_OK;
}

static ingot_status read_nodes(reader *r) {
  ingot_engine *e = r->engine;
  size_t capacity = 0, n_record = 0;
  record *records = NULL;
  for (size_t g = 0; g < r->n_graph; g++) {
    uint32_t n;
    if (!count(r, &n, 40)) return DAMAGED(r, "the number of nodes");
    for (uint32_t i = 0; i < n; i++) {
      ingot__node *node = NULL;
      if (!ingot__arena_grow(&e->arena, (void **)&records, &capacity, n_record + 1, sizeof *records)) return ingot__no_memory(r->diag);
      INGOT_TRY(read_node(r, r->graph[g], &records[n_record], &node));
      if (node->id != n_record++) return DAMAGED(r, "a node's number");
    }
  }
  e->step = INGOT_NEW_ARRAY(&e->arena, n_record + 1, ingot__step);
  e->planned = ingot__arena_array(&e->arena, n_record + 1, sizeof *e->planned);
  if (!e->step || !e->planned) return ingot__no_memory(r->diag);
  for (size_t i = 0; i < n_record; i++) {
    e->step[i] = records[i].step;
    e->planned[i] = records[i].planned;
  }
  return INGOT_OK;
}

static ingot_status read_rest(reader *r) {
  ingot_engine *e = r->engine;
  ingot__network *net = e->network;
  for (size_t g = 0; g < r->n_graph; g++) {
    uint32_t n;
    if (!count(r, &n, 4)) return DAMAGED(r, "the number of outputs");
    for (uint32_t i = 0; i < n; i++) {
      ingot__value *v;
      INGOT_TRY(old_value(r, r->graph[g], &v));
      if (!v || (g == 0 && v->is_output)) return DAMAGED(r, "an output");
      if (!ingot__graph_add_output(r->graph[g], v)) return ingot__no_memory(r->diag);
    }
  }
  e->place = INGOT_NEW_ARRAY(&e->arena, net->n_value + 1, ingot__place);
  if (!e->place) return ingot__no_memory(r->diag);
  for (size_t i = 0; i < r->n_value; i++) {
    if (!r->value[i]) continue;
    ingot__place p = r->place[i];
    if (p.home != INGOT__HOME_OWN) {
      if (p.of >= r->n_value || !r->value[p.of] || r->value[p.of] == r->value[i]) return DAMAGED(r, "a tensor's place");
      p.of = r->value[p.of]->id;
    }
    e->place[r->value[i]->id] = p;
  }
  uint32_t profiles;
  size_t n_input = net->main->n_input;
  if (!u32(r, &profiles) || !profiles || profiles > INGOT__MAX_PROFILES) return DAMAGED(r, "the number of profiles");
  e->n_profile = profiles;
  e->profile = INGOT_NEW_ARRAY(&e->arena, profiles * n_input + 1, ingot__profile);
  if (!e->profile) return ingot__no_memory(r->diag);
  for (size_t i = 0; i < profiles * n_input; i++) {
    ingot__profile *p = &e->profile[i];
    const ingot__type *type = &net->main->input[i % n_input]->type;
    if (type->rank < 0 && type->kind == INGOT__TENSOR) return DAMAGED(r, "an input without a rank");
    for (int d = 0; d < type->rank; d++)
      if (!i64(r, &p->min[d]) || !i64(r, &p->opt[d]) || !i64(r, &p->max[d]) || p->min[d] < 0 || p->min[d] > p->opt[d] || p->opt[d] > p->max[d])
        return DAMAGED(r, "a profile");
  }
  if (r->at != r->end) return DAMAGED(r, "more than its description");
  return INGOT_OK;
}

static ingot_status read_description(reader *r) {
  ingot_engine *e = r->engine;
  const char *version, *backend;
  uint32_t threads, values, index;
  INGOT_TRY(string(r, &e->arena, &version));
  INGOT_TRY(string(r, &e->arena, &backend));
  INGOT_TRY(string(r, &e->arena, &e->device));
  INGOT_TRY(string(r, &e->network->arena, &e->network->source));
  if (!backend || !e->device || !(e->backend = ingot__backend_find(backend)))
    return ingot__fail(r->diag, INGOT_E_DEVICE, NULL, "it is for '%s', which this ingot doesn't have", backend ? backend : "");
  if (!u32(r, &threads) || threads == 0 || threads > MOST_THREADS) return DAMAGED(r, "the number of threads");
  e->threads = (int)threads;
  if (!u32(r, &index) || index > MOST_DEVICES) return DAMAGED(r, "the device's number");
  e->device_index = (int)index;
  INGOT_TRY(read_graphs(r));
  if (!u32(r, &values) || values > MOST_VALUES || values / 16 > (size_t)(r->end - r->at)) return DAMAGED(r, "the number of tensors");
  r->n_value = values;
  r->value = ingot__arena_array(&e->arena, (size_t)values + 1, sizeof *r->value);
  r->place = INGOT_NEW_ARRAY(&e->arena, (size_t)values + 1, ingot__place);
  if (!r->value || !r->place) return ingot__no_memory(r->diag);
  INGOT_TRY(read_inputs(r));
  INGOT_TRY(read_constants(r));
  INGOT_TRY(read_nodes(r));
  return read_rest(r);
}

static ingot_status read_engine(ingot_engine *e, ingot__diag *diag) {
  ingot__engine_head head;
  const char *data = e->file;
  if (e->file_size < sizeof head || memcmp(data, INGOT__ENGINE_MAGIC, 8)) return ingot__fail(diag, INGOT_E_FORMAT, NULL, "is not an ingot engine");
  memcpy(&head, data, sizeof head);
  if (head.head_hash != XXH3_64bits(&head, sizeof head - 8)) return ingot__fail(diag, INGOT_E_FORMAT, NULL, "the engine file is damaged: its head");
  if (head.version != INGOT__ENGINE_VERSION)
    return ingot__fail(diag, INGOT_E_UNSUPPORTED, NULL, "engine format %u; this ingot reads %d: build the engine again", head.version,
        INGOT__ENGINE_VERSION);
  if (head.file_size != e->file_size)
    return ingot__fail(diag, INGOT_E_FORMAT, NULL, "the engine file is truncated or has more than it should: %zu bytes instead of %llu", e->file_size,
                       (unsigned long long)head.file_size);
  if (head.description_size > e->file_size - sizeof head || head.blobs_offset < sizeof head + head.description_size ||
      head.blobs_offset > e->file_size || head.blobs_offset % INGOT__ENGINE_ALIGN)
    return ingot__fail(diag, INGOT_E_FORMAT, NULL, "the engine file is damaged: its head");
  for (size_t i = sizeof head + head.description_size; i < head.blobs_offset; i++) /* what no checksum covers is nothing */
    if (data[i]) return ingot__fail(diag, INGOT_E_FORMAT, NULL, "the engine file is damaged: between its parts");
  reader r = {.engine = e, .diag = diag, .at = data + sizeof head, .end = data + sizeof head + head.description_size,
              .blobs = data + head.blobs_offset, .blobs_size = e->file_size - head.blobs_offset};
  if (XXH3_64bits(r.at, head.description_size) != head.description_hash) return DAMAGED(&r, "its description's checksum is wrong");
  if (XXH3_64bits(r.blobs, r.blobs_size) != head.blobs_hash) return DAMAGED(&r, "its weights' checksum is wrong");
  INGOT_TRY(read_description(&r));
  return INGOT_OK;
}

static ingot_status start(const ingot_env *env, ingot__diag *diag, ingot_engine **engine) {
  if (!(*engine = ingot__engine_new(env))) return ingot__no_memory(diag);
  if (!((*engine)->network = ingot__network_new(env))) {
    ingot__engine_release(*engine);
    return ingot__no_memory(diag);
  }
  return INGOT_OK;
}

ingot_status ingot__engine_read(const ingot_env *env, const char *path, ingot__diag *diag, ingot_engine **out) {
  ingot_engine *e;
  INGOT_TRY(start(env, diag, &e));
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ingot_status status = INGOT_OK;
  if (fd < 0 || fstat(fd, &st)) status = ingot__fail(diag, INGOT_E_IO, NULL, "can't be opened: %s", strerror(errno));
  else if (!S_ISREG(st.st_mode)) status = ingot__fail(diag, INGOT_E_IO, NULL, "is not a file");
  else if (st.st_size < (off_t)sizeof(ingot__engine_head)) status = ingot__fail(diag, INGOT_E_FORMAT, NULL, "is not an ingot engine");
  else {
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED) status = ingot__fail(diag, INGOT_E_IO, NULL, "can't be mapped: %s", strerror(errno));
    else {
      e->file = data;
      e->file_size = (size_t)st.st_size;
      e->file_mapped = true;
    }
  }
  if (fd >= 0) close(fd);
  if (status == INGOT_OK) status = read_engine(e, diag);
  if (status == INGOT_OK) *out = e;
  else ingot__engine_release(e);
  return status;
}

ingot_status ingot__engine_read_memory(const ingot_env *env, const void *data, size_t size, ingot__diag *diag, ingot_engine **out) {
  ingot_engine *e;
  INGOT_TRY(start(env, diag, &e));
  void *copy = ingot__alloc(&e->heap, size);
  ingot_status status = copy ? INGOT_OK : ingot__no_memory(diag);
  if (copy) {
    if (size) memcpy(copy, data, size);
    e->file = copy;
    e->file_size = size;
    status = read_engine(e, diag);
  }
  if (status == INGOT_OK) *out = e;
  else ingot__engine_release(e);
  return status;
}
