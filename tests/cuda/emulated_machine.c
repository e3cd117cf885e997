/* The emulated GPU's multiprocessor: runs a launch's blocks, one cluster after another, their threads as fibers that take turns at
 * barriers and at what a warp does together. Nothing here is for several CPU threads: the driver lets in one launch at a time. */
#include "emulated_machine.h"
#include "emulated_fiber.h"
#include "emulated_tensor.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { NOTHING, SHUFFLE, BALLOT, WARP_BARRIER, WARP_SHARE, GROUP_SHARE, BARRIER, CLUSTER } operation;
static const char *const operation_names[] = {"nothing",         "a shuffle",           "a vote",    "__syncwarp",
                                              "warp's exchange", "a group's exchange", "a barrier", "a cluster's barrier"};

typedef struct fiber {
  emulated_thread self;      /* first: the kernel's emulated_self points here */
  void *context;             /* NULL: not begun */
  unsigned char *stack;
  struct warp *warp;
  operation waits;           /* for what, or what it did last */
  unsigned mask, source, id; /* of a warp's operation; of a shuffle; the barrier's */
  uint64_t value;            /* what it gives, then what it gets */
  const void *mine;
  size_t size;
  const void *shared;        /* what an exchange gave */
  bool arrived;              /* at the cluster's barrier, and `phase` of it is not over */
  unsigned phase;
} fiber;

typedef struct exchange { unsigned char *bytes[2]; size_t room[2]; int turn; } exchange;
typedef struct warp {
  uint32_t ready, alive;     /* lanes that can go on; that haven't ended */
  uint32_t arrived;          /* wait in an operation of the warp's */
  uint32_t grouped, clustered; /* wait in a group's exchange, at the cluster's barrier */
  fiber *lane;
  struct block *block;
  exchange exchange;
} warp;
enum { BARRIERS = 16, WARPS = 32 };
typedef struct barrier { unsigned expected, arrived; uint32_t waiting[WARPS]; } barrier;
typedef struct block {
  barrier barriers[BARRIERS];
  exchange exchanges[WARPS / 4]; /* of warpgroups */
  unsigned alive, warps;
  bool waited;               /* grid_wait() was called */
  warp *warp;
} block;

static struct {
  const emulated_launch *launch;
  fiber *fibers, *current;
  warp *warps;
  block *blocks;
  unsigned char *shared;
  size_t shared_stride;      /* from one block's shared memory to the next's */
  size_t fibers_room, warps_room, blocks_room, shared_room;
  unsigned threads, warps_count, cluster; /* of a block; of a cluster; blocks of a cluster */
  unsigned alive, arrived, phase; /* the cluster's threads; those at its barrier; how often it was passed */
  bool backwards;            /* the last block, warp and lane first */
  unsigned long long spins;  /* yields since anything else happened */
  void *host;                /* the context of emulated_run's caller */
} m;

