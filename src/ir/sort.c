/* Running order. Kahn's algorithm for each graph, with the first of the ready nodes in the present order taken next, so that a sorted graph
 * stays as it is. A node with subgraphs also waits for what they read from outside. */
#include "ir/network.h"
#include <string.h>

typedef struct sorter {
  ingot__network *network;
  uint32_t *position;   /* by node id: place in the present order of its graph */
  uint32_t *waits;      /* by node id: inputs whose producers haven't been placed */
  ingot__node **owner;  /* by graph id: the node whose attribute it is */
  uint32_t *heap;       /* ids of ready nodes, the least position on top */
  size_t n_heap;
} sorter;

/* The node of graph g that is `node` or that it lies in; NULL when it isn't below g. */
static ingot__node *ancestor(const sorter *s, ingot__node *node, const ingot__graph *g) {
  while (node && node->graph != g) node = node->graph->depth > g->depth ? s->owner[node->graph->id] : NULL;
  return node;
}

static bool before(const sorter *s, uint32_t a, uint32_t b) { return s->position[a] < s->position[b]; }

static void push(sorter *s, uint32_t id) {
  size_t i = s->n_heap++;
  for (; i && before(s, id, s->heap[(i - 1) / 2]); i = (i - 1) / 2) s->heap[i] = s->heap[(i - 1) / 2];
  s->heap[i] = id;
}

static uint32_t pop(sorter *s) {
  uint32_t top = s->heap[0], id = s->heap[--s->n_heap];
  size_t i = 0;
  for (size_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
    if (child + 1 < s->n_heap && before(s, s->heap[child + 1], s->heap[child])) child++;
    if (!before(s, s->heap[child], id)) break;
    s->heap[i] = s->heap[child];
  }
  s->heap[i] = id;
  return top;
}

/* A node of graph g that still waits and whose output `node` or a node inside it reads. */
static ingot__node *waited_for(const sorter *s, ingot__node *node, const ingot__graph *g) {
  for (size_t i = 0; i < node->n_in; i++) {
    ingot__node *p = node->in[i] ? node->in[i]->producer : NULL;
    if (p && p->graph == g && s->waits[p->id]) return p;
  }
  const ingot__op_info *info = ingot__op_get(node->op);
  for (size_t i = 0; i < info->n_attr; i++) {
    if (info->attr[i].type != INGOT__ATTR_GRAPH) continue;
    const ingot__graph *inner = *(ingot__graph **)(void *)((char *)node->attrs + info->attr[i].offset);
    for (ingot__node *m = inner ? inner->first : NULL; m; m = m->next) { /* graphs nest at most INGOT__MAX_GRAPH_DEPTH deep */
      ingot__node *p = waited_for(s, m, g);
      if (p) return p;
    }
  }
  return NULL;
}

/* `node` waits in vain: following what is waited for leads into a cycle. */
static ingot_status fail_cycle(const sorter *s, ingot__node *node, ingot__diag *diag) {
  const ingot__graph *g = node->graph;
  char text[512];
  size_t length = 0;
  ingot__node *on = node;
  for (size_t i = 0; i < g->n_node && i < 10000; i++) { /* after as many steps as nodes it is on the cycle for sure */
    ingot__node *p = waited_for(s, on, g);
    if (!p) break;
    on = p;
  }
  node = on;
  text[0] = 0;
  for (int i = 0; i < 6 && on; i++) { /* backwards: each reads the one after it */
    const char *name = ingot__where(on);
    size_t n = strlen(name);
    if (length + n + 8 > sizeof text) break;
    if (i) memcpy(text + length, " <- ", 4), length += 4;
    memcpy(text + length, name, n + 1);
    length += n;
    on = waited_for(s, on, g);
    if (on == node) break;
  }
  return ingot__fail(diag, INGOT_E_NETWORK, NULL, "nodes depend on each other in a cycle: %s%s", text, on == node ? "" : " <- ...");
}

