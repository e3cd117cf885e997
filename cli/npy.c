/* NumPy's .npy: the header is a Python dict literal of three keys; the data follows. */
#include "file.h"
#include "npy.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 65536 };

typedef struct header {
  ingot_dtype dtype;
  bool swapped, fortran;
  int rank;
  int64_t dims[INGOT_MAX_RANK];
} header;

/* NumPy's letters, type by type. bool is "|b1"; bfloat16 has none of its own: ml_dtypes stores raw "V2". */
static const struct { const char *letters; ingot_dtype dtype; } types[] = {
  {"f4", INGOT_FLOAT32}, {"f8", INGOT_FLOAT64}, {"f2", INGOT_FLOAT16}, {"i1", INGOT_INT8},   {"i2", INGOT_INT16},  {"i4", INGOT_INT32},
  {"i8", INGOT_INT64},   {"u1", INGOT_UINT8},   {"u2", INGOT_UINT16},  {"u4", INGOT_UINT32}, {"u8", INGOT_UINT64}, {"b1", INGOT_BOOL},
  {"V2", INGOT_BFLOAT16},
};

static ingot_status damaged(const cli__source *source, const char *what) {
  return cli__fail(INGOT_E_FORMAT, "%s: %s; not a .npy file, or a damaged one", source->who, what);
}

/* ---- The dict: a reader of just the literals that NumPy writes, in any order and spacing ---- */

static void skip_space(const char **p) {
  while (isspace((unsigned char)**p)) ++*p;
}

static bool take(const char **p, const char *word) {
  skip_space(p);
  size_t n = strlen(word);
  if (strncmp(*p, word, n) != 0) return false;
  *p += n;
  return true;
}

static bool take_string(const char **p, char *text, size_t size) {
  skip_space(p);
  char quote = **p;
  if (quote != '\'' && quote != '"') return false;
  size_t n = strcspn(*p + 1, quote == '"' ? "\"\\" : "'\\");
  if ((*p)[1 + n] != quote || n >= size) return false;
  memcpy(text, *p + 1, n);
  text[n] = 0;
  *p += n + 2;
  return true;
}

static ingot_status take_type(const cli__source *source, const char **p, header *h) {
  char text[32];
  skip_space(p);
  if (**p == '[') return cli__fail(INGOT_E_UNSUPPORTED, "%s has records (a structured dtype); plain arrays are wanted", source->who);
  if (!take_string(p, text, sizeof text)) return damaged(source, "the dtype can't be read");
  const char *letters = text + (strchr("<>|=", text[0]) != NULL && text[0]);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(letters, types[i].letters) != 0) continue;
    h->dtype = types[i].dtype;
    h->swapped = text[0] == '>';
    return INGOT_OK;
  }
  const char *hint = letters[0] == 'O' ? " (Python objects)" : letters[0] == 'U' || letters[0] == 'S' ? " (strings)" : "";
  return cli__fail(INGOT_E_UNSUPPORTED, "%s has dtype '%s'%s; numbers and booleans are read", source->who, text, hint);
}

static ingot_status take_shape(const cli__source *source, const char **p, header *h) {
  if (!take(p, "(")) return damaged(source, "the shape can't be read");
  while (!take(p, ")")) {
    skip_space(p);
    char *end;
    errno = 0;
    long long n = isdigit((unsigned char)**p) ? strtoll(*p, &end, 10) : -1;
    if (n < 0 || errno) return damaged(source, "the shape can't be read");
    *p = end;
    if (h->rank == INGOT_MAX_RANK) return cli__fail(INGOT_E_LIMIT, "%s has more than %d dims", source->who, INGOT_MAX_RANK);
    h->dims[h->rank++] = n;
    (void)take(p, "L"); /* as Python 2 wrote it */
    if (!take(p, ",")) {
      if (!take(p, ")")) return damaged(source, "the shape can't be read");
      break;
    }
  }
  return INGOT_OK;
}

