/* Conversions that concern a model's frame rather than arithmetic: constants, dropout, loops, recurrent layers. */
#include "import/onnx/convert.h"

/* The attribute of a Constant node as a tensor. */
static ingot_status read_constant(ingot__onnx_node *n, ingot__literal *l) {
  if (n->n_attr != 1) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "must have one value, has %zu", n->n_attr);
  const ingot__pb_attr *a = &n->attr[0].pb;
  ingot__arena *arena = n->o->arena;
  ingot__text ignored;
  ingot__ints ints = {0};
  ingot__floats floats = {0};
  ingot__strings strings = {0};
  bool given;
  if (ingot__text_is(a->name, "value") && a->type == INGOT__PB_TENSOR) return ingot__onnx_read_tensor(n->o, a->s, l, &ignored);
  if (ingot__text_is(a->name, "sparse_value") && a->type == INGOT__PB_SPARSE) return ingot__onnx_read_sparse(n->o, a->s, l, &ignored);
  if (ingot__text_is(a->name, "value_ints")) {
    INGOT_TRY(ingot__onnx_get_ints(n, "value_ints", &ints, &given));
    *l = (ingot__literal){.dtype = INGOT_INT64, .rank = 1, .dim = {(int64_t)ints.n}, .data = ints.v, .bytes = ints.n * 8};
  } else if (ingot__text_is(a->name, "value_floats")) {
    INGOT_TRY(ingot__onnx_get_floats(n, "value_floats", &floats, &given));
    *l = (ingot__literal){.dtype = INGOT_FLOAT32, .rank = 1, .dim = {(int64_t)floats.n}, .data = floats.v, .bytes = floats.n * 4};
  } else if (ingot__text_is(a->name, "value_strings")) {
    INGOT_TRY(ingot__onnx_read_strings(n, a, &strings));
    ingot_string *v = INGOT_NEW_ARRAY(arena, strings.n, ingot_string);
    for (size_t i = 0; v && i < strings.n; i++) v[i] = (ingot_string){strings.v[i], strlen(strings.v[i])};
    *l = (ingot__literal){.dtype = INGOT_STRING, .rank = 1, .dim = {(int64_t)strings.n}, .data = v, .bytes = strings.n * sizeof *v};
  } else if (ingot__text_is(a->name, "value_int")) {
    int64_t i;
    INGOT_TRY(ingot__onnx_get_int(n, "value_int", 0, &i));
    *l = (ingot__literal){.dtype = INGOT_INT64, .data = ingot__arena_copy(arena, &i, 8), .bytes = 8};
  } else if (ingot__text_is(a->name, "value_float")) {
    float f;
    INGOT_TRY(ingot__onnx_get_float(n, "value_float", 0, &f));
    *l = (ingot__literal){.dtype = INGOT_FLOAT32, .data = ingot__arena_copy(arena, &f, 4), .bytes = 4};
  } else if (ingot__text_is(a->name, "value_string")) {
    const char *text;
    INGOT_TRY(ingot__onnx_get_string(n, "value_string", "", &text));
    ingot_string s = {text, strlen(text)};
    *l = (ingot__literal){.dtype = INGOT_STRING, .data = ingot__arena_copy(arena, &s, sizeof s), .bytes = sizeof s};
  } else {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute '%.*s' is no constant's", INGOT__TEXT(a->name));
  }
  INGOT__ONNX_NEED(n, l->data);
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_constant(ingot__onnx_node *n) {
  ingot__literal literal;
  INGOT_TRY(ingot__onnx_inputs(n, 0, 0));
  INGOT_TRY(read_constant(n, &literal));
  for (size_t i = 0; i < n->n_out; i++) {
    if (!n->out_name[i]) continue;
    if (i > 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has more than one output");
    ingot__onnx_entry *e = ingot__name_map_get(&n->scope->map, n->pb->out.v[i]);
    INGOT_TRY(ingot__onnx_bind_constant(n->o, n->scope, e, &literal));
    n->out[i] = e->value;
    e->state = INGOT__ONNX_LATER; /* the caller binds it */
  }
  return INGOT_OK;
}

/* Whether a constant tensor of one bool is true; *known: it is such a one. */
static bool constant_bool(const ingot__value *v, bool *known) {
  *known = ingot__value_is_const(v) && v->type.dtype == INGOT_BOOL && v->bytes == 1;
  return *known && *(const uint8_t *)v->data;
}

/* Does nothing outside training (in which it may be, for all that is known here: then it stays); the mask, where asked for, is all true
 * (before 10 of the input's type: all ones). */
ingot_status ingot__onnx_convert_dropout(ingot__onnx_node *n) {
  static const uint8_t yes = 1;
  INGOT_TRY(ingot__onnx_inputs(n, 1, 3));
  ingot__value *training = INGOT__ONNX_IN(n, 2), *x = n->in[0];
  bool known = true;
  if (training && (constant_bool(training, &known) || !known)) return ingot__onnx_straight(n, INGOT__OP_Dropout);
  if (n->out_name[0]) INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 0, INGOT__OP_Identity, &x, 1));
  if (n->n_out < 2 || !n->out_name[1]) return INGOT_OK;
  ingot__value *shape = ingot__onnx_unary(n, INGOT__OP_Shape, x);
  INGOT__ONNX_NEED(n, shape);
  ingot__node *mask = n->version < 10 ? ingot__onnx_emit(n, INGOT__OP_ConstantOfShape, &shape, 1)
                                      : ingot__onnx_finish_output(n, 1, INGOT__OP_ConstantOfShape, &shape, 1);
  INGOT__ONNX_NEED(n, mask);
  ((ingot__attrs_ConstantOfShape *)mask->attrs)->value =
      (ingot__literal){.dtype = INGOT_BOOL, .rank = 1, .dim = {1}, .data = &yes, .bytes = 1};
  if (n->version >= 10) return INGOT_OK;
  ingot__value *in[] = {mask->out[0], x};
  INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, 1, INGOT__OP_CastLike, in, 2));
  return INGOT_OK;
}