/* ---- Messages. */
static void say_where(FILE *to) {
  const fiber *f = m.current;
  fprintf(to, "emulated GPU: kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", m.launch->name, f->self.block.x, f->self.block.y,
          f->self.block.z, f->self.thread.x, f->self.thread.y, f->self.thread.z);
}
static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (m.launch && m.current) say_where(stderr);
  else fputs("emulated GPU: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
  abort();
}
static void fail_with(const char *what) { fail("%s", what); }
bool emulated_where(char *text, size_t size) {
  if (!m.launch || !m.current) return false;
  FILE *to = fmemopen(text, size, "w");
  if (!to) return false;
  say_where(to);
  fclose(to);
  return true;
}
static void __attribute__((noreturn)) deadlock(const char *why) {
  fflush(stdout);
  say_where(stderr);
  fprintf(stderr, "deadlock: %s\n", why);
  for (unsigned i = 0, said = 0; i < m.warps_count && said < 40; i++) {
    const warp *w = &m.warps[i];
    for (uint32_t left = w->alive; left && said < 40; said++) { /* lanes that wait for the same thing are one line */
      const fiber *f = &w->lane[__builtin_ctz(left)];
      bool ready = w->ready >> f->self.lane & 1;
      uint32_t same = 0;
      for (uint32_t rest = left; rest; rest &= rest - 1) {
        const fiber *g = &w->lane[__builtin_ctz(rest)];
        bool same_state = ready == (bool)(w->ready >> g->self.lane & 1);
        if (same_state && (ready || (g->waits == f->waits && g->id == f->id && g->mask == f->mask))) same |= 1u << g->self.lane;
      }
      left &= ~same;
      fprintf(stderr, "  block %u of the cluster, warp %u, lanes %08x: ", f->self.rank, (unsigned)(w - w->block->warp), same);
      if (ready) fputs("run, and wait for something in memory\n", stderr);
      else if (f->waits == BARRIER) {
        const barrier *b = &w->block->barriers[f->id];
        fprintf(stderr, "wait at barrier %u, where %u of %u are\n", f->id, b->arrived, b->expected ? b->expected : w->block->alive);
      } else if (f->waits == SHUFFLE || f->waits == BALLOT || f->waits == WARP_BARRIER) {
        fprintf(stderr, "wait in %s with mask %08x\n", operation_names[f->waits], f->mask);
      } else fprintf(stderr, "wait in %s\n", operation_names[f->waits]);
    }
  }
  abort();
}

/* ---- Turns. */
static void work(void);
/* The next ready thread from this one on, around all warps; its own warp's first, when it can't go on itself. */
static fiber *next_after(unsigned at, unsigned lane, bool own_first) {
  warp *w = &m.warps[at];
  uint32_t later = w->ready & ~((2u << lane) - 1);
  if (later) return &w->lane[__builtin_ctz(later)];
  if (own_first && w->ready) return &w->lane[__builtin_ctz(w->ready)];
  for (unsigned i = at + 1; i < m.warps_count; i++)
    if (m.warps[i].ready) return &m.warps[i].lane[__builtin_ctz(m.warps[i].ready)];
  for (unsigned i = 0; i <= at; i++)
    if (m.warps[i].ready) return &m.warps[i].lane[__builtin_ctz(m.warps[i].ready)];
  return NULL;
}
static fiber *next_before(unsigned at, unsigned lane, bool own_first) {
  warp *w = &m.warps[at];
  uint32_t earlier = w->ready & ((1u << lane) - 1);
  if (earlier) return &w->lane[31 - __builtin_clz(earlier)];
  if (own_first && w->ready) return &w->lane[31 - __builtin_clz(w->ready)];
  for (unsigned i = at; i-- > 0;)
    if (m.warps[i].ready) return &m.warps[i].lane[31 - __builtin_clz(m.warps[i].ready)];
  for (unsigned i = m.warps_count; i-- > at;)
    if (m.warps[i].ready) return &m.warps[i].lane[31 - __builtin_clz(m.warps[i].ready)];
  return NULL;
}
static fiber *next(const fiber *f, bool own_first) {
  return (m.backwards ? next_before : next_after)((unsigned)(f->warp - m.warps), f->self.lane, own_first);
}
static inline void make_current(fiber *f) {
  m.current = f;
  *m.launch->self = &f->self;
}
static void go_on_with(fiber *from, fiber *to) {
  if (from == to) return;
  if (!to->context) {
    to->stack = emulated_stack_take();
    to->context = emulated_fiber_begin(to->stack, to->self.lane, work);
  }
  make_current(to);
  emulated_fiber_switch(&from->context, to->context);
}
/* The current thread waits; whoever lets it go on has set its warp's ready bit. */
static void wait_for(fiber *f) {
  m.spins = 0;
  f->warp->ready &= ~(1u << f->self.lane);
  fiber *to = next(f, true);
  if (!to) deadlock("all threads wait");
  go_on_with(f, to);
}
static void yield(void) {
  fiber *f = m.current;
  if (++m.spins > 1000000 + 20000ull * m.alive) deadlock("all that can run wait for something in memory that doesn't come");
  go_on_with(f, next(f, false));
}
static void progress(void) { m.spins = 0; }