static ingot_status parse(const cli__source *source, const char *p, header *h) {
  unsigned seen = 0;
  if (!take(&p, "{")) return damaged(source, "the header isn't a dict");
  while (!take(&p, "}")) {
    char key[32];
    if (!take_string(&p, key, sizeof key) || !take(&p, ":")) return damaged(source, "the header can't be read");
    unsigned bit = strcmp(key, "descr") == 0 ? 1 : strcmp(key, "fortran_order") == 0 ? 2 : strcmp(key, "shape") == 0 ? 4 : 0;
    if (!bit || seen & bit) return damaged(source, "the header has other keys than descr, fortran_order and shape");
    seen |= bit;
    if (bit == 1) CLI_TRY(take_type(source, &p, h));
    if (bit == 2 && !(h->fortran = take(&p, "True")) && !take(&p, "False")) return damaged(source, "fortran_order is neither True nor False");
    if (bit == 4) CLI_TRY(take_shape(source, &p, h));
    if (!take(&p, ",")) {
      if (!take(&p, "}")) return damaged(source, "the header can't be read");
      break;
    }
  }
  return seen == 7 ? INGOT_OK : damaged(source, "the header lacks descr, fortran_order or shape");
}

/* ---- Data ---- */

static void swap_bytes(unsigned char *data, size_t count, size_t width) {
  for (size_t i = 0; i < count; i++, data += width)
    for (size_t a = 0, b = width - 1; a < b; a++, b--) {
      unsigned char t = data[a];
      data[a] = data[b], data[b] = t;
    }
}

/* From first-index-fastest to last-index-fastest. */
static ingot_status to_row_major(cli__array *a) {
  if (a->rank < 2 || a->count == 0) return INGOT_OK;
  unsigned char *to = aligned_alloc(64, (a->bytes + 64) & ~(size_t)63);
  if (!to) return cli__no_memory();
  size_t width = a->bytes / a->count, index[INGOT_MAX_RANK] = {0}, stride[INGOT_MAX_RANK];
  stride[a->rank - 1] = 1;
  for (int i = a->rank - 1; i > 0; i--) stride[i - 1] = stride[i] * (size_t)a->dims[i];
  const unsigned char *from = a->data;
  for (size_t k = 0, at = 0; k < a->count; k++, from += width) {
    memcpy(to + at * width, from, width);
    for (int i = 0; i < a->rank; i++) {
      at += stride[i];
      if (++index[i] < (size_t)a->dims[i]) break;
      at -= stride[i] * (size_t)a->dims[i];
      index[i] = 0;
    }
  }
  free(a->data);
  a->data = to;
  return INGOT_OK;
}

ingot_status cli__npy_read(cli__source *source, const char *name, cli__array *array) {
  unsigned char head[12];
  if (source->size < 10) return damaged(source, "it is too short");
  CLI_TRY(source->read(source, head, 10));
  if (memcmp(head, "\x93NUMPY", 6) != 0) return damaged(source, "it doesn't begin as one");
  if (head[6] < 1 || head[6] > 3) return cli__fail(INGOT_E_UNSUPPORTED, "%s: version %d of the .npy format", source->who, head[6]);
  size_t length = head[8] | (size_t)head[9] << 8;
  if (head[6] > 1) {
    if (source->size < 2) return damaged(source, "the header is cut off");
    CLI_TRY(source->read(source, head + 10, 2));
    length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
  }
  if (length > MAX_HEADER) return damaged(source, "the header is too long");
  if (length > source->size) return damaged(source, "the header is cut off");
  char *text = malloc(length + 1);
  if (!text) return cli__no_memory();
  header h = {0};
  ingot_status status = source->read(source, text, length);
  text[length] = 0;
  if (status == INGOT_OK) status = parse(source, text, &h);
  free(text);
  if (status != INGOT_OK) return status;

  size_t count, bytes;
  if (!cli__array_size(h.dtype, h.rank, h.dims, &count, &bytes)) return damaged(source, "the shape is impossible");
  if (bytes > source->size)
    return cli__fail(INGOT_E_FORMAT, "%s: cut off: its header asks for %zu bytes of data and %llu are there", source->who, bytes,
                     (unsigned long long)source->size);
  CLI_TRY(cli__array_alloc(array, name, h.dtype, h.rank, h.dims));
  status = source->read(source, array->data, bytes);
  if (status == INGOT_OK && h.swapped && count) swap_bytes(array->data, count, bytes / count);
  if (status == INGOT_OK && h.fortran) status = to_row_major(array);
  if (status != INGOT_OK) cli__array_free(array);
  return status;
}

