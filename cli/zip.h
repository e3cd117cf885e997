/* Zip archives as .npz files are: entries that are stored or deflated, read one after the other; archives of stored entries, written. */
#ifndef INGOT_CLI_ZIP_H
#define INGOT_CLI_ZIP_H
#include "error.h"
#include <stdio.h>

/* What the archive's directory says of an entry. */
typedef struct cli__zip_entry {
  const char *name;          /* zero-terminated, the archive's */
  uint64_t packed, size;     /* bytes in the archive; bytes unpacked */
  uint64_t offset;           /* of its header */
  uint32_t crc;
  uint16_t method;           /* 0: stored, 8: deflated */
  bool encrypted;
} cli__zip_entry;

typedef struct cli__zip {
  FILE *file;
  const char *path;
  uint64_t size;             /* of the file */
  unsigned char *directory;
  cli__zip_entry *entry;
  size_t count;
} cli__zip;

/* Opens an archive and reads its directory, of at most `most` entries. */
ingot_status cli__zip_open(const char *path, size_t most, cli__zip *zip);
void cli__zip_close(cli__zip *zip);

/* An entry that is being read. One at a time in an archive. */
typedef struct cli__zip_reader cli__zip_reader;
/* `who` names the entry in messages and must live as long as the reader. */
ingot_status cli__zip_start(cli__zip *zip, const cli__zip_entry *entry, const char *who, cli__zip_reader **reader);
/* Up to `size` bytes; *got is less at the entry's end alone, where sizes and checksum have been compared. */
ingot_status cli__zip_read(cli__zip_reader *reader, void *to, size_t size, size_t *got);
void cli__zip_end(cli__zip_reader *reader);

/* An archive in memory, of stored entries; malloc's. */
typedef struct cli__zip_part { const char *name; const unsigned char *data; size_t size; } cli__zip_part;
ingot_status cli__zip_make(const cli__zip_part *part, size_t n, unsigned char **data, size_t *size);
#endif
