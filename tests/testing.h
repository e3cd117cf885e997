/* What the tests share: an allocator that fails on demand and finds leaks, temporary files, loops over instruction sets. Included after
 * nothing else is needed: it brings cmocka. */
#ifndef INGOT_TESTING_H
#define INGOT_TESTING_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/cpu.h"
#include "base/mem.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Counts allocations and live bytes; the fail_at-th allocation (from 1; 0: none) and, with `from_then_on`, all after it return NULL. */
typedef struct testing_allocator {
  ingot_allocator allocator; /* pass &a.allocator in an ingot_env */
  size_t fail_at;
  bool from_then_on;
  _Atomic size_t count, live, bytes;
} testing_allocator;

static inline void *testing_alloc(void *user, size_t size, size_t align) {
  testing_allocator *a = user;
  size_t n = atomic_fetch_add(&a->count, 1) + 1;
  if (a->fail_at && (n == a->fail_at || (a->from_then_on && n > a->fail_at))) return NULL;
  void *p = aligned_alloc(align, (size + align - 1) / align * align);
  if (p) {
    memset(p, 0xa5, size); /* nothing may count on cleared memory */
    atomic_fetch_add(&a->live, 1);
    atomic_fetch_add(&a->bytes, size);
  }
  return p;
}
static inline void testing_free(void *user, void *p, size_t size) {
  testing_allocator *a = user;
  memset(p, 0x5a, size); /* wrong sizes show under AddressSanitizer */
  atomic_fetch_sub(&a->live, 1);
  atomic_fetch_sub(&a->bytes, size);
  free(p);
}
static inline void testing_allocator_init(testing_allocator *a) {
  memset(a, 0, sizeof *a);
  a->allocator = (ingot_allocator){testing_alloc, testing_free, a};
}

/* Runs fn(env, user) with the 1st, 2nd, ... allocation failing, until it needs no more; fn returns the status of what it tried. Every
 * failed try must return INGOT_E_MEMORY, the last one INGOT_OK, and none may leak. A try that recovers from a failed allocation by itself
 * may return INGOT_OK as well. `max` bounds the tries: 0 tries all of them; else about `max` of them, spread evenly. Returns how many
 * allocations the whole needs. */
static inline size_t testing_fail_each(ingot_status (*fn)(const ingot_env *env, void *user), void *user, size_t max) {
  testing_allocator a;
  testing_allocator_init(&a);
  ingot_env env = {.allocator = &a.allocator};
  assert_int_equal(fn(&env, user), INGOT_OK);
  assert_int_equal(a.live, 0);
  assert_int_equal(a.bytes, 0);
  size_t all = a.count, step = max && all > max ? all / max : 1;
  for (size_t i = 1; i <= all; i += step)
    for (int then_on = 0; then_on < 2; then_on++) {
      testing_allocator_init(&a);
      a.fail_at = i;
      a.from_then_on = then_on;
      ingot_status status = fn(&env, user);
      if (status != INGOT_E_MEMORY && status != INGOT_OK)
        fail_msg("allocation %zu of %zu failed: status %d (%s), last error: %s", i, all, (int)status, ingot_status_text(status), ingot_last_error());
      if (a.live || a.bytes) fail_msg("allocation %zu of %zu failed: %zu blocks, %zu bytes leaked", i, all, (size_t)a.live, (size_t)a.bytes);
    }
  return all;
}

/* A file of its own with these bytes; free it with testing_file_remove. The path lives until the next call. */
static inline const char *testing_file(const void *data, size_t size) {
  static char path[256];
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/ingot_test_XXXXXX", folder && *folder ? folder : "/tmp");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  for (size_t done = 0; done < size;) {
    ssize_t n = write(fd, (const char *)data + done, size - done);
    assert_true(n > 0);
    done += (size_t)n;
  }
  close(fd);
  return path;
}
static inline void testing_file_remove(const char *path) { unlink(path); }

/* for (TESTING_EACH_ISA(isa)) { ... }: every level that this CPU has, the best last, and the best again after the loop. */
#define TESTING_EACH_ISA(isa) \
  int testing_best_ = (int)ingot__cpu_info()->isa, isa = (ingot__cpu_force((ingot__isa)0), 0); isa <= testing_best_; \
  isa++, ingot__cpu_force((ingot__isa)(isa <= testing_best_ ? isa : testing_best_))

/* |a - b| <= absolute + relative * |b|, or both NaN, or equal infinities. */
static inline bool testing_close(double a, double b, double relative, double absolute) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
  if (isinf(a) || isinf(b)) return a == b;
  return fabs(a - b) <= absolute + relative * fabs(b);
}

/* The same numbers on every machine: uniform in [0, 1). The state must not be 0. */
static inline double testing_random(uint64_t *state) {
  *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
  return (double)(*state >> 11) * 0x1p-53;
}
#endif
