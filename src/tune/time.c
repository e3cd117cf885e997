/* Timing one kernel on one call, and the table of times. A key is a hash of all that decides the time: device, kernel, operator, attributes,
 * types, dims, layouts, threads. */
#include "tune/tune.h"
#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

enum { LEAST_RUNS = 3, MOST_RUNS = 50 };
#define LONGEST 0.05 /* seconds spent on one candidate beyond its least runs */

ingot_status ingot__tuner_init(ingot__tuner *t, ingot__heap *heap, ingot__pool *pool, const ingot_engine *engine, double budget,
                               ingot__diag *diag) {
  *t = (ingot__tuner){.heap = heap, .pool = pool, .engine = engine, .budget = budget, .capacity = 1024};
  ingot__arena_init(&t->arena, heap);
  t->table = ingot__calloc(heap, t->capacity, sizeof *t->table);
  return t->table ? INGOT_OK : ingot__no_memory(diag);
}

void ingot__tuner_free(ingot__tuner *t) {
  ingot__tuner_device_free(t);
  ingot__free(t->heap, t->table, t->capacity * sizeof *t->table);
  ingot__arena_free(&t->arena);
  t->table = NULL;
}

/* ---- The table */

static ingot__timing *slot(ingot__timing *table, size_t capacity, uint64_t key) {
  size_t i = (size_t)key & (capacity - 1);
  while (table[i].key && table[i].key != key) i = (i + 1) & (capacity - 1);
  return &table[i];
}

bool ingot__tuner_put(ingot__tuner *t, uint64_t key, float seconds) {
  if (t->count * 2 >= t->capacity) {
    ingot__timing *larger = ingot__calloc(t->heap, t->capacity * 2, sizeof *larger);
    if (!larger) return false;
    for (size_t i = 0; i < t->capacity; i++)
      if (t->table[i].key) *slot(larger, t->capacity * 2, t->table[i].key) = t->table[i];
    ingot__free(t->heap, t->table, t->capacity * sizeof *t->table);
    t->table = larger;
    t->capacity *= 2;
  }
  ingot__timing *s = slot(t->table, t->capacity, key);
  t->count += s->key == 0;
  *s = (ingot__timing){key, seconds};
  return true;
}

bool ingot__tuner_knows(const ingot__tuner *t, uint64_t key) { return slot(t->table, t->capacity, key)->key == key; }

static void hash_view(XXH3_state_t *h, const ingot__view *v) {
  int32_t head[4] = {(int32_t)v->dtype, v->rank, v->layout, v->constant};
  XXH3_64bits_update(h, head, sizeof head);
  XXH3_64bits_update(h, v->dim, v->rank * sizeof v->dim[0]);
}

static void hash_graph(XXH3_state_t *h, const ingot__graph *graph);

static void hash_node(XXH3_state_t *h, ingot__op op, const void *attrs) {
  const ingot__op_info *info = ingot__op_get(op);
  XXH3_64bits_update(h, info->name, strlen(info->name));
  for (size_t i = 0; i < info->n_attr; i++) {
    const char *p = (const char *)attrs + info->attr[i].offset;
    switch (info->attr[i].type) {
    case INGOT__ATTR_INT: XXH3_64bits_update(h, p, sizeof(int64_t)); break;
    case INGOT__ATTR_FLOAT: XXH3_64bits_update(h, p, sizeof(float)); break;
    case INGOT__ATTR_INTS: XXH3_64bits_update(h, ((const ingot__ints *)p)->v, ((const ingot__ints *)p)->n * sizeof(int64_t)); break;
    case INGOT__ATTR_FLOATS: XXH3_64bits_update(h, ((const ingot__floats *)p)->v, ((const ingot__floats *)p)->n * sizeof(float)); break;
    case INGOT__ATTR_STRING: {
      const char *s = *(const char *const *)p;
      if (s) XXH3_64bits_update(h, s, strlen(s) + 1);
      break;
    }
    case INGOT__ATTR_GRAPH:
      if (*(struct ingot__graph *const *)p) hash_graph(h, *(struct ingot__graph *const *)p);
      break;
    case INGOT__ATTR_TENSOR: {
      const ingot__literal *t = (const ingot__literal *)p;
      if (t->dtype != INGOT_STRING) XXH3_64bits_update(h, t->data, t->bytes);
      break;
    }
    case INGOT__ATTR_STRINGS: break;
    }
  }
}

static void hash_graph(XXH3_state_t *h, const ingot__graph *graph) {
  for (const ingot__node *n = graph->first; n; n = n->next) hash_node(h, n->op, n->attrs);
}

static uint64_t key_of(const ingot__tuner *t, const ingot__kernel *kernel, const ingot__call *call) {
  XXH3_state_t h;
  XXH3_64bits_reset(&h);
  const char *device = t->engine->device;
  XXH3_64bits_update(&h, device, strlen(device) + 1);
  XXH3_64bits_update(&h, ingot_version(), strlen(ingot_version()) + 1);
  if (kernel->on_device) {
    XXH3_64bits_update(&h, &t->cold, sizeof t->cold);
    uint64_t code = t->engine->backend->device->code_key();
    XXH3_64bits_update(&h, &code, sizeof code);
  }
  if (kernel->functions->library) {
    uint64_t version = kernel->functions->library->version(NULL);
    XXH3_64bits_update(&h, &version, sizeof version);
  }
  XXH3_64bits_update(&h, kernel->name, strlen(kernel->name) + 1);
  XXH3_64bits_update(&h, &call->threads, sizeof call->threads);
  hash_node(&h, call->node->op, call->attrs);
  for (size_t i = 0; i < call->n_in; i++) hash_view(&h, &call->in[i]);
  for (size_t i = 0; i < call->n_out; i++) hash_view(&h, &call->out[i]);
  uint64_t key = XXH3_64bits_digest(&h);
  return key ? key : 1;
}

