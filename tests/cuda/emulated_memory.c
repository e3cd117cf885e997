/* Every allocation ends at the end of a page (but for what 256-byte alignment leaves), before a page that nothing may touch, and its
 * addresses are not used again until the range is used up: reading or writing past the end or after the release faults where it happens.
 * The few bytes around it that share its pages are checked. Outside of open and close no page can be touched at all, as on a GPU;
 * INGOT_EMULATED_OPEN=1 leaves them open, for debuggers. */
#include "emulated_memory.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, ALIGNMENT = 256, GUARD = 0x5a };
static const size_t RANGE = (size_t)1 << 40;
typedef struct allocation {
  unsigned char *pages, *memory; /* the pages' begin; the memory's */
  size_t length, size;           /* of the pages; of the memory */
} allocation;
static unsigned char *range, *cursor;
static allocation *list;         /* sorted by address */
static size_t count, room, used;
static int opened;

size_t emulated_memory_total(void) {
  const char *text = getenv("INGOT_EMULATED_MEMORY");
  return text && *text ? strtoull(text, NULL, 0) : (size_t)8 << 30;
}
size_t emulated_memory_used(void) { return used; }
size_t emulated_memory_count(void) { return count; }

static bool always_open(void) {
  const char *text = getenv("INGOT_EMULATED_OPEN");
  return text && *text == '1';
}
static void protect(const allocation *a, bool open) {
  if (mprotect(a->pages, a->length, open ? PROT_READ | PROT_WRITE : PROT_NONE)) fputs("emulated GPU: mprotect fails\n", stderr), abort();
}

/* The number of the first allocation that ends after the address. */
static size_t find(const void *memory) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if ((const unsigned char *)memory < list[middle].pages + list[middle].length) high = middle;
    else low = middle + 1;
  }
  return low;
}

/* Pages with one free before them and one after: from the cursor on, or from the beginning. */
static unsigned char *place(size_t length) {
  for (int round = 0; round < 2; round++, cursor = range) {
    unsigned char *at = cursor;
    for (size_t i = find(at); i < count && at + length + 2 * PAGE > list[i].pages; i++) at = list[i].pages + list[i].length;
    if (at + length + 2 * PAGE <= range + RANGE) return at + PAGE;
  }
  return NULL;
}

void *emulated_memory_take(size_t size) {
  if (!size || size > emulated_memory_total() - used || used > emulated_memory_total()) return NULL;
  if (!range) {
    range = mmap(NULL, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
      range = NULL;
      return NULL;
    }
    cursor = range;
  }
  if (count == room) {
    size_t more = room ? 2 * room : 64;
    allocation *p = realloc(list, more * sizeof *p);
    if (!p) return NULL;
    list = p, room = more;
  }
  size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, length = (padded + PAGE - 1) / PAGE * PAGE;
  unsigned char *pages = place(length);
  if (!pages) return NULL;
  allocation a = {pages, pages + length - padded, length, size};
  if (mprotect(pages, length, PROT_READ | PROT_WRITE)) return NULL;
  memset(pages, GUARD, length);
  memset(a.memory, 0xff, size); /* a NaN in every type */
  if (!opened && !always_open()) protect(&a, false);
  size_t at = find(pages);
  memmove(list + at + 1, list + at, (count - at) * sizeof *list);
  list[at] = a;
  count++;
  used += size;
  cursor = pages + length;
  return a.memory;
}

/* Whether the bytes that share the pages are as they were; the allocation is open. */
static bool check(const allocation *a, const char *before) {
  for (const unsigned char *p = a->pages; p < a->pages + a->length; p++) {
    if (p == a->memory) p += a->size;
    if (p >= a->pages + a->length) break;
    if (*p == GUARD) continue;
    fprintf(stderr, "emulated GPU: before %s: the byte %td after the begin of an allocation of %zu bytes was written to\n", before, p - a->memory,
            a->size);
    return false;
  }
  return true;
}

bool emulated_memory_give(void *memory) {
  size_t at = find(memory);
  if (at == count || list[at].memory != memory) return false;
  emulated_memory_open("a release");
  emulated_memory_close();
  allocation a = list[at];
  memmove(list + at, list + at + 1, (count - at - 1) * sizeof *list);
  count--;
  used -= a.size;
  if (madvise(a.pages, a.length, MADV_DONTNEED)) fputs("emulated GPU: madvise fails\n", stderr), abort();
  protect(&a, false);
  return true;
}

int emulated_memory_holds(const void *memory, size_t size) {
  const unsigned char *p = memory;
  if (!range || p < range || p >= range + RANGE) return -1;
  size_t at = find(memory);
  return at < count && p >= list[at].memory && size <= list[at].size && p + size <= list[at].memory + list[at].size;
}

void emulated_memory_open(const char *before) {
  if (opened++) return;
  bool whole = true;
  for (size_t i = 0; i < count; i++) {
    if (!always_open()) protect(&list[i], true);
    whole = check(&list[i], before) && whole;
  }
  if (!whole) abort();
}
void emulated_memory_close(void) {
  if (--opened || always_open()) return;
  for (size_t i = 0; i < count; i++) protect(&list[i], false);
}

const char *emulated_memory_describe(const void *memory, char *text, size_t size) {
  const unsigned char *p = memory;
  if (!range || p < range || p >= range + RANGE) return NULL;
  size_t at = find(memory);
  if (at < count && p >= list[at].memory && p < list[at].memory + list[at].size) {
    snprintf(text, size, "byte %td of an allocation of %zu bytes", p - list[at].memory, list[at].size);
  } else if (at > 0 && (at == count || (size_t)(p - list[at - 1].memory) < (size_t)(list[at].memory - p))) {
    snprintf(text, size, "%td bytes past the end of an allocation of %zu bytes", p - list[at - 1].memory - (ptrdiff_t)list[at - 1].size,
             list[at - 1].size);
  } else if (at < count) {
    snprintf(text, size, "%td bytes before an allocation of %zu bytes", list[at].memory - p, list[at].size);
  } else snprintf(text, size, "in no allocation");
  return text;
}
