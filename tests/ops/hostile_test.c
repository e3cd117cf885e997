/* Operators given nonsense: random types, dims, attributes and contents, many of them at the ends of their ranges. Inference must refuse
 * with a message or give a type without negative dims; what it accepted, the reference must compute or refuse, without touching a byte
 * outside of its buffers (which are allocated exactly, for AddressSanitizer). The same numbers on every machine. */
#include "ops/ops.h"
#include "testing.h"

enum { MAX = 16, TRIES = 400, KEPT = 256 };

static uint64_t seed;
static uint64_t any(void) { return (uint64_t)(testing_random(&seed) * 0x1p53); }
static int64_t between(int64_t a, int64_t b) { return a + (int64_t)(any() % (uint64_t)(b - a + 1)); }
static bool once_in(int n) { return any() % (uint64_t)n == 0; }
static int64_t extreme(void) {
  static const int64_t values[] = {0, -1, -2, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, INT64_C(1) << 30, INT64_C(1) << 40, INT64_C(1) << 62, 100};
  return values[any() % (sizeof values / sizeof *values)];
}
static int64_t some(void) { return once_in(8) ? extreme() : between(-2, 4); }

static void *kept[KEPT];
static size_t n_kept;
static void *keep(size_t bytes) {
  assert_true(n_kept < KEPT);
  return kept[n_kept++] = malloc(bytes ? bytes : 1);
}
static void drop_all(void) {
  while (n_kept) free(kept[--n_kept]);
}

static bool element_bytes(ingot_dtype dtype, size_t n, size_t *bytes) { return ingot__dtype_bytes(dtype, n, bytes); }

/* Sequences and optionals: where inputs and outputs are kept. */
static ingot__store *store;
static ingot__object *slots[2 * MAX];
static size_t n_slots;
static ingot__object **slot(ingot__object *object) {
  slots[n_slots] = object;
  return &slots[n_slots++];
}
static void drop_slots(void) {
  while (n_slots) ingot__object_release(slots[--n_slots]);
}

static ingot_status resize(void *user, ingot__call *call, size_t i, int rank, const int64_t *dim) {
  size_t bytes;
  (void)user;
  if (!ingot__view_set(&call->out[i], call->out[i].dtype, rank, dim, INGOT__PLAIN)) return ingot__fail(call->diag, INGOT_E_LIMIT, NULL, "large");
  if (!element_bytes(call->out[i].dtype, (size_t)ingot__view_count(&call->out[i]), &bytes) || bytes > 1 << 20) {
    return ingot__fail(call->diag, INGOT_E_LIMIT, NULL, "large");
  }
  call->out[i].data = keep(bytes);
  return INGOT_OK;
}

static void fill_attributes(const ingot__op_info *info, char *attrs, int spatial) {
  static const char *const words[] = {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "", "none", "tanh", "add", "mul", "max", "linear", "nearest",
                                      "cubic", "reflect", "edge", "wrap", "constant", "ij,jk->ik", "...a,a...->...", "a,b,c->abc", "ii->i",
                                      "i...->...i", "aab->ba", "align_corners", "asymmetric", "tf_crop_and_resize", "pytorch_half_pixel", "floor",
                                      "ceil", "round_prefer_ceil", "CRD", "reverse", "bidirectional", "not_larger", "not_smaller"};
  static const char *const functions[] = {"Tanh", "Sigmoid", "Relu", "Bogus", "Affine", "HardSigmoid"};
  for (size_t a = 0; a < info->n_attr; a++) {
    char *field = attrs + info->attr[a].offset;
    size_t n = (size_t)between(0, 4);
    if (!once_in(3)) continue;
    switch (info->attr[a].type) {
      case INGOT__ATTR_INT: *(int64_t *)field = some(); break;
      case INGOT__ATTR_FLOAT: *(float *)field = once_in(4) ? (float)extreme() : (float)between(-3, 3); break;
      case INGOT__ATTR_STRING: *(const char **)field = words[any() % (sizeof words / sizeof *words)]; break;
      case INGOT__ATTR_INTS: {
        n = once_in(6) ? (size_t)between(0, 9) : strcmp(info->attr[a].name, "pads") == 0 ? 2 * (size_t)spatial : (size_t)spatial;
        int64_t *v = keep(n * sizeof *v);
        bool odd = once_in(3);
        for (size_t i = 0; i < n; i++) v[i] = odd ? some() : between(1, 3);
        *(ingot__ints *)field = (ingot__ints){n, v};
        break;
      }
      case INGOT__ATTR_FLOATS: {
        float *v = keep(n * sizeof *v);
        for (size_t i = 0; i < n; i++) v[i] = (float)between(-2, 2);
        *(ingot__floats *)field = (ingot__floats){n, v};
        break;
      }
      case INGOT__ATTR_STRINGS: {
        const char **v = keep(n * sizeof *v);
        for (size_t i = 0; i < n; i++) v[i] = functions[any() % 6];
        *(ingot__strings *)field = (ingot__strings){n, v};
        break;
      }
      default: break;
    }
  }
}

