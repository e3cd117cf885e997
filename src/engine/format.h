/* The engine file, version 3. All numbers little-endian.
 *
 *   head    64 bytes: magic "INGOTENG", u32 version, u32 0, u64 file size, u64 size of the description, u64 offset of the blobs (a multiple
 *           of 64), u64 xxh3 of the description, u64 xxh3 of the blobs, u64 xxh3 of the head's first 56 bytes
 *   description: what engine.h holds but for blobs: see write.c, which read.c mirrors. Strings are u32 length and bytes; values are named
 *           by their index in the file; operators, attributes and kernels by their names
 *   blobs   constants and packed weights, each at a multiple of 64 bytes */
#ifndef INGOT_ENGINE_FORMAT_H
#define INGOT_ENGINE_FORMAT_H
#include <stdint.h>
#define INGOT__ENGINE_MAGIC "INGOTENG"
enum { INGOT__ENGINE_VERSION = 3, INGOT__ENGINE_ALIGN = 64, INGOT__ENGINE_NONE = -1, INGOT__PLACE_ON_DEVICE = 0x80 };
typedef struct ingot__engine_head {
  char magic[8];
  uint32_t version, zero;
  uint64_t file_size, description_size, blobs_offset, description_hash, blobs_hash, head_hash;
} ingot__engine_head;
_Static_assert(sizeof(ingot__engine_head) == 64, "the head is 64 bytes");
#endif
