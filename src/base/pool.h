/* A pool of threads for one context: a static split of work and a short spinning barrier, then sleep. */
#ifndef INGOT_BASE_POOL_H
#define INGOT_BASE_POOL_H
#include "base/mem.h"

typedef struct ingot__pool ingot__pool;
/* `threads` includes the caller's; 1 makes a pool without threads. INGOT_E_MEMORY or INGOT_E_DEVICE when threads can't be made. */
ingot_status ingot__pool_create(ingot__heap *heap, int threads, ingot__diag *diag, ingot__pool **pool);
void ingot__pool_destroy(ingot__pool *pool);
int ingot__pool_threads(const ingot__pool *pool); /* 1 for NULL */
/* Calls fn(arg, i, n) for i in 0..n-1, n = the pool's threads, one call a thread, the caller doing i = 0; returns when all are done.
 * A NULL pool calls fn(arg, 0, 1). Not reentrant. */
void ingot__pool_run(ingot__pool *pool, void (*fn)(void *arg, int i, int n), void *arg);
/* Thread i's share [*begin, *end) of `total` items, in multiples of `grain` but the last. */
static inline void ingot__share(size_t total, size_t grain, int i, int n, size_t *begin, size_t *end) {
  size_t units = (total + grain - 1) / grain, b = units * (size_t)i / (size_t)n * grain, e = units * (size_t)(i + 1) / (size_t)n * grain;
  *begin = b < total ? b : total;
  *end = e < total ? e : total;
}
#endif