static void fill_elements(const ingot__view *v, size_t n) {
  bool odd = once_in(6);
  for (size_t e = 0; e < n; e++) {
    if (v->dtype == INGOT_STRING) ((ingot_string *)v->data)[e] = once_in(3) ? (ingot_string){0} : (ingot_string){"a b1.5", (size_t)between(0, 6)};
    else if (v->dtype == INGOT_BOOL) ((uint8_t *)v->data)[e] = any() & 1;
    else if (!ingot__dtype_is_float(v->dtype)) ingot__set_int(v->dtype, v->data, e, odd ? extreme() : between(-3, 5));
    else if (once_in(50)) ingot__set_double(v->dtype, v->data, e, once_in(2) ? INFINITY : NAN);
    else ingot__set_double(v->dtype, v->data, e, odd ? (double)extreme() : (double)between(-5, 5) / 2);
  }
}

/* A type, mostly of the same element type and rank as the others, so that operators get further than their first check. */
static ingot__type any_type(ingot__dims *dims, size_t i, ingot_dtype usual, const int64_t *usual_dims, int spatial, bool symbolic) {
  static const ingot_dtype types[] = {INGOT_FLOAT32, INGOT_INT64, INGOT_INT32, INGOT_BOOL, INGOT_UINT8, INGOT_FLOAT16, INGOT_FLOAT64, INGOT_UINT64,
                                      INGOT_STRING, INGOT_INT4, INGOT_FLOAT8E4M3FN, INGOT_UINT2, INGOT_FLOAT4E2M1, INGOT_FLOAT8E8M0,
                                      INGOT_FLOAT6E2M3, INGOT_COMPLEX64, INGOT_COMPLEX128};
  ingot__type t = {.dtype = once_in(5) ? types[any() % (sizeof types / sizeof *types)] : usual};
  if (i && once_in(3)) t.dtype = INGOT_INT64;
  t.rank = (int8_t)(!once_in(3) ? spatial + 2 : between(symbolic ? -1 : 0, symbolic ? 8 : 5));
  if (i && once_in(3)) t.rank = (int8_t)between(0, 1);
  for (int k = 0; k < t.rank; k++) {
    t.dim[k] = once_in(5) ? between(0, 5) : usual_dims[any() % 3];
    if (!symbolic) continue;
    switch (any() % 12) {
      case 0: t.dim[k] = ingot__dim_symbol(dims, once_in(2) ? "N" : "M"); break;
      case 1: t.dim[k] = INGOT__DIM_UNKNOWN; break;
      case 2: t.dim[k] = once_in(2) ? INT64_MAX >> between(0, 40) : INT64_C(1) << between(20, 62); break;
      case 3: t.dim[k] = ingot__dim_add(dims, ingot__dim_symbol(dims, "N"), between(1, 5)); break;
      default: break;
    }
  }
  return t;
}

/* A sequence or optional of small tensors, mostly of one shape; for optional sequences a sequence in it or not. */
static ingot__object *any_object(const ingot__type *t, uint8_t kind) {
  if (kind == INGOT__OPTIONAL || kind == INGOT__OPTIONAL_SEQUENCE) {
    if (once_in(8)) return NULL;
    ingot__object *o = ingot__object_list(store, INGOT__OPTIONAL, t->dtype, once_in(3) ? 0 : 1);
    if (o->n) o->item[0] = kind == INGOT__OPTIONAL ? any_object(t, INGOT__TENSOR) : any_object(t, INGOT__SEQUENCE);
    return o;
  }
  if (kind == INGOT__SEQUENCE) {
    ingot__object *o = ingot__object_list(store, INGOT__SEQUENCE, t->dtype, (size_t)between(0, 4));
    for (size_t i = 0; i < o->n; i++) o->item[i] = any_object(t, INGOT__TENSOR);
    return o;
  }
  static const ingot_string words[64];
  int64_t dim[3] = {2, once_in(6) ? between(0, 3) : 3, 1};
  int rank = once_in(6) ? (int)between(0, 3) : 2;
  if (t->dtype == INGOT_STRING) return ingot__object_strings(store, rank, dim, words);
  ingot__object *o = ingot__object_tensor(store, t->dtype, rank, dim);
  memset(o->data, 0, o->bytes);
  return o;
}

