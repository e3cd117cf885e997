/* Zip archives: PKWARE's APPNOTE 6.3, as far as .npz files need it, with its 64-bit sizes; zlib does the unpacking. Everything that a file
 * says of itself is compared with its size before it is believed. */
#include "zip.h"
#include "file.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
  LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50, /* signatures */
  LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, END64_SIZE = 56, LOCATOR64_SIZE = 20, EXTRA64_SIZE = 20, LONGEST_COMMENT = 65535,
  STORED = 0, DEFLATED = 8, NEEDS_64 = 45
};
static const uint32_t SEE_64 = 0xffffffffu; /* in a 32-bit field: the number is in the 64-bit extra field */

static uint64_t get(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
  return v;
}

static unsigned char *put(unsigned char *p, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++, v >>= 8) *p++ = (unsigned char)v;
  return p;
}

static ingot_status damaged(const char *path) { return cli__fail(INGOT_E_FORMAT, "%s: not a .npz file, or a damaged one", path); }

static bool read_at(FILE *file, uint64_t offset, void *to, size_t size) {
  return fseeko(file, (off_t)offset, SEEK_SET) == 0 && fread(to, 1, size, file) == size;
}

/* ---- The directory */

/* The numbers that didn't fit are in the extra field 1, in this order. */
static bool wide_fields(cli__zip_entry *e, const unsigned char *extra, size_t n) {
  uint64_t *field[] = {&e->size, &e->packed, &e->offset};
  bool any = false;
  for (int i = 0; i < 3; i++) any |= *field[i] == SEE_64;
  while (any && n >= 4) {
    size_t id = get(extra, 2), length = get(extra + 2, 2);
    extra += 4, n -= 4;
    if (length > n) return false;
    for (int i = 0; id == 1 && i < 3; i++) {
      if (*field[i] != SEE_64) continue;
      if (length < 8) return false;
      *field[i] = get(extra, 8);
      extra += 8, n -= 8, length -= 8;
    }
    if (id == 1) return true;
    extra += length, n -= length;
  }
  return !any;
}

static bool read_directory(cli__zip *zip, size_t directory_size) {
  unsigned char *p = zip->directory, *end = p + directory_size;
  for (size_t i = 0; i < zip->count; i++) {
    if ((size_t)(end - p) < CENTRAL_SIZE || get(p, 4) != CENTRAL) return false;
    size_t name = get(p + 28, 2), extra = get(p + 30, 2), comment = get(p + 32, 2);
    if ((size_t)(end - p) - CENTRAL_SIZE < name + extra + comment) return false;
    cli__zip_entry *e = &zip->entry[i];
    *e = (cli__zip_entry){.method = (uint16_t)get(p + 10, 2), .encrypted = get(p + 8, 2) & 1, .crc = (uint32_t)get(p + 16, 4),
                          .packed = get(p + 20, 4), .size = get(p + 24, 4), .offset = get(p + 42, 4)};
    if (!wide_fields(e, p + CENTRAL_SIZE + name, extra)) return false;
    memmove(p, p + CENTRAL_SIZE, name); /* where there is room for the zero */
    p[name] = 0;
    if (strlen((char *)p) != name) return false;
    e->name = (char *)p;
    p += CENTRAL_SIZE + name + extra + comment;
  }
  return true;
}

/* Where the directory is: told at the file's end, before a comment, and where that has too few bits in a record before it. */
static bool find_directory(cli__zip *zip, uint64_t *offset, uint64_t *size, uint64_t *count) {
  size_t tail = zip->size < END_SIZE + LONGEST_COMMENT ? (size_t)zip->size : END_SIZE + LONGEST_COMMENT;
  uint64_t start = zip->size - tail, at = 0;
  unsigned char *bytes = malloc(tail + 1), record[END64_SIZE];
  bool found = false;
  if (bytes && read_at(zip->file, start, bytes, tail)) {
    for (size_t i = tail >= END_SIZE ? tail - END_SIZE + 1 : 0; i-- > 0 && !found;) {
      found = get(bytes + i, 4) == END && i + END_SIZE + get(bytes + i + 20, 2) == tail;
      if (!found) continue;
      *count = get(bytes + i + 10, 2), *size = get(bytes + i + 12, 4), *offset = get(bytes + i + 16, 4);
      at = start + i;
    }
  }
  free(bytes);
  if (!found) return false;
  if (*count != 0xffff && *size != SEE_64 && *offset != SEE_64) return true;
  if (at < LOCATOR64_SIZE || !read_at(zip->file, at - LOCATOR64_SIZE, record, LOCATOR64_SIZE)) return false;
  if (get(record, 4) != LOCATOR64) return true; /* really so many entries */
  uint64_t where = get(record + 8, 8);
  if (where > zip->size || !read_at(zip->file, where, record, END64_SIZE) || get(record, 4) != END64) return false;
  *count = get(record + 32, 8), *size = get(record + 40, 8), *offset = get(record + 48, 8);
  return true;
}