/* ---- What a warp does together. */
static unsigned char *room_for(exchange *e, size_t size) {
  int turn = e->turn ^= 1; /* the other's readers have all come here since */
  if (size > e->room[turn]) {
    free(e->bytes[turn]);
    e->bytes[turn] = aligned_alloc(64, (size + 63) / 64 * 64); /* released with the blocks */
    e->room[turn] = size;
    if (!e->bytes[turn]) fail("no memory");
  }
  return e->bytes[turn];
}
/* Whether all living lanes of the mask are there, with the same mask. */
static bool complete(const warp *w, uint32_t mask, operation op) {
  uint32_t need = mask & w->alive;
  if ((w->arrived & need) != need) return false;
  for (uint32_t rest = need; rest; rest &= rest - 1) {
    const fiber *f = &w->lane[__builtin_ctz(rest)];
    if (f->mask != mask) return false;
    if (f->waits != op) fail("lanes of a warp meet in %s and in %s", operation_names[op], operation_names[f->waits]);
  }
  return true;
}
static void finish_operation(warp *w, uint32_t mask, operation op) {
  uint32_t need = mask & w->alive;
  fiber *lane = w->lane;
  if (op == SHUFFLE) {
    uint64_t value[32];
    for (uint32_t rest = need; rest; rest &= rest - 1) value[__builtin_ctz(rest)] = lane[__builtin_ctz(rest)].value;
    for (uint32_t rest = need; rest; rest &= rest - 1) {
      fiber *f = &lane[__builtin_ctz(rest)];
      if (f->source > 31 || !(mask >> f->source & 1)) fail("lane %u shuffles from lane %u, not in mask %08x", f->self.lane, f->source, mask);
      f->value = need >> f->source & 1 ? value[f->source] : ~0ull; /* of an ended lane: undefined */
    }
  } else if (op == BALLOT) {
    uint32_t votes = 0;
    for (uint32_t rest = need; rest; rest &= rest - 1)
      if (lane[__builtin_ctz(rest)].value) votes |= rest & -rest;
    for (uint32_t rest = need; rest; rest &= rest - 1) lane[__builtin_ctz(rest)].value = votes;
  } else if (op == WARP_SHARE) {
    size_t size = lane[__builtin_ctz(need)].size;
    unsigned char *to = room_for(&w->exchange, 32 * size);
    for (unsigned i = 0; i < 32; i++) {
      if (!(need >> i & 1)) memset(to + i * size, 0, size);
      else if (lane[i].size != size) fail("lanes of a warp exchange %zu and %zu bytes", size, lane[i].size);
      else memcpy(to + i * size, lane[i].mine, size), lane[i].shared = to;
    }
  }
  w->arrived &= ~need;
  w->ready |= need;
}
static void together(fiber *f, unsigned mask, operation op) {
  warp *w = f->warp;
  if (!(mask >> f->self.lane & 1)) fail("lane %u isn't in mask %08x", f->self.lane, mask);
  f->mask = mask, f->waits = op;
  w->arrived |= 1u << f->self.lane;
  if (complete(w, mask, op)) finish_operation(w, mask, op);
  else wait_for(f);
}
static uint64_t shuffle(unsigned mask, uint64_t value, unsigned source) {
  fiber *f = m.current;
  f->value = value, f->source = source;
  together(f, mask, SHUFFLE);
  return f->value;
}
static unsigned ballot(unsigned mask, int predicate) {
  fiber *f = m.current;
  f->value = predicate != 0;
  together(f, mask, BALLOT);
  return (unsigned)f->value;
}
static void warp_barrier(unsigned mask) { together(m.current, mask, WARP_BARRIER); }
static const void *warp_share(const void *mine, size_t size) {
  fiber *f = m.current;
  f->mine = mine, f->size = size;
  together(f, 0xffffffffu, WARP_SHARE);
  return f->shared;
}

