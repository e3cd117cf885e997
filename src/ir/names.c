/* Two hash tables with open addressing. Each name remembers the last suffix tried for it, so that many equal wishes stay linear. */
#include "ir/names.h"
#include <string.h>

typedef struct slot {
  const char *name; /* NULL: never used; `gone`: removed */
  void *object;
  uint32_t hash, suffix;
} slot;
typedef struct table {
  slot *slot;
  size_t capacity, used, removed; /* used counts removed ones */
} table;
struct ingot__names { table table[2]; };

static const char gone[] = "";

static uint32_t hash(const char *name) {
  uint64_t h = 14695981039346656037u;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
  return (uint32_t)(h ^ h >> 32);
}

bool ingot__names_init(ingot__network *network) {
  network->names = ingot__calloc(&network->heap, 1, sizeof *network->names);
  return network->names;
}

void ingot__names_free(ingot__network *network) {
  if (!network->names) return;
  for (int i = 0; i < 2; i++) {
    table *t = &network->names->table[i];
    ingot__free(&network->heap, t->slot, t->capacity * sizeof *t->slot);
  }
  ingot__free(&network->heap, network->names, sizeof *network->names);
  network->names = NULL;
}

static slot *find(const table *t, const char *name, uint32_t h) {
  if (!t->capacity) return NULL;
  for (size_t i = h;; i++) {
    slot *s = &t->slot[i & (t->capacity - 1)];
    if (!s->name) return NULL;
    if (s->name != gone && s->hash == h && strcmp(s->name, name) == 0) return s;
  }
}

static bool make_room(ingot__heap *heap, table *t) {
  if (t->capacity && (t->used + 1) * 4 <= t->capacity * 3) return true;
  size_t capacity = t->capacity ? t->capacity : 64;
  if ((t->used - t->removed + 1) * 2 > capacity) capacity *= 2;
  slot *fresh = ingot__calloc(heap, capacity, sizeof *fresh);
  if (!fresh) return false;
  for (size_t i = 0; i < t->capacity; i++) {
    if (!t->slot[i].name || t->slot[i].name == gone) continue;
    size_t j = t->slot[i].hash;
    while (fresh[j & (capacity - 1)].name) j++;
    fresh[j & (capacity - 1)] = t->slot[i];
  }
  ingot__free(heap, t->slot, t->capacity * sizeof *t->slot);
  *t = (table){fresh, capacity, t->used - t->removed, 0};
  return true;
}

const char *ingot__names_add(ingot__network *network, ingot__name_of of, const char *wanted, void *object) {
  table *t = &network->names->table[of];
  if (!make_room(&network->heap, t)) return NULL;
  uint32_t h = hash(wanted);
  slot *base = find(t, wanted, h);
  const char *name;
  if (base) {
    size_t n = strlen(wanted);
    if (n > UINT32_MAX) return NULL;
    char *text = ingot__arena_alloc(&network->arena, n + 16);
    if (!text) return NULL;
    memcpy(text, wanted, n);
    do {
      char digits[12];
      int k = 0;
      text[n] = '_';
      for (uint32_t v = ++base->suffix; v || !k; v /= 10) digits[k++] = (char)('0' + v % 10);
      for (int i = 0; i < k; i++) text[n + 1 + (size_t)i] = digits[k - 1 - i];
      text[n + 1 + (size_t)k] = 0;
      h = hash(text);
    } while (find(t, text, h));
    name = text;
  } else {
    name = ingot__arena_string(&network->arena, wanted);
    if (!name) return NULL;
  }
  size_t i = h;
  while (t->slot[i & (t->capacity - 1)].name) i++;
  t->slot[i & (t->capacity - 1)] = (slot){name, object, h, 0};
  t->used++;
  return name;
}

void ingot__names_remove(ingot__network *network, ingot__name_of of, const char *name) {
  table *t = &network->names->table[of];
  slot *s = find(t, name, hash(name));
  if (!s) return;
  s->name = gone;
  s->object = NULL;
  t->removed++;
}

void *ingot__names_find(const ingot__network *network, ingot__name_of of, const char *name) {
  const slot *s = find(&network->names->table[of], name, hash(name));
  return s ? s->object : NULL;
}

void ingot__names_set(ingot__network *network, ingot__name_of of, const char *name, void *object) {
  slot *s = find(&network->names->table[of], name, hash(name));
  if (s) s->object = object;
}
