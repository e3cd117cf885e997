/* A pool of threads. A run raises the epoch; workers that see it call the function and count down `pending`; the caller, who does a share
 * too, waits for zero. Both sides spin for a short while, which keeps a run's overhead well under a microsecond for networks of many small
 * layers, and then sleep on a futex. */
#define _GNU_SOURCE
#include "base/pool.h"
#include "base/cpu.h"
#include "base/log.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN_SECONDS 40e-6
#define SPIN_SECONDS_CROWDED 1e-6 /* more threads than cores: the one that is waited for may need this core */
enum { MAX_THREADS = 1024 };

typedef struct worker { ingot__pool *pool; pthread_t thread; int index; } worker;

struct ingot__pool {
  ingot__heap *heap;
  size_t bytes;
  int threads;
  double spin;
  void (*fn)(void *arg, int i, int n); /* written before the epoch is raised, read after it was seen */
  void *arg;
  bool stop;
  alignas(64) _Atomic uint32_t epoch;
  _Atomic uint32_t sleepers;           /* workers that sleep, or are about to */
  alignas(64) _Atomic uint32_t pending;
  _Atomic uint32_t caller_sleeps;
  alignas(64) worker worker[];
};

static void futex_wait(_Atomic uint32_t *word, uint32_t seen) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0); }
static void futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Waits until (*word == value) is `equal`, for `seconds` at most; false: it didn't happen. */
static bool spin(_Atomic uint32_t *word, uint32_t value, bool equal, double seconds) {
  double end = 0;
  for (;;) {
    for (int i = 0; i < 32; i++) {
      if ((atomic_load_explicit(word, memory_order_acquire) == value) == equal) return true;
      relax();
    }
    double now = ingot__now();
    if (end == 0) end = now + seconds;
    else if (now > end) return false;
  }
}

/* No wake is lost: a sleeper announces itself before the kernel compares the word, and whoever changes the word looks for sleepers after;
 * all four steps are sequentially consistent. */
static void *work(void *arg) {
  worker *self = arg;
  ingot__pool *pool = self->pool;
  for (uint32_t seen = 0;; seen++) {
    if (!spin(&pool->epoch, seen, false, pool->spin)) {
      atomic_fetch_add(&pool->sleepers, 1);
      while (atomic_load(&pool->epoch) == seen) futex_wait(&pool->epoch, seen);
      atomic_fetch_sub(&pool->sleepers, 1);
    }
    if (pool->stop) return NULL;
    pool->fn(pool->arg, self->index, pool->threads);
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps)) futex_wake(&pool->pending);
  }
}

static void raise_epoch(ingot__pool *pool) {
  atomic_fetch_add(&pool->epoch, 1);
  if (atomic_load(&pool->sleepers)) futex_wake(&pool->epoch);
}

/* Ends the first `made` workers and frees the pool. */
static void finish(ingot__pool *pool, int made) {
  pool->stop = true;
  raise_epoch(pool);
  for (int i = 0; i < made; i++) pthread_join(pool->worker[i].thread, NULL);
  ingot__free(pool->heap, pool, pool->bytes);
}

ingot_status ingot__pool_create(ingot__heap *heap, int threads, ingot__diag *diag, ingot__pool **out) {
  if (threads < 1 || threads > MAX_THREADS)
    return ingot__fail(diag, INGOT_E_ARGUMENT, NULL, "%d threads were asked for; there can be 1 to %d", threads, MAX_THREADS);
  size_t bytes = ingot__align(sizeof(ingot__pool) + (size_t)(threads - 1) * sizeof(worker), 64);
  ingot__pool *pool = ingot__calloc(heap, 1, bytes);
  if (!pool) return ingot__no_memory(diag);
  pool->heap = heap;
  pool->bytes = bytes;
  pool->threads = threads;
  pool->spin = threads > ingot__cpu_info()->cores ? SPIN_SECONDS_CROWDED : SPIN_SECONDS;
  sigset_t all, before; /* the application's signals are none of the workers' business */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int made = 0, error = 0;
  for (; made < threads - 1; made++) {
    worker *w = &pool->worker[made];
    w->pool = pool;
    w->index = made + 1;
    if ((error = pthread_create(&w->thread, NULL, work, w)) != 0) break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    finish(pool, made);
    return ingot__fail(diag, INGOT_E_DEVICE, NULL, "only %d of %d threads could be started (%s); ask for fewer", made + 1, threads, strerror(error));
  }
  *out = pool;
  return INGOT_OK;
}

void ingot__pool_destroy(ingot__pool *pool) {
  if (pool) finish(pool, pool->threads - 1);
}

int ingot__pool_threads(const ingot__pool *pool) { return pool ? pool->threads : 1; }

void ingot__pool_run(ingot__pool *pool, void (*fn)(void *arg, int i, int n), void *arg) {
  if (!pool || pool->threads == 1) {
    fn(arg, 0, 1);
    return;
  }
  pool->fn = fn;
  pool->arg = arg;
  atomic_store_explicit(&pool->pending, (uint32_t)pool->threads - 1, memory_order_relaxed);
  raise_epoch(pool);
  fn(arg, 0, pool->threads);
  if (spin(&pool->pending, 0, true, pool->spin)) return;
  atomic_store(&pool->caller_sleeps, 1);
  for (uint32_t left; (left = atomic_load(&pool->pending)) != 0;) futex_wait(&pool->pending, left);
  atomic_store_explicit(&pool->caller_sleeps, 0, memory_order_relaxed);
}
