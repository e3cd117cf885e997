/* Graphs and subgraphs: defines their names, makes inputs and constants, has the nodes ordered and converted, and marks the outputs. */
#include "import/onnx/convert.h"

ingot_status ingot__onnx_collect(ingot__onnx *o, ingot_status status) {
  if (status == INGOT_OK) return INGOT_OK;
  if (o->status == INGOT_OK) o->status = status;
  bool ends = status == INGOT_E_MEMORY || status == INGOT_E_LIMIT || status == INGOT_E_INTERNAL || (o->diag && o->diag->count > 100);
  return ends ? status : INGOT_OK;
}

/* A problem of the graph rather than of a node. */
#define COLLECT(o, where, ...) INGOT_TRY(ingot__onnx_collect((o), ingot__fail((o)->diag, INGOT_E_NETWORK, (where), __VA_ARGS__)))

static const char *node_text(ingot__onnx *o, const ingot__pb_node *n) {
  return ingot__arena_printf(o->scratch, "%.*s (%.*s)", INGOT__TEXT(n->name.n || !n->out.n ? n->name : n->out.v[0]), INGOT__TEXT(n->op));
}

ingot_status ingot__onnx_define_nodes(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_nodes *nodes) {
  ingot__name_map names;
  ingot__name_map_init(&names, o->scratch);
  for (size_t i = 0; i < nodes->n; i++) {
    const ingot__pb_node *n = &nodes->v[i];
    if (n->name.n && !ingot__text_is(n->op, "Constant")) { /* those are values: some exporters give all of them one name */
      if (ingot__name_map_get(&names, n->name)) {
        COLLECT(o, node_text(o, n), "another node has the same name");
      } else if (!ingot__name_map_put(&names, n->name, (void *)n)) {
        return ingot__no_memory(o->diag);
      }
    }
    for (size_t k = 0; k < n->out.n; k++) {
      ingot__text name = n->out.v[k];
      if (name.n == 0) continue;
      ingot__onnx_entry *e = ingot__name_map_get(&scope->map, name);
      if (e) {
        const char *by = e->produced ? "another output of a node" : e->is_input ? "an input" : "an initializer";
        COLLECT(o, node_text(o, n), "its output '%.*s' has the name of %s", INGOT__TEXT(name), by);
        continue;
      }
      if (!(e = ingot__onnx_define(scope, name))) return ingot__no_memory(o->diag);
      e->produced = true;
      e->node = i;
    }
  }
  return INGOT_OK;
}

static ingot_status make_constant(ingot__onnx *o, ingot__onnx_scope *scope, ingot__text message, bool sparse) {
  ingot__literal literal;
  ingot__text name;
  if (sparse) INGOT_TRY(ingot__onnx_read_sparse(o, message, &literal, &name));
  else INGOT_TRY(ingot__onnx_read_tensor(o, message, &literal, &name));
  ingot__onnx_entry *e = ingot__name_map_get(&scope->map, name);
  return e ? ingot__onnx_bind_constant(o, scope, e, &literal) : INGOT_OK; /* not there: it has no name, which has been said */
}

/* Defines initializers' names. Reads no data yet, since which of them are outputs must be known first. */
static ingot_status define_initializers(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_texts *list, bool sparse) {
  for (size_t i = 0; i < list->n; i++) {
    ingot__text message = list->v[i];
    ingot__pb_sparse s;
    ingot__pb_tensor t;
    if (sparse) {
      INGOT_TRY(ingot__pb_read_sparse(&o->pb, message, &s));
      message = s.values;
    }
    INGOT_TRY(ingot__pb_read_tensor(&o->pb, message, &t));
    if (t.name.n == 0) COLLECT(o, NULL, "an initializer has no name");
    else if (ingot__name_map_get(&scope->map, t.name)) COLLECT(o, NULL, "two initializers are called '%.*s'", INGOT__TEXT(t.name));
    else if (!ingot__onnx_define(scope, t.name)) return ingot__no_memory(o->diag);
  }
  return INGOT_OK;
}