/* ---- What a warpgroup does together. */
static bool finish_group(warp *first) {
  for (int i = 0; i < 4; i++)
    if (first[i].grouped != first[i].alive) return false;
  size_t size = 0;
  for (int i = 0; i < 4; i++)
    if (first[i].grouped) size = first[i].lane[__builtin_ctz(first[i].grouped)].size;
  unsigned char *to = room_for(&first->block->exchanges[(first - first->block->warp) / 4], 128 * size);
  for (unsigned i = 0; i < 128; i++) {
    fiber *f = &first[i / 32].lane[i % 32];
    if (!(first[i / 32].grouped >> i % 32 & 1)) memset(to + i * size, 0, size);
    else if (f->size != size) fail("threads of a warpgroup exchange %zu and %zu bytes", size, f->size);
    else memcpy(to + i * size, f->mine, size), f->shared = to;
  }
  for (int i = 0; i < 4; i++) first[i].ready |= first[i].grouped, first[i].grouped = 0;
  return true;
}
static warp *group_of(const warp *w) { return w->block->warp + (w - w->block->warp) / 4 * 4; }
static const void *group_share(const void *mine, size_t size) {
  fiber *f = m.current;
  warp *first = group_of(f->warp);
  if (first + 4 > first->block->warp + first->block->warps) fail("a warpgroup's exchange in a block without 128 threads for it");
  f->mine = mine, f->size = size, f->waits = GROUP_SHARE;
  f->warp->grouped |= 1u << f->self.lane;
  if (!finish_group(first)) wait_for(f);
  return f->shared;
}

/* ---- Barriers of a block and of a cluster. */
static void finish_barrier(block *b, barrier *at) {
  unsigned expected = at->expected ? at->expected : b->alive;
  if (at->arrived > expected) fail("%u threads at barrier %u, which is for %u", at->arrived, (unsigned)(at - b->barriers), expected);
  if (!at->arrived || at->arrived < expected) return;
  for (unsigned i = 0; i < b->warps; i++) b->warp[i].ready |= at->waiting[i], at->waiting[i] = 0;
  at->arrived = 0;
}
static void meet(unsigned id, unsigned threads, int wait) {
  fiber *f = m.current;
  block *b = f->warp->block;
  if (id >= BARRIERS) fail("barrier %u: there are 16", id);
  barrier *at = &b->barriers[id];
  if (threads == m.threads) threads = 0; /* the whole block, said in another way */
  if (threads % 32) fail("barrier %u for %u threads: not whole warps", id, threads);
  if (at->arrived && at->expected != threads) fail("barrier %u for %u threads, where others wait for %u (0: all)", id, threads, at->expected);
  at->expected = threads;
  at->arrived++;
  m.spins = 0;
  uint32_t *waiting = &at->waiting[f->warp - b->warp], bit = 1u << f->self.lane;
  if (wait) *waiting |= bit, f->waits = BARRIER, f->id = id;
  finish_barrier(b, at);
  if (wait && (*waiting & bit)) wait_for(f);
}
static void finish_cluster(void) {
  if (!m.arrived || m.arrived < m.alive) return;
  m.arrived = 0, m.phase++;
  for (unsigned i = 0; i < m.warps_count; i++) m.warps[i].ready |= m.warps[i].clustered, m.warps[i].clustered = 0;
}
static void cluster_arrive(void) {
  fiber *f = m.current;
  if (f->arrived) fail("a second arrival at the cluster's barrier before waiting at it");
  f->arrived = true, f->phase = m.phase;
  m.arrived++;
  m.spins = 0;
  finish_cluster();
}
static void cluster_wait(void) {
  fiber *f = m.current;
  if (!f->arrived) fail("waiting at the cluster's barrier without having arrived");
  f->arrived = false;
  if (f->phase != m.phase) return;
  f->waits = CLUSTER;
  f->warp->clustered |= 1u << f->self.lane;
  wait_for(f);
}