static void hash_value(XXH3_state_t *h, const ingot__value *v) {
  const ingot__type *t = &v->type;
  int64_t head[4] = {v->id, (int64_t)t->dtype, t->kind, t->rank};
  XXH3_64bits_update(h, head, sizeof head);
  if (t->rank > 0) XXH3_64bits_update(h, t->dim, (size_t)t->rank * sizeof t->dim[0]);
  if (v->data && t->dtype != INGOT_STRING) XXH3_64bits_update(h, v->data, v->bytes);
}

static void hash_ids(XXH3_state_t *h, ingot__value *const *v, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int64_t id = v[i] ? (int64_t)v[i]->id : -1;
    XXH3_64bits_update(h, &id, sizeof id);
  }
}

uint64_t ingot__tuner_network_key(const ingot__network *network, const void *more, size_t bytes) {
  XXH3_state_t h;
  XXH3_64bits_reset(&h);
  XXH3_64bits_update(&h, ingot_version(), strlen(ingot_version()) + 1);
  XXH3_64bits_update(&h, more, bytes);
  for (size_t i = 0; i < network->n_value; i++)
    if (network->value[i]) hash_value(&h, network->value[i]);
  for (size_t g = 0; g < network->n_graph; g++)
    for (const ingot__node *n = network->graph[g] && !network->graph[g]->removed ? network->graph[g]->first : NULL; n; n = n->next) {
      hash_node(&h, n->op, n->attrs);
      hash_ids(&h, n->in, n->n_in);
      hash_ids(&h, n->out, n->n_out);
    }
  uint64_t key = XXH3_64bits_digest(&h);
  return key ? key : 1;
}

/* ---- Timing */

/* Small random values: denormals and overflow would distort the times. */
static void fill(ingot_dtype dtype, void *data, size_t n) {
  uint32_t x = 1;
  if (dtype == INGOT_FLOAT32) {
    for (size_t i = 0; i < n; i++) {
      x = x * 1664525u + 1013904223u;
      ((float *)data)[i] = (float)(int32_t)x * (1.0f / 2147483648.0f);
    }
    return;
  }
  size_t bytes;
  if (ingot__dtype_bytes(dtype, n, &bytes)) memset(data, 0, bytes);
}

static void *scratch(ingot__tuner *t, size_t size) {
  char *p = size < SIZE_MAX - 64 ? ingot__arena_alloc(&t->arena, size + 64) : NULL;
  return p ? (void *)ingot__align((size_t)p, 64) : NULL;
}

static bool allocate(ingot__tuner *t, ingot__view *view, bool inputs) {
  size_t bytes;
  if (view->dtype == INGOT_UNDEFINED || view->data) return true;
  if (!ingot__dtype_bytes(view->dtype, (size_t)ingot__view_count(view), &bytes)) return false;
  view->data = scratch(t, bytes);
  if (view->data && inputs) fill(view->dtype, view->data, (size_t)ingot__view_count(view));
  return view->data != NULL;
}

static double run(ingot__tuner *t, const ingot__kernel *kernel, const ingot__call *asked, double estimated) {
  ingot__call call = *asked;
  ingot__view *views = INGOT_NEW_ARRAY(&t->arena, call.n_in + call.n_out + 1, ingot__view);
  if (!views) return -1;
  memcpy(views, call.in, call.n_in * sizeof *views);
  memcpy(views + call.n_in, call.out, call.n_out * sizeof *views);
  const ingot__kernel_functions *f = kernel->functions;
  size_t packed = f->pack_size ? f->pack_size(&call) : 0;
  if (packed) {
    void *p = scratch(t, packed);
    if (!p) return -1;
    f->pack(&call, p);
    call.packed = p;
  }
  for (size_t i = 0; i < call.n_in + call.n_out; i++)
    if (!allocate(t, &views[i], i < call.n_in)) return -1;
  call.in = views;
  call.out = views + call.n_in;
  call.pool = call.threads > 1 ? t->pool : NULL;
  call.workspace_size = f->workspace ? f->workspace(&call) : 0;
  if (call.workspace_size && !(call.workspace = scratch(t, call.workspace_size))) return -1;
  double best = -1, begin = ingot__now();
  for (int i = 0; i < MOST_RUNS; i++) {
    double start = ingot__now();
    if (f->run(&call) != INGOT_OK) return -1;
    double now = ingot__now(), seconds = now - start;
    if (i && (best < 0 || seconds < best)) best = seconds; /* the first run warms up */
    if (!i && seconds > 10 * LONGEST) return seconds;
    if (i + 1 >= LEAST_RUNS && (now - begin > LONGEST || now > t->deadline)) break;
  }
  (void)estimated;
  return best;
}

double ingot__tuner_time(void *user, const ingot__kernel *kernel, const ingot__call *call, double estimated) {
  ingot__tuner *t = user;
  uint64_t key = key_of(t, kernel, call);
  const ingot__timing *s = slot(t->table, t->capacity, key);
  if (s->key) {
    t->remembered++;
    return s->seconds;
  }
  if (!t->deadline) t->deadline = ingot__now() + t->budget;
  if (ingot__now() + estimated * LEAST_RUNS > t->deadline) return -1;
  double seconds = kernel->on_device ? ingot__tuner_device_run(t, kernel, call) : run(t, kernel, call, estimated);
  ingot__arena_reset(&t->arena);
  if (seconds >= 0) {
    t->timed++;
    t->changed = true;
    ingot__tuner_put(t, key, (float)seconds);
  }
  return seconds;
}