typedef struct attempt {
  ingot__node node;
  ingot__diag diag;
  ingot__type in[MAX], out[MAX];
  const ingot__type *in_type[MAX];
  ingot__view view[MAX], out_view[MAX];
  const ingot__view *data[MAX];
  const ingot__dim *known[MAX], *out_known[MAX];
  bool runnable; /* all inputs have data */
} attempt;

static bool takes_objects(ingot__op op) {
  return (op >= INGOT__OP_SequenceEmpty && op <= INGOT__OP_OptionalGetElement) || op == INGOT__OP_Identity;
}

static void fill_inputs(attempt *a, ingot__dims *dims, const ingot__op_info *info, int spatial, bool symbolic) {
  ingot_dtype usual = once_in(3) ? INGOT_INT64 : once_in(4) ? INGOT_BOOL : INGOT_FLOAT32;
  const int64_t usual_dims[3] = {between(0, 4), between(1, 4), between(1, 6)};
  a->runnable = true;
  for (size_t i = 0; i < a->node.n_in; i++) {
    size_t count, bytes;
    if (i >= (size_t)info->min_in && once_in(4)) continue;
    ingot__type *t = &a->in[i];
    *t = any_type(dims, i, usual, usual_dims, spatial, symbolic);
    a->in_type[i] = t;
    if (once_in(takes_objects(a->node.op) && i == 0 ? 2 : 16) && ingot__dtype_size(t->dtype)) {
      t->kind = (uint8_t)between(INGOT__SEQUENCE, INGOT__OPTIONAL_SEQUENCE);
      a->view[i] = (ingot__view){.dtype = t->dtype, .kind = t->kind, .dense = true, .data = slot(any_object(t, t->kind))};
      if (!symbolic) t->rank = -1;
      continue;
    }
    if (!ingot__type_count(t, &count) || count > 4096 || !element_bytes(t->dtype, count, &bytes) ||
        !ingot__view_set(&a->view[i], t->dtype, t->rank, t->dim, INGOT__PLAIN)) {
      a->runnable = false;
      continue;
    }
    a->view[i].data = keep(bytes);
    fill_elements(&a->view[i], count);
    if (once_in(3)) a->data[i] = &a->view[i];
    if ((!a->data[i] && !once_in(3)) || count > INGOT__MAX_KNOWN) continue;
    if (t->dtype != INGOT_INT64 && t->dtype != INGOT_INT32 && t->dtype != INGOT_BOOL) continue;
    ingot__dim *k = keep(count * sizeof *k);
    for (size_t e = 0; e < count; e++) {
      k[e] = ingot__dim_number(dims, ingot__get_int(t->dtype, a->view[i].data, e));
      if (symbolic && !a->data[i] && once_in(6)) k[e] = once_in(2) ? INGOT__DIM_UNKNOWN : ingot__dim_symbol(dims, "N");
    }
    a->known[i] = k;
  }
}

