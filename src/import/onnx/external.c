/* External data: tensors whose bytes lie in another file of the model's folder. The file is mapped once and for as long as the network
 * lives. A model must not reach any file outside its folder, so locations are relative, without "..", and what they name after following
 * symbolic links must be a regular file inside. Checksums, which no exporter writes, are not looked at. */
#include "import/onnx/import.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_safe(ingot__text location) {
  if (location.n == 0 || location.p[0] == '/' || memchr(location.p, 0, location.n)) return false;
  for (size_t i = 0; i < location.n;) {
    const char *slash = memchr(location.p + i, '/', location.n - i);
    size_t end = slash ? (size_t)(slash - location.p) : location.n;
    if (ingot__text_is((ingot__text){location.p + i, end - i}, "..")) return false;
    i = end + 1;
  }
  return true;
}

static ingot_status open_file(ingot__onnx *o, const char *where, ingot__text location, ingot__onnx_file **out) {
  for (ingot__onnx_file *f = o->file; f; f = f->next) {
    if (ingot__text_same(f->location, location)) return *out = f, INGOT_OK;
  }
  if (!o->folder || !o->network) return ingot__fail(o->diag, INGOT_E_IO, where, "its data is in another file, and no folder is known for it");
  if (!is_safe(location)) {
    return ingot__fail(o->diag, INGOT_E_FORMAT, where, "its data is said to be in '%.*s', which isn't a file in the model's folder",
                       INGOT__TEXT(location));
  }
  char folder[PATH_MAX], real[PATH_MAX];
  const char *path = ingot__arena_printf(o->scratch, "%s/%.*s", o->folder, (int)(location.n < PATH_MAX ? location.n : PATH_MAX), location.p);
  if (!path) return ingot__no_memory(o->diag);
  if (!realpath(o->folder, folder) || !realpath(path, real)) {
    return ingot__fail(o->diag, INGOT_E_IO, where, "its data file '%.*s' is missing beside the model", INGOT__TEXT(location));
  }
  size_t n = strlen(folder);
  while (n > 0 && folder[n - 1] == '/') n--; /* the root */
  struct stat info;
  if (strncmp(folder, real, n) != 0 || real[n] != '/' || stat(real, &info) != 0 || !S_ISREG(info.st_mode)) {
    return ingot__fail(o->diag, INGOT_E_FORMAT, where, "its data file '%.*s' is no regular file in the model's folder", INGOT__TEXT(location));
  }
  ingot__onnx_file *f = INGOT_NEW(o->scratch, ingot__onnx_file);
  if (!f) return ingot__no_memory(o->diag);
  const void *data = NULL;
  f->location = location;
  if (info.st_size > 0) INGOT_TRY(ingot__network_map_file(o->network, real, o->diag, &data, &f->size));
  f->data = data;
  f->next = o->file;
  o->file = f;
  return *out = f, INGOT_OK;
}

static bool number(ingot__text text, size_t *out) {
  *out = 0;
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] < '0' || text.p[i] > '9') return false;
    if (!ingot__mul(*out, 10, out) || !ingot__add(*out, (size_t)(text.p[i] - '0'), out)) return false;
  }
  return text.n > 0;
}

ingot_status ingot__onnx_external(ingot__onnx *o, const ingot__pb_tensor *t, ingot__text *bytes) {
  const char *where = ingot__arena_printf(o->scratch, "tensor '%.*s'", INGOT__TEXT(t->name));
  ingot__text location = {0}, key, value;
  size_t offset = 0, length = 0;
  bool has_length = false;
  for (size_t i = 0; i < t->external.n; i++) {
    INGOT_TRY(ingot__pb_read_entry(&o->pb, t->external.v[i], &key, &value));
    bool good = true;
    if (ingot__text_is(key, "location")) location = value;
    else if (ingot__text_is(key, "offset")) good = number(value, &offset);
    else if (ingot__text_is(key, "length")) good = has_length = number(value, &length);
    if (!good) return ingot__fail(o->diag, INGOT_E_FORMAT, where, "external data: %.*s is '%.*s'", INGOT__TEXT(key), INGOT__TEXT(value));
  }
  ingot__onnx_file *f = NULL;
  INGOT_TRY(open_file(o, where, location, &f));
  if (!has_length) { /* the bytes that the shape needs, as ONNX Runtime takes it; a shape that is wrong is found by the caller */
    size_t count = 1;
    bool fits = offset <= f->size;
    for (int i = 0; i < t->rank && fits; i++) fits = t->dim[i] >= 0 && ingot__mul(count, (size_t)t->dim[i], &count);
    if (!fits || !ingot__dtype_bytes((ingot_dtype)t->dtype, count, &length)) length = SIZE_MAX;
  }
  if (offset > f->size || length > f->size - offset) {
    return ingot__fail(o->diag, INGOT_E_FORMAT, where, "external data: bytes %zu to %zu + %zu are asked of '%.*s', which has %zu", offset, offset,
                       length, INGOT__TEXT(location), f->size);
  }
  *bytes = (ingot__text){length ? f->data + offset : NULL, length};
  return INGOT_OK;
}
