/* The tensor copy engine: boxes of tensors between device memory and shared memory, element by element, with zeros for what lies outside.
 *
 * Semantics as in the PTX manual, "tensors" (tiled and im2col modes, swizzling) and in the description of cuTensorMapEncodeIm2col. */
#include "emulated_tensor.h"
#include "emulated_machine.h"
#include "emulated_map.h"
#include <string.h>

static void fail(const char *what) { emulated_machine.fail(what); }

static const emulated_map *checked(const void *map, int kind, const void *shared) {
  const emulated_map *m = map;
  if ((uintptr_t)map % 64) fail("a tensor map that isn't aligned to 64 bytes");
  if (m->kind != kind) fail("a tensor map that isn't one, or of the other kind");
  if ((uintptr_t)shared % 128) fail("a tensor copy whose place in shared memory isn't aligned to 128 bytes");
  if (m->swizzle && m->box[0] * m->size != m->swizzle) fail("a swizzled tensor copy whose rows are not as long as its pattern");
  return m;
}
/* The place of the byte at an offset: bits 4.. of the address are mixed with bits 7... */
static size_t swizzled(const emulated_map *m, const void *shared, size_t offset) {
  uintptr_t at = (uintptr_t)shared + offset;
  uintptr_t mask = m->swizzle == 128 ? 7 : m->swizzle == 64 ? 3 : m->swizzle == 32 ? 1 : 0;
  return (at ^ (at >> 7 & mask) << 4) - (uintptr_t)shared;
}
static void check_room(const void *shared, size_t size) {
  if (!emulated_is_shared(shared, size)) fail("a tensor copy beyond the block's shared memory");
}

/* One row along the innermost dim, from element `first`; source NULL: all of it outside. */
static void load_row(const emulated_map *m, unsigned char *shared, size_t offset, const unsigned char *source, int first) {
  for (unsigned i = 0; i < m->box[0]; i++, offset += m->size) {
    unsigned char *to = shared + swizzled(m, shared, offset);
    int64_t at = (int64_t)first + i;
    if (source && at >= 0 && at <= m->last[0]) memcpy(to, source + at * m->size, m->size);
    else memset(to, 0, m->size);
  }
}
static void store_row(const emulated_map *m, const unsigned char *shared, size_t offset, unsigned char *target, int first) {
  for (unsigned i = 0; i < m->box[0]; i++, offset += m->size) {
    int64_t at = (int64_t)first + i;
    if (target && at >= 0 && at <= m->last[0]) memcpy(target + at * m->size, shared + swizzled(m, shared, offset), m->size);
  }
}

/* Calls one of the two for every row of the box. */
static void tiled(const emulated_map *m, unsigned char *shared, const int *coordinates, bool store) {
  size_t offset = 0;
  unsigned count[5] = {1, 1, 1, 1, 1}, at[5] = {0};
  for (int i = 1; i < m->rank; i++) count[i] = m->box[i];
  for (at[4] = 0; at[4] < count[4]; at[4]++)
    for (at[3] = 0; at[3] < count[3]; at[3]++)
      for (at[2] = 0; at[2] < count[2]; at[2]++)
        for (at[1] = 0; at[1] < count[1]; at[1]++, offset += (size_t)m->box[0] * m->size) {
          unsigned char *row = (unsigned char *)(uintptr_t)m->base;
          for (int i = 1; i < m->rank && row; i++) {
            int64_t place = (int64_t)coordinates[i] + (int64_t)at[i] * m->step[i];
            if (place < 0 || place > m->last[i]) row = NULL;
            else row += place * m->stride[i - 1];
          }
          if (store) store_row(m, shared, offset, row, coordinates[0]);
          else load_row(m, shared, offset, row, coordinates[0]);
        }
}
static size_t box_size(const emulated_map *m) {
  size_t size = m->size;
  for (int i = 0; i < m->rank; i++) size *= m->box[i];
  return size;
}
void emulated_load_tiled(const void *map, void *shared, const int *coordinates) {
  const emulated_map *m = checked(map, EMULATED_MAP_TILED, shared);
  check_room(shared, box_size(m));
  tiled(m, shared, coordinates, false);
  emulated_machine.progress();
}
void emulated_store_tiled(const void *map, const void *shared, const int *coordinates) {
  const emulated_map *m = checked(map, EMULATED_MAP_TILED, shared);
  check_room(shared, box_size(m));
  tiled(m, (unsigned char *)(uintptr_t)shared, coordinates, true);
  emulated_machine.progress();
}

/* Pixels begin at the coordinates and go on along W, H and N, within the box of positions (its upper corner belongs to it); the offsets
 * are added to what is read, not to where the box ends. */
void emulated_load_windows(const void *map, void *shared, const int *coordinates, int offset_w, int offset_h) {
  const emulated_map *m = checked(map, EMULATED_MAP_WINDOWS, shared);
  check_room(shared, (size_t)m->box[0] * m->size * m->box[1]);
  if (offset_w < 0 || offset_w > 255 || offset_h < 0 || offset_h > 255) fail("an offset of a window that isn't within 0 and 255");
  int64_t last_w = (int64_t)m->last[1] + m->upper[0], last_h = (int64_t)m->last[2] + m->upper[1];
  int64_t w = coordinates[1], h = coordinates[2], n = coordinates[3];
  if (w < m->lower[0] || w > last_w || h < m->lower[1] || h > last_h) fail("windows that begin outside of their box of positions");
  for (unsigned i = 0; i < m->box[1]; i++) {
    int64_t x = w + offset_w, y = h + offset_h;
    bool inside = x >= 0 && x <= m->last[1] && y >= 0 && y <= m->last[2] && n >= 0 && n <= m->last[3];
    const unsigned char *row = (const unsigned char *)(uintptr_t)m->base;
    row = inside ? row + x * m->stride[0] + y * m->stride[1] + n * m->stride[2] : NULL;
    load_row(m, shared, (size_t)i * m->box[0] * m->size, row, coordinates[0]);
    if ((w += m->step[1]) <= last_w) continue;
    w = m->lower[0];
    if ((h += m->step[2]) <= last_h) continue;
    h = m->lower[1], n++;
  }
  emulated_machine.progress();
}