static ingot_status make_input(ingot__onnx *o, ingot__onnx_scope *scope, ingot__onnx_entry *e) {
  const char *name = ingot__onnx_value_name(o, scope, e);
  if (!name) return ingot__no_memory(o->diag);
  ingot__type type;
  bool is_main = scope->graph == o->network->main;
  e->state = INGOT__ONNX_FAILED;
  INGOT_TRY(ingot__onnx_read_type(o, e->type, is_main ? name : NULL, &type));
  if (is_main && type.dtype == INGOT_UNDEFINED) {
    return ingot__fail(o->diag, INGOT_E_NETWORK, NULL, "the input '%s' has no element type", name);
  }
  if (!(e->value = ingot__input_new(scope->graph, name, &type))) return ingot__no_memory(o->diag);
  e->state = INGOT__ONNX_READY;
  return INGOT_OK;
}

/* Inputs that are initializers too (all of them up to IR version 3) are constants. */
static ingot_status define_inputs(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_graph *pb) {
  for (size_t i = 0; i < pb->input.n; i++) {
    ingot__text name = pb->input.v[i].name;
    ingot__onnx_entry *e = ingot__name_map_get(&scope->map, name);
    if (name.n == 0) {
      COLLECT(o, NULL, "an input has no name");
    } else if (e && e->is_input) {
      COLLECT(o, NULL, "two inputs are called '%.*s'", INGOT__TEXT(name));
    } else if (!e) {
      if (!(e = ingot__onnx_define(scope, name))) return ingot__no_memory(o->diag);
      e->is_input = true;
      e->type = pb->input.v[i].type;
      INGOT_TRY(ingot__onnx_collect(o, make_input(o, scope, e)));
    }
  }
  return INGOT_OK;
}

static ingot_status add_output(ingot__onnx *o, ingot__onnx_scope *scope, ingot__text name, const char *where) {
  ingot__onnx_entry *e = ingot__onnx_find(scope, name);
  bool is_main = scope->graph == o->network->main;
  if (e && e->state == INGOT__ONNX_FAILED) return INGOT_OK;
  if (!e || e->state != INGOT__ONNX_READY) {
    return ingot__fail(o->diag, INGOT_E_NETWORK, where, "the output '%.*s' is made by no node", INGOT__TEXT(name));
  }
  ingot__value *v = e->value;
  if (is_main && v->is_output) return ingot__fail(o->diag, INGOT_E_NETWORK, where, "the output '%.*s' is listed twice", INGOT__TEXT(name));
  /* A subgraph's outputs are values of its own, one each: what comes from outside or stands twice is passed through a node. */
  if (!is_main && (v->graph != scope->graph || v->is_input || v->is_output || ingot__value_is_const(v))) {
    ingot__node *node = ingot__node_new(scope->graph, INGOT__OP_Identity, NULL, NULL, &v, 1, 1, NULL);
    if (!node) return ingot__no_memory(o->diag);
    v = node->out[0];
  }
  return ingot__graph_add_output(scope->graph, v) ? INGOT_OK : ingot__no_memory(o->diag);
}

/* The graph's nodes; its outputs remain to be taken. */
static ingot_status convert_body(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_graph *pb) {
  INGOT_TRY(define_initializers(o, scope, &pb->initializer, false));
  INGOT_TRY(define_initializers(o, scope, &pb->sparse, true));
  INGOT_TRY(define_inputs(o, scope, pb));
  INGOT_TRY(ingot__onnx_define_nodes(o, scope, &pb->node));
  for (size_t i = 0; i < pb->info.n; i++) {
    ingot__onnx_entry *e = ingot__name_map_get(&scope->map, pb->info.v[i].name);
    if (e && e->produced) e->type = pb->info.v[i].type;
  }
  for (size_t i = 0; i < pb->output.n; i++) {
    ingot__onnx_entry *e = ingot__name_map_get(&scope->map, pb->output.v[i].name);
    if (!e) continue;
    e->is_output = true;
    if (e->produced && pb->output.v[i].type.n) e->type = pb->output.v[i].type;
  }
  for (size_t i = 0; i < pb->initializer.n; i++) INGOT_TRY(ingot__onnx_collect(o, make_constant(o, scope, pb->initializer.v[i], false)));
  for (size_t i = 0; i < pb->sparse.n; i++) INGOT_TRY(ingot__onnx_collect(o, make_constant(o, scope, pb->sparse.v[i], true)));
  return ingot__onnx_convert_nodes(o, scope, &pb->node);
}

