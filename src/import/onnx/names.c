/* Open addressing with linear probing over a seeded hash. */
#include "import/onnx/names.h"
#include <string.h>

void ingot__name_map_init(ingot__name_map *map, ingot__arena *arena) {
  *map = (ingot__name_map){.arena = arena};
  map->seed = ((uint64_t)(uintptr_t)map ^ (uint64_t)(uintptr_t)arena->next << 24) * 0x9e3779b97f4a7c15u; /* differs from run to run */
}

static uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static size_t hash(const ingot__name_map *map, ingot__text key) {
  uint64_t h = map->seed ^ key.n;
  size_t i = 0;
  for (uint64_t word; key.n - i >= 8; i += 8) {
    memcpy(&word, key.p + i, 8);
    h = mix(h ^ word, 0xd6e8feb86659fd93u ^ map->seed);
  }
  uint64_t tail = 0;
  if (key.n > i) memcpy(&tail, key.p + i, key.n - i);
  return (size_t)mix(mix(h ^ tail, 0xa0761d6478bd642fu ^ map->seed), 0xe7037ed1a0b428dbu);
}

static ingot__name_slot *find(const ingot__name_map *map, ingot__text key) {
  size_t i = hash(map, key) & (map->capacity - 1);
  while (map->slot[i].value && !ingot__text_same(map->slot[i].key, key)) i = (i + 1) & (map->capacity - 1);
  return &map->slot[i];
}

void *ingot__name_map_get(const ingot__name_map *map, ingot__text key) { return map->n ? find(map, key)->value : NULL; }

bool ingot__name_map_put(ingot__name_map *map, ingot__text key, void *value) {
  if ((map->n + 1) * 2 > map->capacity) {
    ingot__name_map larger = *map;
    larger.capacity = map->capacity ? map->capacity * 2 : 16;
    larger.slot = INGOT_NEW_ARRAY(map->arena, larger.capacity, ingot__name_slot);
    if (!larger.slot) return false;
    for (size_t i = 0; i < map->capacity; i++) {
      if (map->slot[i].value) *find(&larger, map->slot[i].key) = map->slot[i];
    }
    *map = larger;
  }
  *find(map, key) = (ingot__name_slot){key, value};
  map->n++;
  return true;
}