/* Before 7 an attribute said whether all steps' outputs are wanted; naming them says it as well. */
ingot_status ingot__onnx_convert_rnn(ingot__onnx_node *n) {
  int64_t sequence;
  INGOT_TRY(ingot__onnx_get_int(n, "output_sequence", 0, &sequence));
  if (ingot__text_is(n->pb->op, "LSTM")) return ingot__onnx_straight(n, INGOT__OP_LSTM);
  return ingot__onnx_straight(n, ingot__text_is(n->pb->op, "GRU") ? INGOT__OP_GRU : INGOT__OP_RNN);
}

/* A loop keeps its `carried` values in its first outputs, so these must be there even if nobody reads them; and there is one for each of the
 * body's but the first `less`. */
static ingot_status complete_outputs(ingot__onnx_node *n, size_t carried, size_t less) {
  const ingot__pb_attr *body = NULL;
  ingot__pb_graph graph;
  for (size_t i = 0; i < n->n_attr; i++)
    if (ingot__text_is(n->attr[i].pb.name, "body") && n->attr[i].pb.type == INGOT__PB_GRAPH) body = &n->attr[i].pb;
  if (!body) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'body' is missing");
  INGOT_TRY(ingot__pb_read_graph(&n->o->pb, body->s, &graph));
  size_t count = graph.output.n > less ? graph.output.n - less : 0;
  if (count < n->n_out || count > INGOT__MAX_NODE_OUTPUTS) return INGOT_OK; /* inference says what is wrong */
  const char **names = INGOT_NEW_ARRAY(n->o->scratch, count, const char *);
  ingot__value **out = INGOT_NEW_ARRAY(n->o->scratch, count, ingot__value *);
  INGOT__ONNX_NEED(n, names && out);
  for (size_t i = 0; i < count; i++) {
    names[i] = i < n->n_out ? n->out_name[i] : NULL;
    if (!names[i] && i < carried) INGOT__ONNX_NEED(n, names[i] = ingot__arena_printf(n->o->scratch, "%s/state_%zu", n->name, i));
  }
  n->out_name = names, n->out = out, n->n_out = count;
  return INGOT_OK;
}

static ingot_status all_given(const ingot__onnx_node *n, size_t from) {
  for (size_t i = from; i < n->n_in; i++) {
    if (!n->in[i]) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its input %zu is left out, but is needed", i);
  }
  return INGOT_OK;
}

/* Its first two inputs, trip count and condition, may each be left out. */
ingot_status ingot__onnx_convert_loop(ingot__onnx_node *n) {
  ingot__value *none[2] = {NULL, NULL};
  if (n->n_in == 1) none[0] = n->in[0];
  INGOT_TRY(all_given(n, 2));
  INGOT_TRY(complete_outputs(n, n->n_in < 2 ? 0 : n->n_in - 2, 1));
  return ingot__onnx_build(n, INGOT__OP_Loop, n->n_in < 2 ? none : n->in, n->n_in < 2 ? 2 : n->n_in);
}

/* Its attribute `type` says what an optional without an element would hold. */
ingot_status ingot__onnx_convert_optional(ingot__onnx_node *n) {
  const ingot__pb_attr *a = ingot__onnx_get(n, "type");
  ingot__type type = {0};
  INGOT_TRY(ingot__onnx_inputs(n, 0, 1));
  if (a && a->type != INGOT__PB_TYPE) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute 'type' is no type");
  if (a) INGOT_TRY(ingot__onnx_read_type(n->o, a->s, NULL, &type));
  if (type.kind == INGOT__OPTIONAL || type.kind == INGOT__OPTIONAL_SEQUENCE)
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "an optional of an optional");
  ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Optional, n->in, n->n_in);
  INGOT__ONNX_NEED(n, node);
  ingot__attrs_Optional *attrs = node->attrs;
  attrs->dtype = type.dtype;
  attrs->sequence = type.kind == INGOT__SEQUENCE;
  return INGOT_OK;
}

/* Before 9 everything has a batch axis, the sequences' lengths are an input, and axes can't be chosen. */
ingot_status ingot__onnx_convert_scan(ingot__onnx_node *n) {
  bool batched = n->version < 9, given;
  ingot__ints directions;
  int64_t scanned = 0;
  for (size_t i = 0; i < n->n_attr; i++) /* not marked as used: it is set with the others */
    if (ingot__text_is(n->attr[i].pb.name, "num_scan_inputs")) scanned = n->attr[i].pb.i;
  INGOT_TRY(all_given(n, batched ? 1 : 0));
  if (batched) INGOT_TRY(ingot__onnx_get_ints(n, "directions", &directions, &given));
  size_t tensors = n->n_in - (batched && n->n_in ? 1 : 0);
  if (scanned < 1 || (uint64_t)scanned > tensors) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "num_scan_inputs doesn't fit its %zu inputs", n->n_in);
  INGOT_TRY(complete_outputs(n, tensors - (size_t)scanned, 0));
  INGOT_TRY(ingot__onnx_build(n, INGOT__OP_Scan, n->in, n->n_in));
  for (size_t i = 0; batched && i < n->n_out; i++) {
    if (!n->out[i]) continue;
    ingot__attrs_Scan *a = n->out[i]->producer->attrs;
    a->batched = 1;
    a->scan_input_directions = directions;
    break;
  }
  return INGOT_OK;
}