static ingot_status sort_graph(sorter *s, ingot__graph *g, ingot__diag *diag) {
  ingot__network *n = s->network;
  bool sorted = true;
  for (ingot__node *p = g->first; p; p = p->next) {
    for (size_t i = 0; i < p->n_out; i++) {
      const ingot__value *v = p->out[i];
      for (size_t k = 0; v && k < v->n_user; k++) {
        const ingot__node *u = ancestor(s, v->user[k], g);
        if (!u) continue;
        s->waits[u->id]++;
        if (s->position[u->id] <= s->position[p->id]) sorted = false;
      }
    }
  }
  if (sorted) return INGOT_OK;
  s->n_heap = 0;
  for (ingot__node *p = g->first; p; p = p->next) {
    if (!s->waits[p->id]) push(s, p->id);
  }
  size_t total = g->n_node, placed = 0;
  ingot__node *last = NULL, *first = NULL;
  while (s->n_heap) {
    ingot__node *p = n->node[pop(s)];
    placed++;
    for (size_t i = 0; i < p->n_out; i++) {
      const ingot__value *v = p->out[i];
      for (size_t k = 0; v && k < v->n_user; k++) {
        const ingot__node *u = ancestor(s, v->user[k], g);
        if (u && --s->waits[u->id] == 0) push(s, u->id);
      }
    }
    p->prev = last; /* `next` stays until all are placed: a cycle must leave the list readable */
    if (!first) first = p;
    last = p;
  }
  if (placed < total) {
    for (ingot__node *p = g->first, *prev = NULL; p; prev = p, p = p->next) p->prev = prev;
    for (ingot__node *p = g->first; p; p = p->next) {
      if (s->waits[p->id]) return fail_cycle(s, p, diag);
    }
  }
  g->first = first;
  g->last = last;
  for (ingot__node *p = last, *next = NULL; p; next = p, p = p->prev) p->next = next;
  return INGOT_OK;
}

ingot_status ingot__network_sort(ingot__network *n, ingot__diag *diag) {
  sorter s = {.network = n};
  ingot_status status = INGOT_OK;
  size_t nodes = n->n_node, graphs = n->n_graph;
  s.position = ingot__calloc(&n->heap, nodes, sizeof *s.position);
  s.waits = ingot__calloc(&n->heap, nodes, sizeof *s.waits);
  s.heap = ingot__calloc(&n->heap, nodes, sizeof *s.heap);
  s.owner = ingot__calloc(&n->heap, graphs, sizeof *s.owner);
  if (!s.position || !s.waits || !s.heap || !s.owner) {
    status = ingot__no_memory(diag);
  } else {
    for (size_t i = 0; i < nodes; i++) {
      ingot__node *node = n->node[i];
      const ingot__op_info *info = node ? ingot__op_get(node->op) : NULL;
      for (size_t k = 0; info && k < info->n_attr; k++) {
        if (info->attr[k].type != INGOT__ATTR_GRAPH) continue;
        const ingot__graph *g = *(ingot__graph **)(void *)((char *)node->attrs + info->attr[k].offset);
        if (g) s.owner[g->id] = node;
      }
    }
    for (size_t i = 0; i < graphs; i++) {
      uint32_t at = 0;
      for (ingot__node *p = n->graph[i]->first; p; p = p->next) s.position[p->id] = at++;
    }
    for (size_t i = 0; i < graphs; i++) {
      if (n->graph[i]->removed) continue;
      ingot_status each = sort_graph(&s, n->graph[i], diag);
      if (status == INGOT_OK) status = each;
    }
  }
  ingot__free(&n->heap, s.position, nodes * sizeof *s.position);
  ingot__free(&n->heap, s.waits, nodes * sizeof *s.waits);
  ingot__free(&n->heap, s.heap, nodes * sizeof *s.heap);
  ingot__free(&n->heap, s.owner, graphs * sizeof *s.owner);
  return status;
}
