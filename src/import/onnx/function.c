/* Model-local functions: inlined where they are called. */
#include "import/onnx/convert.h"

static ingot__text key(ingot__onnx *o, ingot__text domain, ingot__text name, ingot__text overload) {
  if (ingot__onnx_is_default(domain)) domain.n = 0;
  size_t n = domain.n + name.n + overload.n + 2;
  char *p = ingot__arena_alloc(o->scratch, n), *at = p;
  if (!p) return (ingot__text){0};
  const ingot__text parts[] = {domain, name, overload};
  for (int i = 0; i < 3; i++) {
    if (i) *at++ = '\n';
    if (parts[i].n) memcpy(at, parts[i].p, parts[i].n);
    at += parts[i].n;
  }
  return (ingot__text){p, n};
}

ingot_status ingot__onnx_read_functions(ingot__onnx *o, const ingot__pb_model *model) {
  for (size_t i = 0; i < model->function.n; i++) {
    ingot__pb_function *f = INGOT_NEW(o->scratch, ingot__pb_function);
    if (!f) return ingot__no_memory(o->diag);
    INGOT_TRY(ingot__pb_read_function(&o->pb, model->function.v[i], f));
    ingot__text k = key(o, f->domain, f->name, f->overload);
    if (!k.p) return ingot__no_memory(o->diag);
    if (ingot__name_map_get(&o->function, k)) {
      return ingot__fail(o->diag, INGOT_E_NETWORK, NULL, "the function '%.*s' is defined twice", INGOT__TEXT(f->name));
    }
    if (!ingot__name_map_put(&o->function, k, f)) return ingot__no_memory(o->diag);
  }
  return INGOT_OK;
}

const ingot__pb_function *ingot__onnx_find_function(ingot__onnx *o, const ingot__pb_node *node) {
  if (o->function.n == 0) return NULL;
  ingot__text k = key(o, node->domain, node->op, node->overload);
  return k.p ? ingot__name_map_get(&o->function, k) : NULL;
}

/* The call's attributes, then the defaults of those it doesn't give; one that has neither is left out inside. */
static ingot_status bind_attrs(ingot__onnx_node *n, const ingot__pb_function *f, ingot__onnx_call *call) {
  ingot__pb_attr *v = INGOT_NEW_ARRAY(n->o->scratch, n->n_attr + f->defaults.n, ingot__pb_attr);
  if (!v) return ingot__no_memory(n->o->diag);
  call->attr = v;
  for (size_t i = 0; i < n->n_attr; i++) v[call->n_attr++] = n->attr[i].pb;
  size_t given = call->n_attr;
  for (size_t i = 0; i < f->defaults.n; i++) {
    ingot__pb_attr a;
    INGOT_TRY(ingot__pb_read_attr(&n->o->pb, f->defaults.v[i], &a));
    bool has = false;
    for (size_t k = 0; k < given && !has; k++) has = ingot__text_same(v[k].name, a.name);
    if (!has) v[call->n_attr++] = a;
  }
  return INGOT_OK;
}

static ingot_status define_inputs(ingot__onnx_node *n, const ingot__pb_function *f, ingot__onnx_scope *scope, const bool *failed_input) {
  if (n->pb->in.n > f->in.n) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has %zu inputs, its function takes %zu", n->pb->in.n, f->in.n);
  for (size_t i = 0; i < f->in.n; i++) {
    if (f->in.v[i].n == 0 || ingot__name_map_get(&scope->map, f->in.v[i])) {
      return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "two inputs of its function are called '%.*s'", INGOT__TEXT(f->in.v[i]));
    }
    ingot__onnx_entry *e = ingot__onnx_define(scope, f->in.v[i]);
    if (!e) return ingot__no_memory(n->o->diag);
    e->is_input = true;
    e->value = INGOT__ONNX_IN(n, i);
    bool failed = i < n->pb->in.n && failed_input[i];
    e->state = failed ? INGOT__ONNX_FAILED : e->value ? INGOT__ONNX_READY : INGOT__ONNX_ABSENT;
  }
  return INGOT_OK;
}

/* The function's nodes name its outputs as the caller does. */
static ingot_status name_outputs(ingot__onnx_node *n, const ingot__pb_function *f, const ingot__onnx_scope *scope) {
  if (n->n_out > f->out.n) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has %zu outputs, its function gives %zu", n->n_out, f->out.n);
  for (size_t i = 0; i < n->n_out; i++) {
    ingot__onnx_entry *e = ingot__name_map_get(&scope->map, f->out.v[i]);
    if (e && e->produced && !e->alias) e->alias = n->out_name[i];
  }
  return INGOT_OK;
}

static ingot_status take_outputs(ingot__onnx_node *n, const ingot__pb_function *f, const ingot__onnx_scope *scope) {
  for (size_t i = 0; i < n->n_out; i++) {
    if (!n->out_name[i]) continue;
    const ingot__onnx_entry *e = ingot__name_map_get(&scope->map, f->out.v[i]);
    if (e && e->state == INGOT__ONNX_FAILED) return INGOT_E_NETWORK; /* reported inside */
    if (!e || e->state != INGOT__ONNX_READY) {
      return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "no node of its function makes the output '%.*s'", INGOT__TEXT(f->out.v[i]));
    }
    n->out[i] = e->value;
    if (e->alias == n->out_name[i] && e->produced && !ingot__value_is_const(e->value)) continue;
    /* An input that is passed through, or one value as two outputs: each gets a value of its own. */
    ingot__node *node = ingot__node_new(scope->graph, INGOT__OP_Identity, n->name, NULL, &n->out[i], 1, 1, &n->out_name[i]);
    INGOT__ONNX_NEED(n, node);
    n->out[i] = node->out[0];
  }
  return INGOT_OK;
}

ingot_status ingot__onnx_inline(ingot__onnx_node *n, const ingot__pb_function *f, const bool *failed_input) {
  ingot__onnx *o = n->o;
  for (const ingot__onnx_call *c = n->scope->call; c; c = c->outer) {
    if (c->function == f) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the function '%.*s' calls itself", INGOT__TEXT(f->name));
  }
  if (o->depth >= INGOT__ONNX_DEPTH) {
    return INGOT__ONNX_FAIL(n, INGOT_E_LIMIT, "subgraphs and functions are nested deeper than %d", INGOT__ONNX_DEPTH);
  }
  INGOT_TRY(ingot__onnx_spend(n, f->size * 8)); /* its names' entries take many times their bytes */
  ingot__onnx_call call = {.outer = n->scope->call, .function = f};
  ingot__onnx_scope scope = {.caller = n->scope, .graph = n->scope->graph, .prefix = n->name, .opset = &f->opset, .call = &call};
  if (f->opset.n == 0) scope.opset = n->scope->opset;
  ingot__name_map_init(&scope.map, o->scratch);
  INGOT_TRY(bind_attrs(n, f, &call));
  INGOT_TRY(define_inputs(n, f, &scope, failed_input));
  INGOT_TRY(ingot__onnx_define_nodes(o, &scope, &f->node));
  for (size_t i = 0; i < f->info.n; i++) {
    ingot__onnx_entry *e = ingot__name_map_get(&scope.map, f->info.v[i].name);
    if (e && e->produced) e->type = f->info.v[i].type;
  }
  INGOT_TRY(name_outputs(n, f, &scope));
  o->depth++;
  ingot_status status = ingot__onnx_convert_nodes(o, &scope, &f->node);
  o->depth--;
  if (status != INGOT_OK) return status;
  return take_outputs(n, f, &scope);
}