static unsigned char *shared_of(unsigned rank) {
  if (rank >= m.cluster) fail("shared memory of block %u in a cluster of %u", rank, m.cluster);
  return m.shared + rank * m.shared_stride;
}
static size_t shared_size(void) { return m.launch->shared; }
bool emulated_is_shared(const void *memory, size_t size) {
  const unsigned char *p = memory;
  for (unsigned i = 0; i < m.cluster; i++) {
    const unsigned char *shared = m.shared + i * m.shared_stride;
    if (p >= shared && p < shared + m.launch->shared) return size <= m.launch->shared && p + size <= shared + m.launch->shared;
  }
  return false;
}
static void grid_wait(void) { m.current->warp->block->waited = true; }

const emulated_functions emulated_machine = {
  shuffle, ballot, warp_barrier, warp_share, group_share, meet, yield, progress, shared_of, shared_size, cluster_arrive, cluster_wait, grid_wait,
  fail_with, emulated_load_tiled, emulated_load_windows, emulated_store_tiled,
};

/* ---- Launches. */
static void end_thread(fiber *f) {
  warp *w = f->warp;
  block *b = w->block;
  uint32_t bit = 1u << f->self.lane;
  w->alive &= ~bit, w->ready &= ~bit;
  b->alive--, m.alive--;
  m.spins = 0;
  /* An ended thread keeps nobody waiting. */
  if (f->arrived && f->phase == m.phase) m.arrived--;
  for (uint32_t rest = w->arrived; rest; rest &= rest - 1) {
    const fiber *g = &w->lane[__builtin_ctz(rest)];
    if (complete(w, g->mask, g->waits)) {
      finish_operation(w, g->mask, g->waits);
      break;
    }
  }
  warp *first = group_of(w);
  if (first + 4 <= b->warp + b->warps && (first[0].grouped | first[1].grouped | first[2].grouped | first[3].grouped)) finish_group(first);
  for (int i = 0; i < BARRIERS; i++)
    if (b->barriers[i].arrived && !b->barriers[i].expected) finish_barrier(b, &b->barriers[i]);
  finish_cluster();
}
/* What a fiber does: threads one after another, for as long as the next one to run has not begun, so that a kernel without barriers is a
 * plain loop on one stack. */
static void work(void) {
  for (;;) {
    fiber *f = m.current;
    m.launch->kernel(m.launch->params);
    end_thread(f);
    fiber *to = next(f, true);
    if (!to && m.alive) deadlock("all threads wait");
    if (to && !to->context) {
      to->stack = f->stack, to->context = f->stack; /* not NULL; it is set when it waits */
      make_current(to);
      continue;
    }
    emulated_stack_give(f->stack); /* we stand on it, but nobody takes it before the switch */
    void *nowhere;
    if (to) make_current(to);
    emulated_fiber_switch(&nowhere, to ? to->context : m.host);
  }
}