static ingot_status read_stream(cli__source *source, void *to, size_t size) {
  if (fread(to, 1, size, source->handle) != size) return cli__fail(INGOT_E_FORMAT, "%s: cut off", source->who);
  source->size -= size;
  return INGOT_OK;
}

ingot_status cli__npy_load(const char *path, cli__array *array) {
  cli__source source = {.who = path, .read = read_stream};
  FILE *file;
  CLI_TRY(cli__open_file(path, &file, &source.size));
  source.handle = file;
  ingot_status status = cli__npy_read(&source, NULL, array);
  fclose(file);
  return status;
}

/* ---- Writing ---- */

ingot_status cli__npy_bytes(const cli__array *array, unsigned char **data, size_t *size) {
  ingot_dtype dtype = array->dtype == INGOT_BFLOAT16 ? INGOT_FLOAT32 :
                      array->dtype == INGOT_INT4 || array->dtype == INGOT_INT2 ? INGOT_INT8 :
                      array->dtype == INGOT_UINT4 || array->dtype == INGOT_UINT2 ? INGOT_UINT8 : array->dtype;
  const char *letters = NULL;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].dtype == dtype) letters = types[i].letters;
  if (!letters) return cli__fail(INGOT_E_UNSUPPORTED, "'%s' has type %s, which .npy files don't have", array->name ? array->name : "array",
                                 ingot_dtype_name(dtype));
  size_t count, bytes;
  if (!cli__array_size(dtype, array->rank, array->dims, &count, &bytes)) return cli__no_memory();
  char shape[INGOT_MAX_RANK * 24] = "", text[512];
  size_t n = 0;
  for (int i = 0; i < array->rank; i++)
    n += (size_t)snprintf(shape + n, sizeof shape - n, "%lld,%s", (long long)array->dims[i], i + 1 < array->rank ? " " : "");
  if (array->rank > 1) shape[n - 1] = 0;
  bool one_byte = ingot_dtype_bits(dtype) == 8;
  int length = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }", one_byte ? '|' : '<', letters, shape);
  size_t head = (10 + (size_t)length + 1 + 63) & ~(size_t)63;
  unsigned char *out = malloc(head + bytes + 1);
  if (!out) return cli__no_memory();
  memset(out, ' ', head);
  memcpy(out, "\x93NUMPY\x01\x00", 8);
  out[8] = (unsigned char)(head - 10), out[9] = (unsigned char)((head - 10) >> 8);
  memcpy(out + 10, text, (size_t)length);
  out[head - 1] = '\n';
  if (dtype == array->dtype) {
    memcpy(out + head, array->data, bytes);
  } else {
    cli__array wide;
    ingot_status status = cli__array_alloc(&wide, NULL, dtype, array->rank, array->dims);
    if (status != INGOT_OK) {
      free(out);
      return status;
    }
    for (size_t i = 0; i < count; i++) cli__array_set(&wide, i, cli__array_get(array, i));
    memcpy(out + head, wide.data, bytes);
    cli__array_free(&wide);
  }
  *data = out;
  *size = head + bytes;
  return INGOT_OK;
}

ingot_status cli__npy_save(const char *path, const cli__array *array) {
  unsigned char *data;
  size_t size;
  CLI_TRY(cli__npy_bytes(array, &data, &size));
  ingot_status status = cli__write_file(path, data, size);
  free(data);
  return status;
}