static ingot_status convert(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_graph *pb, const char *where) {
  INGOT_TRY(convert_body(o, scope, pb));
  for (size_t i = 0; i < pb->output.n; i++) INGOT_TRY(ingot__onnx_collect(o, add_output(o, scope, pb->output.v[i].name, where)));
  return INGOT_OK;
}

ingot_status ingot__onnx_main_graph(ingot__onnx *o, const ingot__pb_model *model) {
  ingot__pb_graph pb;
  INGOT_TRY(ingot__pb_read_graph(&o->pb, model->graph, &pb));
  if (pb.output.n == 0) {
    return ingot__fail(o->diag, INGOT_E_NETWORK, NULL, pb.node.n ? "the graph has no outputs" : "the graph is empty: no nodes and no outputs");
  }
  ingot__onnx_scope scope = {.graph = o->network->main, .opset = &model->opset};
  ingot__name_map_init(&scope.map, o->scratch);
  return convert(o, &scope, &pb, NULL);
}

ingot_status ingot__onnx_subgraph(ingot__onnx_node *n, ingot__text message, const char *attribute, ingot__graph **out) {
  ingot__onnx *o = n->o;
  if (o->depth >= INGOT__ONNX_DEPTH) {
    return INGOT__ONNX_FAIL(n, INGOT_E_LIMIT, "subgraphs and functions are nested deeper than %d", INGOT__ONNX_DEPTH);
  }
  ingot__pb_graph pb;
  INGOT_TRY(ingot__pb_read_graph(&o->pb, message, &pb));
  const char *prefix = ingot__arena_printf(o->scratch, "%s/%s", n->name, attribute);
  if (!prefix || !(*out = ingot__graph_new(o->network, n->scope->graph, prefix))) return ingot__no_memory(o->diag);
  ingot__onnx_scope scope = {.outer = n->scope, .graph = *out, .prefix = prefix, .opset = n->scope->opset, .call = n->scope->call};
  ingot__name_map_init(&scope.map, o->scratch);
  o->depth++;
  ingot_status status = convert(o, &scope, &pb, n->where);
  o->depth--;
  return status;
}

ingot_status ingot__onnx_inline_graph(ingot__onnx_node *n, ingot__text message, const char *attribute, ingot__value *const *in, size_t n_in,
                                      ingot__value **out, size_t n_out) {
  ingot__onnx *o = n->o;
  ingot__pb_graph pb;
  if (o->depth >= INGOT__ONNX_DEPTH) {
    return INGOT__ONNX_FAIL(n, INGOT_E_LIMIT, "subgraphs and functions are nested deeper than %d", INGOT__ONNX_DEPTH);
  }
  INGOT_TRY(ingot__pb_read_graph(&o->pb, message, &pb));
  if (pb.input.n != n_in || pb.output.n != n_out) {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "%s has %zu inputs and %zu outputs instead of %zu and %zu", attribute, pb.input.n, pb.output.n, n_in,
                            n_out);
  }
  const char *prefix = ingot__arena_printf(o->scratch, "%s/%s", n->name, attribute);
  if (!prefix) return ingot__no_memory(o->diag);
  ingot__onnx_scope scope = {.outer = n->scope, .graph = n->scope->graph, .prefix = prefix, .opset = n->scope->opset, .call = n->scope->call,
                             .inlined = true};
  ingot__name_map_init(&scope.map, o->scratch);
  for (size_t i = 0; i < n_in; i++) {
    ingot__text name = pb.input.v[i].name;
    if (name.n == 0 || ingot__name_map_get(&scope.map, name)) {
      return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "an input of %s has no name of its own", attribute);
    }
    ingot__onnx_entry *e = ingot__onnx_define(&scope, name);
    if (!e) return ingot__no_memory(o->diag);
    e->value = in[i];
    e->state = INGOT__ONNX_READY;
  }
  o->depth++;
  ingot_status status = convert_body(o, &scope, &pb);
  o->depth--;
  INGOT_TRY(status);
  for (size_t i = 0; i < n_out; i++) {
    const ingot__onnx_entry *e = ingot__onnx_find(&scope, pb.output.v[i].name);
    if (e && e->state == INGOT__ONNX_FAILED) return INGOT_E_NETWORK; /* reported inside */
    if (!e || e->state != INGOT__ONNX_READY) {
      return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the output '%.*s' of %s is made by no node", INGOT__TEXT(pb.output.v[i].name), attribute);
    }
    out[i] = e->value;
  }
  return INGOT_OK;
}