ingot_status cli__zip_open(const char *path, size_t most, cli__zip *zip) {
  *zip = (cli__zip){.path = path};
  CLI_TRY(cli__open_file(path, &zip->file, &zip->size));
  uint64_t offset, size, count;
  ingot_status status = INGOT_OK;
  if (!find_directory(zip, &offset, &size, &count) || size > zip->size || offset > zip->size - size || count > size / CENTRAL_SIZE) {
    status = damaged(path);
  } else if (count > most) {
    status = cli__fail(INGOT_E_LIMIT, "%s has %llu entries; at most %zu are read", path, (unsigned long long)count, most);
  } else {
    zip->count = (size_t)count;
    zip->directory = malloc((size_t)size + 1);
    zip->entry = calloc(zip->count + 1, sizeof *zip->entry);
    if (!zip->directory || !zip->entry) status = cli__no_memory();
    else if (!read_at(zip->file, offset, zip->directory, (size_t)size) || !read_directory(zip, (size_t)size)) status = damaged(path);
  }
  if (status != INGOT_OK) cli__zip_close(zip);
  return status;
}

void cli__zip_close(cli__zip *zip) {
  if (zip->file) fclose(zip->file);
  free(zip->directory);
  free(zip->entry);
  *zip = (cli__zip){0};
}

/* ---- Entries */

struct cli__zip_reader {
  FILE *file;
  const cli__zip_entry *entry;
  const char *who;
  uint64_t packed_left, left;
  uint32_t crc;
  z_stream stream;
  unsigned char in[65536];
};

ingot_status cli__zip_start(cli__zip *zip, const cli__zip_entry *entry, const char *who, cli__zip_reader **out) {
  unsigned char header[LOCAL_SIZE];
  if (entry->encrypted) return cli__fail(INGOT_E_UNSUPPORTED, "%s: encrypted", who);
  if (entry->method != STORED && entry->method != DEFLATED)
    return cli__fail(INGOT_E_UNSUPPORTED, "%s: compressed by method %d; stored and deflated entries can be read", who, entry->method);
  if (entry->offset > zip->size || !read_at(zip->file, entry->offset, header, sizeof header) || get(header, 4) != LOCAL)
    return cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off", who);
  uint64_t start = entry->offset + LOCAL_SIZE + get(header + 26, 2) + get(header + 28, 2);
  if (start > zip->size || entry->packed > zip->size - start || (entry->method == STORED && entry->packed != entry->size) ||
      fseeko(zip->file, (off_t)start, SEEK_SET) != 0)
    return cli__fail(INGOT_E_FORMAT, "%s: cut off, or damaged", who);
  cli__zip_reader *r = calloc(1, sizeof *r);
  if (!r || (entry->method == DEFLATED && inflateInit2(&r->stream, -MAX_WBITS) != Z_OK)) {
    free(r);
    return cli__no_memory();
  }
  r->file = zip->file, r->entry = entry, r->who = who, r->packed_left = entry->packed, r->left = entry->size;
  r->crc = (uint32_t)crc32(0, NULL, 0);
  *out = r;
  return INGOT_OK;
}

/* The next bytes of a deflated entry, at least one; false: damaged. */
static bool inflate_some(cli__zip_reader *r, unsigned char *to, size_t size, size_t *got) {
  r->stream.next_out = to;
  r->stream.avail_out = size < (1u << 30) ? (uInt)size : 1u << 30;
  size_t room = r->stream.avail_out;
  while (r->stream.avail_out == room) {
    if (r->stream.avail_in == 0 && r->packed_left) {
      size_t n = r->packed_left < sizeof r->in ? (size_t)r->packed_left : sizeof r->in;
      if (fread(r->in, 1, n, r->file) != n) return false;
      r->stream.next_in = r->in, r->stream.avail_in = (uInt)n, r->packed_left -= n;
    }
    int result = inflate(&r->stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) break;
    if (result != Z_OK) return false;
  }
  return (*got = room - r->stream.avail_out) > 0;
}

ingot_status cli__zip_read(cli__zip_reader *r, void *to, size_t size, size_t *got) {
  unsigned char *at = to;
  *got = 0;
  if (size > r->left) size = (size_t)r->left;
  while (*got < size) {
    size_t want = size - *got, n = 0;
    if (r->entry->method == STORED) n = fread(at, 1, want, r->file);
    else if (!inflate_some(r, at, want, &n)) n = 0;
    if (n == 0) return cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off", r->who);
    for (size_t done = 0; done < n;) { /* in pieces that fit zlib's numbers */
      uInt piece = n - done < (1u << 30) ? (uInt)(n - done) : 1u << 30;
      r->crc = (uint32_t)crc32(r->crc, at + done, piece);
      done += piece;
    }
    at += n, *got += n, r->left -= n;
  }
  if (r->left == 0 && r->crc != r->entry->crc) return cli__fail(INGOT_E_FORMAT, "%s: damaged: its checksum is wrong", r->who);
  return INGOT_OK;
}

