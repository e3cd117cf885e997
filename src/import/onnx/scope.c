/* Names of values: scopes, and what values are called in the network. */
#include "import/onnx/import.h"
#include <string.h>

ingot__onnx_entry *ingot__onnx_find(const ingot__onnx_scope *scope, ingot__text name) {
  for (; scope; scope = scope->outer) {
    ingot__onnx_entry *e = ingot__name_map_get(&scope->map, name);
    if (e) return e;
  }
  return NULL;
}

ingot__onnx_entry *ingot__onnx_define(ingot__onnx_scope *scope, ingot__text name) {
  ingot__onnx_entry *e = INGOT_NEW(scope->map.arena, ingot__onnx_entry);
  if (!e) return NULL;
  e->name = name;
  return ingot__name_map_put(&scope->map, name, e) ? e : NULL;
}

const char *ingot__onnx_value_name(ingot__onnx *o, const ingot__onnx_scope *scope, const ingot__onnx_entry *entry) {
  if (entry->alias) return entry->alias;
  ingot__text name = entry->name;
  /* A subgraph's names stay as they are unless a graph around it has the same one, perhaps for a value that isn't made yet; a
   * function's and an inlined one's are put under the node that calls it. */
  bool plain = !scope->prefix || (!scope->call && !scope->inlined && !ingot__onnx_find(scope->outer, name));
  if (plain) return ingot__arena_stringn(o->scratch, name.p, name.n);
  return ingot__arena_printf(o->scratch, "%s/%.*s", scope->prefix, (int)(name.n < 4096 ? name.n : 4096), name.p ? name.p : "");
}

bool ingot__onnx_is_default(ingot__text domain) { return domain.n == 0 || ingot__text_is(domain, "ai.onnx"); }

int64_t ingot__onnx_opset(const ingot__pb_opsets *opsets, ingot__text domain) {
  bool is_default = ingot__onnx_is_default(domain);
  for (size_t i = 0; i < opsets->n; i++) {
    if (is_default ? ingot__onnx_is_default(opsets->v[i].domain) : ingot__text_same(opsets->v[i].domain, domain)) return opsets->v[i].version;
  }
  return 0;
}
