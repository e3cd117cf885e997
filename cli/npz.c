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

/* The error of a call of libzip's: lack of memory is told apart from `otherwise`. */
static ingot_status failed(ingot_status otherwise, zip_error_t *error, const char *who, const char *what) {
  if (zip_error_code_zip(error) == ZIP_ER_MEMORY) return cli__no_memory();
  return cli__fail(otherwise, "%s: %s%s", who, what, zip_error_strerror(error));
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
  if (!file) return failed(INGOT_E_FORMAT, zip_get_error(from->zip), who, "");
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
    ingot_status status = failed(INGOT_E_FORMAT, &error, path, "not a .npz file, or a damaged one: ");
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

/* ---- Writing: the archive is made in memory and then written like any other file, so that a full disk leaves nothing behind. */

static ingot_status add_entry(zip_t *zip, const cli__array *array, const void *data, size_t size) {
  size_t length = strlen(array->name) + 5;
  char *name = malloc(length);
  zip_source_t *source = name ? zip_source_buffer(zip, data, size, 0) : NULL;
  zip_int64_t index = -1;
  if (source) {
    snprintf(name, length, "%s.npy", array->name);
    index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(source);
  }
  free(name);
  if (index >= 0 && zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0) return INGOT_OK;
  return source ? failed(INGOT_E_IO, zip_get_error(zip), array->name, "can't be put into an archive: ") : cli__no_memory();
}

/* Takes the bytes of the finished archive out of `source`. */
static ingot_status take_bytes(zip_source_t *source, unsigned char **data, size_t *size) {
  zip_stat_t stat;
  if (zip_source_stat(source, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) || !(*data = malloc(stat.size + 1))) return cli__no_memory();
  *size = stat.size;
  if (zip_source_open(source) != 0) return cli__no_memory();
  zip_int64_t got = zip_source_read(source, *data, stat.size);
  zip_source_close(source);
  return got == (zip_int64_t)stat.size ? INGOT_OK : cli__no_memory();
}

static ingot_status make_archive(zip_source_t *target, const cli__arrays *arrays, unsigned char **parts) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_keep(target); /* the archive frees one hold of it when it is closed */
  zip_t *zip = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  zip_error_fini(&error);
  if (!zip) {
    zip_source_free(target);
    return cli__no_memory();
  }
  ingot_status status = INGOT_OK;
  for (size_t i = 0; i < arrays->count && status == INGOT_OK; i++) {
    size_t size;
    status = cli__npy_bytes(&arrays->items[i], &parts[i], &size);
    if (status == INGOT_OK) status = add_entry(zip, &arrays->items[i], parts[i], size);
  }
  if (status == INGOT_OK && zip_close(zip) != 0) status = failed(INGOT_E_IO, zip_get_error(zip), "archive", "not made: ");
  else if (status == INGOT_OK) return status;
  zip_discard(zip);
  return status;
}

ingot_status cli__npz_save(const char *path, const cli__arrays *arrays) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
  zip_error_fini(&error);
  unsigned char **parts = calloc(arrays->count + 1, sizeof *parts), *data = NULL; /* must outlive the archive's closing */
  size_t size = 0;
  ingot_status status = target && parts ? make_archive(target, arrays, parts) : cli__no_memory();
  for (size_t i = 0; i < arrays->count && parts; i++) free(parts[i]);
  free(parts);
  if (status == INGOT_OK) status = take_bytes(target, &data, &size);
  if (target) zip_source_free(target);
  if (status == INGOT_OK) status = cli__write_file(path, data, size);
  free(data);
  return status;
}
