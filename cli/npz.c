/* .npz: a zip archive of .npy entries, read and written through libzip. */
#include "file.h"
#include "npy.h"
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* More than BOMB_BYTES in all may only come out of an archive when that is at most BOMB_RATIO times the archive's own size. */
enum { MAX_ENTRIES = 65536, BOMB_RATIO = 200 };
static const uint64_t BOMB_BYTES = (uint64_t)1 << 28;

typedef struct archive {
  zip_t *zip;
  const char *path;
  uint64_t size, unpacked; /* bytes of the file; of the entries read so far */
} archive;

static ingot_status read_entry(cli__source *source, void *to, size_t size) {
  char *at = to;
  while (size) {
    zip_int64_t got = zip_fread(source->handle, at, size);
    if (got <= 0) return cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off", source->who);
    at += got, size -= (size_t)got, source->size -= (uint64_t)got;
  }
  return INGOT_OK;
}

/* The rest of an entry, so that libzip compares its checksum. */
static ingot_status finish_entry(cli__source *source) {
  char rest[4096];
  zip_int64_t got;
  uint64_t extra = 0;
  while ((got = zip_fread(source->handle, rest, sizeof rest)) > 0)
    if ((extra += (uint64_t)got) > source->size) break;
  if (got < 0) return cli__fail(INGOT_E_FORMAT, "%s: damaged: its checksum is wrong", source->who);
  return INGOT_OK;
}

static ingot_status load_entry(archive *from, zip_uint64_t i, const zip_stat_t *stat, const char *who, const char *name, cli__array *array) {
  if (stat->encryption_method != ZIP_EM_NONE) return cli__fail(INGOT_E_UNSUPPORTED, "%s: encrypted", who);
  if (stat->comp_size > from->size) return cli__fail(INGOT_E_FORMAT, "%s: cut off, or damaged", who);
  if (__builtin_add_overflow(from->unpacked, stat->size, &from->unpacked) ||
      (from->unpacked > BOMB_BYTES && from->unpacked / BOMB_RATIO > from->size))
    return cli__fail(INGOT_E_LIMIT, "%s: %llu bytes out of an archive of %llu; refused as a compression bomb (store it uncompressed if it is "
        "meant)",
                     who, (unsigned long long)stat->size, (unsigned long long)from->size);
  zip_file_t *file = zip_fopen_index(from->zip, i, 0);
  if (!file) return cli__fail(INGOT_E_FORMAT, "%s: %s", who, zip_strerror(from->zip));
  cli__source source = {.who = who, .size = stat->size, .read = read_entry, .handle = file};
  ingot_status status = cli__npy_read(&source, name, array);
  if (status == INGOT_OK && (status = finish_entry(&source)) != INGOT_OK) cli__array_free(array);
  zip_fclose(file);
  return status;
}

static ingot_status load_one(archive *from, zip_uint64_t i, cli__arrays *arrays, bool (*wanted)(void *, const char *), void *user) {
  const char *path = from->path;
  zip_stat_t stat;
  if (zip_stat_index(from->zip, i, ZIP_FL_ENC_GUESS, &stat) != 0) return cli__fail(INGOT_E_FORMAT, "%s: %s", path, zip_strerror(from->zip));
  zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  if ((stat.valid & needed) != needed) return cli__fail(INGOT_E_FORMAT, "%s: an entry without name or size", path);
  char who[512], name[4096];
  size_t length = strlen(stat.name);
  if (length > 4 && strcmp(stat.name + length - 4, ".npy") == 0) length -= 4;
  if (length == 0 || length >= sizeof name) return cli__fail(INGOT_E_FORMAT, "%s: an entry's name is empty or too long", path);
  memcpy(name, stat.name, length);
  name[length] = 0;
  snprintf(who, sizeof who, "%.300s: array '%.150s'", path, name);
  if (cli__arrays_find(arrays, name)) return cli__fail(INGOT_E_FORMAT, "%s is there twice", who);
  cli__array array = {0};
  if (wanted && !wanted(user, name)) {
    if (!(array.name = strdup(name))) return cli__no_memory();
  } else {
    CLI_TRY(load_entry(from, i, &stat, who, name, &array));
  }
  return cli__arrays_add(arrays, &array);
}

ingot_status cli__npz_load(const char *path, cli__arrays *arrays, bool (*wanted)(void *, const char *), void *user) {
  *arrays = (cli__arrays){0};
  FILE *file; /* opened once to refuse folders, pipes and what isn't there in the same words as for other files */
  uint64_t size;
  CLI_TRY(cli__open_file(path, &file, &size));
  fclose(file);
  int code;
  zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
  if (!zip) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    ingot_status status = cli__fail(code == ZIP_ER_MEMORY ? INGOT_E_MEMORY : INGOT_E_FORMAT, "%s: not a .npz file, or a damaged one: %s", path,
                                    zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
  }
  archive from = {.zip = zip, .path = path, .size = size};
  zip_int64_t entries = zip_get_num_entries(zip, 0);
  ingot_status status = INGOT_OK;
  if (entries > MAX_ENTRIES) status = cli__fail(INGOT_E_LIMIT, "%s has %lld entries; at most %d are read", path, (long long)entries, MAX_ENTRIES);
  for (zip_int64_t i = 0; i < entries && status == INGOT_OK; i++) status = load_one(&from, (zip_uint64_t)i, arrays, wanted, user);
  zip_discard(zip);
  if (status != INGOT_OK) cli__arrays_free(arrays);
  return status;
}

static ingot_status add_entry(zip_t *zip, const cli__array *array) {
  unsigned char *data;
  size_t size;
  CLI_TRY(cli__npy_bytes(array, &data, &size));
  zip_source_t *source = zip_source_buffer(zip, data, size, 1); /* frees data */
  if (!source) {
    free(data);
    return cli__no_memory();
  }
  size_t length = strlen(array->name) + 5;
  char *name = malloc(length);
  zip_int64_t index = -1;
  if (name) {
    snprintf(name, length, "%s.npy", array->name);
    index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    free(name);
  }
  if (index < 0) {
    zip_source_free(source);
    return name ? cli__fail(INGOT_E_IO, "'%s' can't be written to an archive: %s", array->name, zip_strerror(zip)) : cli__no_memory();
  }
  if (zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0)
    return cli__fail(INGOT_E_IO, "'%s' can't be written to an archive: %s", array->name, zip_strerror(zip));
  return INGOT_OK;
}

/* libzip writes to a temporary file beside the target and renames it in zip_close. */
ingot_status cli__npz_save(const char *path, const cli__arrays *arrays) {
  CLI_TRY(cli__may_replace(path));
  int code;
  zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!zip) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    ingot_status status = cli__fail(code == ZIP_ER_MEMORY ? INGOT_E_MEMORY : INGOT_E_IO, "%s: not written: %s", path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
  }
  ingot_status status = INGOT_OK;
  for (size_t i = 0; i < arrays->count && status == INGOT_OK; i++) status = add_entry(zip, &arrays->items[i]);
  if (status == INGOT_OK && zip_close(zip) != 0) status = cli__fail(INGOT_E_IO, "%s: not written: %s", path, zip_strerror(zip));
  else if (status == INGOT_OK) return status;
  zip_discard(zip);
  return status;
}
