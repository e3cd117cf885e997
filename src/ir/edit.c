/* Changes to a network: inputs, removal, replacement, moves, and the sweep of what nobody reads. Each either succeeds or leaves the network
 * as it was. */
#include "ir/names.h"
#include <assert.h>
#include <string.h>

static bool add_user(ingot__value *v, ingot__node *node) {
  if (!ingot__arena_grow(&v->graph->network->arena, (void **)&v->user, &v->user_capacity, v->n_user + 1, sizeof *v->user)) return false;
  v->user[v->n_user++] = node;
  return true;
}

/* From the end: networks are mostly taken apart backwards. */
static void drop_user(ingot__value *v, const ingot__node *node) {
  for (size_t i = v->n_user; i-- > 0;) {
    if (v->user[i] != node) continue;
    memmove(&v->user[i], &v->user[i + 1], (v->n_user - i - 1) * sizeof *v->user);
    v->n_user--;
    return;
  }
}

bool ingot__node_set_input(ingot__node *node, size_t slot, ingot__value *value) {
  assert(slot <= node->n_in);
  if (slot == node->n_in) {
    ingot__value **in = INGOT_NEW_ARRAY(&node->graph->network->arena, node->n_in + 1, ingot__value *);
    if (!in || (value && !add_user(value, node))) return false;
    if (node->n_in) memcpy(in, node->in, node->n_in * sizeof *in);
    in[node->n_in++] = value;
    node->in = in;
    return true;
  }
  if (node->in[slot] == value) return true;
  if (value && !add_user(value, node)) return false;
  if (node->in[slot]) drop_user(node->in[slot], node);
  node->in[slot] = value;
  return true;
}

static void unlink_node(ingot__node *node) {
  ingot__graph *g = node->graph;
  *(node->prev ? &node->prev->next : &g->first) = node->next;
  *(node->next ? &node->next->prev : &g->last) = node->prev;
  node->prev = node->next = NULL;
  g->n_node--;
}

void ingot__node_move(ingot__node *node, ingot__node *before) {
  ingot__graph *g = node->graph;
  assert(!before || before->graph == g);
  if (before == node || node->next == before) return;
  unlink_node(node);
  node->next = before;
  node->prev = before ? before->prev : g->last;
  *(node->prev ? &node->prev->next : &g->first) = node;
  *(before ? &before->prev : &g->last) = node;
  g->n_node++;
}

/* ---- Removal. Nodes that are to go wait in a list through their `next`, out of their graph and out of network->node. */

static void enlist(ingot__node **list, ingot__node *node) {
  unlink_node(node);
  node->graph->network->node[node->id] = NULL;
  node->next = *list;
  *list = node;
}
static bool enlisted(const ingot__node *node) { return node->graph->network->node[node->id] != node; }

static bool is_dead(const ingot__node *node) {
  for (size_t i = 0; i < node->n_out; i++) {
    if (node->out[i] && (node->out[i]->n_user || node->out[i]->is_output)) return false;
  }
  return true;
}

static void remove_value(ingot__value *v) {
  ingot__network *n = v->graph->network;
  ingot__names_remove(n, INGOT__NAME_OF_VALUE, v->name);
  n->value[v->id] = NULL;
}

/* Removes the listed nodes and all in their subgraphs; with `dead_too`, also nodes that nobody reads then. */
static size_t remove_listed(ingot__node *list, bool dead_too) {
  size_t count = 0;
  while (list) {
    ingot__node *node = list;
    ingot__network *n = node->graph->network;
    const ingot__op_info *info = ingot__op_get(node->op);
    list = node->next;
    count++;
    for (size_t i = 0; i < info->n_attr; i++) {
      if (info->attr[i].type != INGOT__ATTR_GRAPH) continue;
      ingot__graph *g = *(ingot__graph **)(void *)((char *)node->attrs + info->attr[i].offset);
      if (!g || g->removed) continue;
      g->removed = true;
      for (size_t k = 0; k < g->n_output; k++) g->output[k]->is_output = false;
      while (g->first) enlist(&list, g->first); /* so the last goes first */
    }
    for (size_t i = 0; i < node->n_in; i++) {
      ingot__value *v = node->in[i];
      if (!v) continue;
      drop_user(v, node);
      if (dead_too && v->producer && !enlisted(v->producer) && is_dead(v->producer)) enlist(&list, v->producer);
    }
    for (size_t i = 0; i < node->n_out; i++) {
      ingot__value *v = node->out[i];
      if (!v) continue;
      for (size_t k = 0; k < v->n_user; k++) { /* only where a whole subgraph goes: its other nodes lose the input before they go */
        if (k && v->user[k] == v->user[k - 1]) continue;
        for (size_t s = 0; s < v->user[k]->n_in; s++) {
          if (v->user[k]->in[s] == v) v->user[k]->in[s] = NULL;
        }
      }
      v->n_user = 0;
      remove_value(v);
    }
    ingot__names_remove(n, INGOT__NAME_OF_NODE, node->name);
  }
  return count;
}