static void *grow(void *old, size_t *room, size_t count, size_t size) {
  if (count <= *room) return old;
  free(old);
  void *p = calloc(count, size);
  if (!p) fail("no memory");
  *room = count;
  return p;
}
enum { GUARD = 1024, GUARD_BYTE = 0x5a };
static void run_cluster(emulated_index first, emulated_index size) {
  const emulated_launch *l = m.launch;
  unsigned warps = (m.threads + 31) / 32;
  m.alive = m.threads * m.cluster, m.arrived = 0, m.phase = 0, m.spins = 0;
  for (unsigned i = 0; i < m.cluster; i++) {
    block *b = &m.blocks[i];
    memset(b->barriers, 0, sizeof b->barriers);
    b->waited = false;
    b->alive = m.threads, b->warps = warps, b->warp = m.warps + i * warps;
    unsigned char *shared = m.shared + i * m.shared_stride;
    memset(shared, 0xff, l->shared); /* a NaN in every type */
    memset(shared + l->shared, GUARD_BYTE, m.shared_stride - l->shared);
    emulated_index at = {first.x + i % size.x, first.y + i / size.x % size.y, first.z + i / size.x / size.y};
    emulated_index thread = {0, 0, 0};
    for (unsigned t = 0; t < m.threads; t++) {
      warp *w = &b->warp[t / 32];
      fiber *f = &m.fibers[(size_t)i * warps * 32 + t];
      if (t % 32 == 0) {
        unsigned lanes = m.threads - t < 32 ? m.threads - t : 32;
        w->ready = w->alive = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
        w->arrived = w->grouped = w->clustered = 0;
        w->lane = f, w->block = b;
      }
      f->self = (emulated_thread){thread, at, l->block, l->grid, t % 32, i, m.cluster, shared};
      f->context = NULL, f->stack = NULL, f->warp = w, f->waits = NOTHING, f->arrived = false;
      if (++thread.x == l->block.x) thread.x = 0, thread.y++;
      if (thread.y == l->block.y) thread.y = 0, thread.z++;
    }
  }
  fiber *f = &m.fibers[m.backwards ? (m.cluster - 1) * warps * 32 + m.threads - 1 : 0];
  f->stack = emulated_stack_take();
  f->context = emulated_fiber_begin(f->stack, 0, work);
  make_current(f);
  emulated_fiber_switch(&m.host, f->context);
  for (unsigned i = 0; i < m.cluster; i++) {
    if (l->early && !m.blocks[i].waited) fail("the block, launched early, has ended without grid_wait()");
    const unsigned char *end = m.shared + i * m.shared_stride + l->shared;
    for (size_t j = 0; j < m.shared_stride - l->shared; j++)
      if (end[j] != GUARD_BYTE) fail("a write past the block's %zu bytes of shared memory, at byte %zu", l->shared, l->shared + j);
  }
}
static unsigned at_least_1(unsigned n) { return n ? n : 1; }

void emulated_run(const emulated_launch *launch) {
  emulated_launch l = *launch;
  l.grid = (emulated_index){at_least_1(l.grid.x), at_least_1(l.grid.y), at_least_1(l.grid.z)};
  l.block = (emulated_index){at_least_1(l.block.x), at_least_1(l.block.y), at_least_1(l.block.z)};
  emulated_index c = {at_least_1(l.cluster.x), at_least_1(l.cluster.y), at_least_1(l.cluster.z)};
  m.launch = &l;
  m.current = NULL;
  m.threads = l.block.x * l.block.y * l.block.z;
  m.cluster = c.x * c.y * c.z;
  m.warps_count = (m.threads + 31) / 32 * m.cluster;
  if (m.threads > 1024 || l.grid.x % c.x || l.grid.y % c.y || l.grid.z % c.z) fail("%s: a launch that no GPU takes", l.name);
  m.fibers = grow(m.fibers, &m.fibers_room, (size_t)m.warps_count * 32, sizeof *m.fibers);
  m.warps = grow(m.warps, &m.warps_room, m.warps_count, sizeof *m.warps);
  m.blocks = grow(m.blocks, &m.blocks_room, m.cluster, sizeof *m.blocks);
  m.shared_stride = (l.shared + GUARD + 1023) / 1024 * 1024;
  if (m.shared_stride * m.cluster > m.shared_room) {
    free(m.shared);
    m.shared_room = m.shared_stride * m.cluster;
    m.shared = aligned_alloc(1024, m.shared_room);
    if (!m.shared) fail("no memory");
  }
  const char *order = getenv("INGOT_EMULATED_ORDER");
  m.backwards = order && !strcmp(order, "backwards");
  for (unsigned z = 0; z < l.grid.z; z += c.z)
    for (unsigned y = 0; y < l.grid.y; y += c.y)
      for (unsigned x = 0; x < l.grid.x; x += c.x) {
        emulated_index first = {x, y, z};
        if (m.backwards) first = (emulated_index){l.grid.x - c.x - x, l.grid.y - c.y - y, l.grid.z - c.z - z};
        run_cluster(first, c);
      }
  m.launch = NULL;
  m.current = NULL;
}
