/* .npz: a zip archive of .npy entries. */
#include "file.h"
#include "npy.h"
#include "zip.h"
#include <stdlib.h>
#include <string.h>

/* More than BOMB_BYTES in all may only come out of an archive when that is at most BOMB_RATIO times the archive's own size. */
enum { MAX_ENTRIES = 65536, BOMB_RATIO = 200 };
static const uint64_t BOMB_BYTES = (uint64_t)1 << 28;

typedef struct archive {
  cli__zip zip;
  uint64_t unpacked; /* bytes of the entries read so far */
} archive;

static ingot_status read_entry(cli__source *source, void *to, size_t size) {
  size_t got;
  CLI_TRY(cli__zip_read(source->handle, to, size, &got));
  if (got < size) return cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off", source->who);
  source->size -= size;
  return INGOT_OK;
}

/* The rest of an entry, so that its checksum is compared. */
static ingot_status finish_entry(cli__source *source) {
  char rest[4096];
  size_t got = sizeof rest;
  while (got == sizeof rest) CLI_TRY(cli__zip_read(source->handle, rest, sizeof rest, &got));
  return INGOT_OK;
}

static ingot_status load_entry(archive *from, const cli__zip_entry *entry, const char *who, const char *name, cli__array *array) {
  if (entry->packed > from->zip.size) return cli__fail(INGOT_E_FORMAT, "%s: cut off, or damaged", who);
  if (__builtin_add_overflow(from->unpacked, entry->size, &from->unpacked) ||
      (from->unpacked > BOMB_BYTES && from->unpacked / BOMB_RATIO > from->zip.size))
    return cli__fail(INGOT_E_LIMIT, "%s: %llu bytes out of an archive of %llu; refused as a compression bomb (store it uncompressed if it is "
        "meant)",
                     who, (unsigned long long)entry->size, (unsigned long long)from->zip.size);
  cli__zip_reader *reader;
  CLI_TRY(cli__zip_start(&from->zip, entry, who, &reader));
  cli__source source = {.who = who, .size = entry->size, .read = read_entry, .handle = reader};
  ingot_status status = cli__npy_read(&source, name, array);
  if (status == INGOT_OK && (status = finish_entry(&source)) != INGOT_OK) cli__array_free(array);
  cli__zip_end(reader);
  return status;
}

static ingot_status load_one(archive *from, const cli__zip_entry *entry, cli__arrays *arrays, bool (*wanted)(void *, const char *), void *user) {
  const char *path = from->zip.path;
  char who[512], name[4096];
  size_t length = strlen(entry->name);
  if (length > 4 && strcmp(entry->name + length - 4, ".npy") == 0) length -= 4;
  if (length == 0 || length >= sizeof name) return cli__fail(INGOT_E_FORMAT, "%s: an entry's name is empty or too long", path);
  memcpy(name, entry->name, length);
  name[length] = 0;
  snprintf(who, sizeof who, "%.300s: array '%.150s'", path, name);
  if (cli__arrays_find(arrays, name)) return cli__fail(INGOT_E_FORMAT, "%s is there twice", who);
  cli__array array = {0};
  if (wanted && !wanted(user, name)) {
    if (!(array.name = strdup(name))) return cli__no_memory();
  } else {
    CLI_TRY(load_entry(from, entry, who, name, &array));
  }
  return cli__arrays_add(arrays, &array);
}

ingot_status cli__npz_load(const char *path, cli__arrays *arrays, bool (*wanted)(void *, const char *), void *user) {
  *arrays = (cli__arrays){0};
  archive from = {0};
  CLI_TRY(cli__zip_open(path, MAX_ENTRIES, &from.zip));
  ingot_status status = INGOT_OK;
  for (size_t i = 0; i < from.zip.count && status == INGOT_OK; i++) status = load_one(&from, &from.zip.entry[i], arrays, wanted, user);
  cli__zip_close(&from.zip);
  if (status != INGOT_OK) cli__arrays_free(arrays);
  return status;
}

/* The archive is made in memory and then written like any other file, so that a full disk leaves nothing behind. */
ingot_status cli__npz_save(const char *path, const cli__arrays *arrays) {
  cli__zip_part *part = calloc(arrays->count + 1, sizeof *part);
  unsigned char **parts = calloc(arrays->count + 1, sizeof *parts), *data = NULL;
  char **names = calloc(arrays->count + 1, sizeof *names);
  size_t size = 0;
  ingot_status status = part && parts && names ? INGOT_OK : cli__no_memory();
  for (size_t i = 0; i < arrays->count && status == INGOT_OK; i++) {
    size_t length = strlen(arrays->items[i].name) + 5;
    status = cli__npy_bytes(&arrays->items[i], &parts[i], &part[i].size);
    if (status == INGOT_OK && !(names[i] = malloc(length))) status = cli__no_memory();
    if (status != INGOT_OK) break;
    snprintf(names[i], length, "%s.npy", arrays->items[i].name);
    part[i].name = names[i], part[i].data = parts[i];
  }
  if (status == INGOT_OK) status = cli__zip_make(part, arrays->count, &data, &size);
  if (status == INGOT_OK) status = cli__write_file(path, data, size);
  for (size_t i = 0; i < arrays->count; i++) {
    if (parts) free(parts[i]);
    if (names) free(names[i]);
  }
  free(part), free(parts), free(names), free(data);
  return status;
}