void ingot__node_remove(ingot__node *node) {
  ingot__node *list = NULL;
  assert(is_dead(node));
  enlist(&list, node);
  remove_listed(list, false);
}

size_t ingot__network_sweep(ingot__network *n) {
  ingot__node *list = NULL;
  size_t count = 0;
  for (size_t i = n->n_node; i-- > 0;) {
    if (!n->node[i] || !is_dead(n->node[i])) continue;
    enlist(&list, n->node[i]);
    count += remove_listed(list, true);
    list = NULL;
  }
  for (size_t i = 0; i < n->n_value; i++) {
    ingot__value *v = n->value[i];
    if (!v || v->n_user || v->producer) continue;
    if (v->graph->removed || (!v->is_input && !v->is_output)) remove_value(v);
  }
  return count;
}

/* ---- Replacement */

static void exchange_names(ingot__value *a, ingot__value *b) {
  const char *t = a->name;
  a->name = b->name;
  b->name = t;
  ingot__names_set(a->graph->network, INGOT__NAME_OF_VALUE, a->name, a);
  ingot__names_set(b->graph->network, INGOT__NAME_OF_VALUE, b->name, b);
}

bool ingot__value_is_public_pair(const ingot__value *old, const ingot__value *now) {
  return old->is_output && old != now && (now->graph != old->graph || (!old->graph->outer && (now->is_input || now->is_output)));
}

bool ingot__value_replace(ingot__value *old, ingot__value *now) {
  ingot__network *n = old->graph->network;
  ingot__graph *g = old->graph;
  ingot__value *output = now; /* what takes old's place as output */
  if (old == now) return true;
  size_t room;
  if (!ingot__add(now->n_user, old->n_user, &room)) return false;
  if (!ingot__arena_grow(&n->arena, (void **)&now->user, &now->user_capacity, room + 1, sizeof *now->user)) return false;
  if (ingot__value_is_public_pair(old, now)) {
    ingot__node *identity = ingot__node_new(g, INGOT__OP_Identity, NULL, NULL, &now, 1, 1, NULL);
    if (!identity) return false;
    output = identity->out[0];
    output->type = old->type;
  }
  size_t kept = 0, s = 0;
  for (size_t i = 0; i < old->n_user; i++) {
    ingot__node *user = old->user[i];
    if (now->producer == user) {
      old->user[kept++] = user;
      continue;
    }
    if (i == 0 || old->user[i - 1] != user) s = 0; /* one slot for each entry of the list, going on where the last was */
    while (s < user->n_in && user->in[s] != old) s++;
    if (s == user->n_in) continue;
    user->in[s] = now;
    now->user[now->n_user++] = user;
  }
  old->n_user = kept;
  if (old->is_output) {
    for (size_t i = 0; i < g->n_output; i++) {
      if (g->output[i] == old) g->output[i] = output;
    }
    old->is_output = false;
    output->is_output = true;
    exchange_names(old, output);
  }
  return true;
}

bool ingot__value_rename(ingot__value *value, const char *name) {
  ingot__network *n = value->graph->network;
  if (strcmp(value->name, name) == 0) return true;
  if (!*name || ingot__names_find(n, INGOT__NAME_OF_VALUE, name)) return false;
  const char *copy = ingot__names_add(n, INGOT__NAME_OF_VALUE, name, value);
  if (!copy) return false;
  ingot__names_remove(n, INGOT__NAME_OF_VALUE, value->name);
  value->name = copy;
  return true;
}

/* ---- Origins */

static bool contains(const char *list, const char *name, size_t n) { /* names in a list with ", " between */
  for (const char *p = list; p;) {
    const char *end = strstr(p, ", ");
    if ((end ? (size_t)(end - p) : strlen(p)) == n && memcmp(p, name, n) == 0) return true;
    p = end ? end + 2 : NULL;
  }
  return false;
}

bool ingot__node_absorb_origin(ingot__node *node, const ingot__node *from) {
  const char *mine = node->origin ? node->origin : node->name, *theirs = from->origin ? from->origin : from->name;
  size_t n = strlen(mine), room;
  if (!ingot__add(n, strlen(theirs), &room) || !ingot__add(room, 3, &room)) return false;
  char *text = ingot__arena_alloc(&node->graph->network->arena, room);
  if (!text) return false;
  memcpy(text, mine, n);
  for (const char *p = theirs; p;) {
    const char *end = strstr(p, ", ");
    size_t k = end ? (size_t)(end - p) : strlen(p);
    if (!contains(mine, p, k)) {
      text[n] = ',', text[n + 1] = ' ';
      memcpy(text + n + 2, p, k);
      n += k + 2;
    }
    p = end ? end + 2 : NULL;
  }
  node->origin = text;
  return true;
}