void cli__zip_end(cli__zip_reader *r) {
  if (r->entry->method == DEFLATED) inflateEnd(&r->stream);
  free(r);
}

/* ---- Making. The time of entries is zip's first, so that the same arrays give the same bytes. */

static unsigned char *entry_fields(unsigned char *p, const cli__zip_part *part, size_t name, uint32_t crc, bool wide, size_t extra) {
  p = put(p, wide ? NEEDS_64 : 20, 2);
  p = put(p, 1u << 11, 2); /* names are UTF-8 */
  p = put(p, STORED, 2);
  p = put(p, 0, 2);        /* midnight of */
  p = put(p, 1 << 5 | 1, 2); /* 1980-01-01 */
  p = put(p, crc, 4);
  p = put(p, wide ? SEE_64 : part->size, 4);
  p = put(p, wide ? SEE_64 : part->size, 4);
  p = put(p, name, 2);
  return put(p, extra, 2);
}

static unsigned char *extra_field(unsigned char *p, const cli__zip_part *part, uint64_t offset, bool central) {
  p = put(p, 1, 2);
  p = put(p, central ? 24 : 16, 2);
  p = put(p, part->size, 8);
  p = put(p, part->size, 8);
  return central ? put(p, offset, 8) : p;
}

ingot_status cli__zip_make(const cli__zip_part *part, size_t n, unsigned char **data, size_t *size) {
  size_t total = END_SIZE + END64_SIZE + LOCATOR64_SIZE;
  for (size_t i = 0; i < n; i++) {
    size_t name = strlen(part[i].name);
    if (name > 0xffff) return cli__fail(INGOT_E_LIMIT, "'%.60s...': the name is too long for an archive", part[i].name);
    if (__builtin_add_overflow(total, part[i].size + LOCAL_SIZE + CENTRAL_SIZE + 2 * (EXTRA64_SIZE + 8 + name), &total)) return cli__no_memory();
  }
  unsigned char *bytes = malloc(total), *p = bytes;
  uint64_t *offset = calloc(n + 1, sizeof *offset);
  uint32_t *crc = calloc(n + 1, sizeof *crc);
  if (!bytes || !offset || !crc) {
    free(bytes), free(offset), free(crc);
    return cli__no_memory();
  }
  for (size_t i = 0; i < n; i++) {
    size_t name = strlen(part[i].name);
    bool wide = part[i].size >= SEE_64;
    offset[i] = (uint64_t)(p - bytes);
    for (size_t done = 0; done < part[i].size;) {
      uInt piece = part[i].size - done < (1u << 30) ? (uInt)(part[i].size - done) : 1u << 30;
      crc[i] = (uint32_t)crc32(crc[i], part[i].data + done, piece);
      done += piece;
    }
    p = put(p, LOCAL, 4);
    p = entry_fields(p, &part[i], name, crc[i], wide, wide ? EXTRA64_SIZE : 0);
    memcpy(p, part[i].name, name);
    p += name;
    if (wide) p = extra_field(p, &part[i], 0, false);
    if (part[i].size) memcpy(p, part[i].data, part[i].size);
    p += part[i].size;
  }
  uint64_t start = (uint64_t)(p - bytes);
  for (size_t i = 0; i < n; i++) {
    size_t name = strlen(part[i].name);
    bool wide = part[i].size >= SEE_64 || offset[i] >= SEE_64;
    p = put(p, CENTRAL, 4);
    p = put(p, wide ? NEEDS_64 : 20, 2); /* made by */
    p = entry_fields(p, &part[i], name, crc[i], wide, wide ? EXTRA64_SIZE + 8 : 0);
    p = put(p, 0, 2 + 2 + 2); /* no comment, first disk, attributes inside */
    p = put(p, 0, 4);         /* and outside */
    p = put(p, wide ? SEE_64 : offset[i], 4);
    memcpy(p, part[i].name, name);
    p += name;
    if (wide) p = extra_field(p, &part[i], offset[i], true);
  }
  uint64_t length = (uint64_t)(p - bytes) - start, end = (uint64_t)(p - bytes);
  if (n >= 0xffff || start >= SEE_64 || length >= SEE_64) {
    p = put(p, END64, 4);
    p = put(p, END64_SIZE - 12, 8);
    p = put(put(p, NEEDS_64, 2), NEEDS_64, 2);
    p = put(p, 0, 8); /* disks */
    p = put(put(p, n, 8), n, 8);
    p = put(put(p, length, 8), start, 8);
    p = put(put(p, LOCATOR64, 4), 0, 4);
    p = put(put(p, end, 8), 1, 4);
  }
  p = put(put(p, END, 4), 0, 4);
  p = put(put(p, n < 0xffff ? n : 0xffff, 2), n < 0xffff ? n : 0xffff, 2);
  p = put(p, length < SEE_64 ? length : SEE_64, 4);
  p = put(p, start < SEE_64 ? start : SEE_64, 4);
  p = put(p, 0, 2);
  free(offset), free(crc);
  *data = bytes;
  *size = (size_t)(p - bytes);
  return INGOT_OK;
}
