/* Shapes on the command line. */
#include "shapes.h"
#include <stdlib.h>
#include <string.h>

static ingot_status read_dims(const char *option, const char *text, size_t length, cli__shape *shape) {
  if (length == 6 && memcmp(text, "scalar", 6) == 0) return INGOT_OK;
  const char *p = text, *end = text + length;
  while (shape->rank < INGOT_MAX_RANK) {
    char *after;
    long long n = p < end && *p >= '0' && *p <= '9' ? strtoll(p, &after, 10) : -1;
    if (n < 0 || n > (long long)1 << 40) break;
    shape->dims[shape->rank++] = n;
    if (after == end) return INGOT_OK;
    if (*after != 'x') break;
    p = after + 1;
  }
  return cli__fail(INGOT_E_ARGUMENT, "%s: '%.*s' isn't a shape of at most %d dims; write name:1x3x224x224,other:2x8", option, (int)length, text,
                   INGOT_MAX_RANK);
}

static ingot_status read_one(const char *option, const char *text, size_t length, cli__shape *shape) {
  size_t colon = length;
  while (colon > 0 && text[colon - 1] != ':') colon--;
  CLI_TRY(read_dims(option, text + colon, length - colon, shape));
  if (colon == 0) return INGOT_OK;
  size_t n = colon - 1;
  if (n >= 2 && text[0] == '\'' && text[n - 1] == '\'') text++, n -= 2;
  if (n == 0 || n >= sizeof shape->name) return cli__fail(INGOT_E_ARGUMENT, "%s: an input's name is empty or too long", option);
  memcpy(shape->name, text, n);
  return INGOT_OK;
}

ingot_status cli__shapes_read(const char *option, const char *text, cli__shapes *shapes) {
  *shapes = (cli__shapes){0};
  if (!text) return INGOT_OK;
  for (const char *p = text;; p++) {
    size_t length = strcspn(p, ",");
    if (shapes->count == CLI__SHAPES_MAX) return cli__fail(INGOT_E_LIMIT, "%s has more than %d shapes", option, CLI__SHAPES_MAX);
    cli__shape *shape = &shapes->items[shapes->count];
    CLI_TRY(read_one(option, p, length, shape));
    if (cli__shapes_find(shapes, shape->name, false)) return cli__fail(INGOT_E_ARGUMENT, "%s names '%s' twice", option, shape->name);
    shapes->count++;
    p += length;
    if (!*p) return INGOT_OK;
  }
}

const cli__shape *cli__shapes_find(const cli__shapes *shapes, const char *name, bool only) {
  for (size_t i = 0; i < shapes->count; i++)
    if (strcmp(shapes->items[i].name, name) == 0 || (only && !shapes->items[i].name[0])) return &shapes->items[i];
  return NULL;
}