static void run(attempt *a, ingot__arena *arena) {
  const ingot__op_info *info = ingot__op_get(a->node.op);
  for (size_t i = 0; i < a->node.n_out; i++) {
    size_t count, bytes;
    bool fixed = a->out[i].rank >= 0;
    if (i && once_in(5)) continue;
    if (a->out[i].kind != INGOT__TENSOR) {
      a->out_view[i] = (ingot__view){.dtype = a->out[i].dtype, .kind = a->out[i].kind, .dense = true, .data = slot(NULL)};
      continue;
    }
    for (int k = 0; k < a->out[i].rank; k++) fixed = fixed && a->out[i].dim[k] >= 0;
    a->out_view[i].dtype = a->out[i].dtype;
    if (!fixed && (a->node.op == INGOT__OP_TopK || a->node.op == INGOT__OP_NonZero || a->node.op == INGOT__OP_NonMaxSuppression ||
                   takes_objects(a->node.op)))
      continue;
    if (!fixed || !ingot__type_count(&a->out[i], &count) || count > 1 << 16 || !element_bytes(a->out[i].dtype, count, &bytes) ||
        !ingot__view_set(&a->out_view[i], a->out[i].dtype, a->out[i].rank, a->out[i].dim, INGOT__PLAIN)) {
      return;
    }
    a->out_view[i].data = keep(bytes);
    memset(a->out_view[i].data, 0xee, bytes);
  }
  ingot__call call = {.node = &a->node, .attrs = a->node.attrs, .in = a->view, .out = a->out_view, .n_in = a->node.n_in, .n_out = a->node.n_out,
                      .threads = 1, .diag = &a->diag, .resize = resize, .store = store, .strings = arena};
  if (ingot__reference_workspace(&call)) {
    call.workspace_size = ingot__reference_workspace(&call);
    if (call.workspace_size > 1 << 24) return;
    call.workspace = kept[n_kept++] = aligned_alloc(64, ingot__align(call.workspace_size + 1, 64));
  }
  assert_true(ingot__op_flops(&call) >= 0);
  if (ingot__reference(&call) != INGOT_OK && a->diag.count == 0) fail_msg("%s: the reference fails without a message", info->name);
}

static void try_once(ingot__op op) {
  const ingot__op_info *info = ingot__op_get(op);
  const ingot__op_functions *f = ingot__op_functions_get(op);
  static attempt a;
  ingot__heap heap;
  ingot__arena arena;
  ingot__dims dims;
  int spatial = (int)between(1, 3);
  bool symbolic = once_in(2);
  memset(&a, 0, sizeof a);
  ingot__heap_init(&heap, NULL);
  ingot__arena_init(&arena, &heap);
  ingot__dims_init(&dims, &arena);
  void *attrs = ingot__arena_alloc(&arena, info->attrs_size);
  ingot__attrs_default(op, attrs);
  fill_attributes(info, attrs, spatial);
  a.node = (ingot__node){.op = op, .name = "node", .attrs = attrs,
                         .n_in = (size_t)between(info->min_in, info->max_in < 0 ? info->min_in + 3 : info->max_in),
                         .n_out = (size_t)between(info->min_out, info->max_out < 0 ? 3 : info->max_out)};
  fill_inputs(&a, &dims, info, spatial, symbolic);
  for (size_t i = 0; i < a.node.n_out; i++) a.out[i] = (ingot__type){.rank = -1};
  ingot__diag_init(&a.diag, NULL);
  ingot__infer infer = {.node = &a.node, .attrs = attrs, .dims = symbolic ? &dims : NULL, .arena = &arena, .diag = &a.diag, .in = a.in_type,
                        .data = a.data, .known = a.known, .n_in = a.node.n_in, .n_out = a.node.n_out, .out = a.out, .out_known = a.out_known};
  if (ingot__infer_accepts(&infer) != INGOT_OK || f->infer(&infer) != INGOT_OK) {
    if (a.diag.count == 0) fail_msg("%s: inference fails without a message", info->name);
  } else {
    for (size_t i = 0; i < a.node.n_out; i++)
      for (int k = 0; k < a.out[i].rank; k++) {
        int64_t v;
        if (a.out[i].dim[k] < 0 && ingot__dim_value(&dims, a.out[i].dim[k], &v)) fail_msg("%s gives a dim of %lld", info->name, (long long)v);
      }
    if (a.runnable) run(&a, &arena);
  }
  drop_slots();
  drop_all();
  ingot__arena_free(&arena);
}

static void nonsense(void **unused) {
  (void)unused;
  assert_non_null(store = ingot__store_new(NULL));
  for (int op = 1; op < INGOT__OP_COUNT; op++) {
    if (op == INGOT__OP_If || op == INGOT__OP_Loop || op == INGOT__OP_Scan || op == INGOT__OP_Fused ||
        op == INGOT__OP_SequenceMap) continue; /* they need subgraphs */
    seed = 0x9e3779b97f4a7c15u + (uint64_t)op;
    for (int i = 0; i < (ingot__op_get((ingot__op)op)->elementwise ? TRIES / 4 : TRIES); i++) try_once((ingot__op)op);
  }
  assert_int_equal(store->references, 1); /* no operator has kept an object */
  ingot__store_release(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(nonsense)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
