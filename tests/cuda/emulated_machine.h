/* The emulated GPU's machine: what a compiled kernel (emulated.cuh) and the machine that runs it know of each other. C and C++.
 *
 * A kernel's shared object has two variables that whoever loads it fills: `emulated`, the machine's functions, and `emulated_self`, the
 * thread that runs, which the machine keeps up to date (see emulated_launch). */
#ifndef EMULATED_MACHINE_H
#define EMULATED_MACHINE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct emulated_index { unsigned x, y, z; } emulated_index;

typedef struct emulated_thread {
  emulated_index thread, block, block_dim, grid_dim;
  unsigned lane;             /* in the warp */
  unsigned rank;             /* of the block in its cluster */
  unsigned cluster;          /* blocks of the cluster */
  unsigned char *shared;     /* the block's shared memory */
} emulated_thread;

typedef struct emulated_functions {
  uint64_t (*shuffle)(unsigned mask, uint64_t value, unsigned source);
  unsigned (*ballot)(unsigned mask, int predicate);
  void (*warp_barrier)(unsigned mask);
  const void *(*warp_share)(const void *mine, size_t size);
  const void *(*group_share)(const void *mine, size_t size);
  void (*barrier)(unsigned id, unsigned threads, int wait); /* threads 0: all that haven't ended; wait 0: bar.arrive */
  void (*yield)(void);
  void (*progress)(void);
  unsigned char *(*shared_of)(unsigned rank);
  size_t (*shared_size)(void);
  void (*cluster_arrive)(void);
  void (*cluster_wait)(void);
  void (*grid_wait)(void);
  void (*fail)(const char *what); /* ends the program, naming the kernel, block and thread */
  void (*tensor_load_tiled)(const void *map, void *shared, const int *coordinates);
  void (*tensor_load_windows)(const void *map, void *shared, const int *coordinates, int offset_w, int offset_h);
  void (*tensor_store_tiled)(const void *map, const void *shared, const int *coordinates);
} emulated_functions;

/* ---- The machine's own side. */
extern const emulated_functions emulated_machine;

typedef struct emulated_launch {
  const char *name;          /* for messages */
  void (*kernel)(const void *params);
  const void *params;        /* aligned as the struct is */
  emulated_index grid, block, cluster; /* cluster: in blocks; 0 counts as 1 */
  size_t shared;             /* bytes for each block */
  int early;                 /* launched before its predecessor has ended: every block must call grid_wait */
  emulated_thread **self;    /* the kernel's object's `emulated_self` */
} emulated_launch;
/* Runs all blocks, one cluster after another. One launch at a time: the caller sees to that. */
void emulated_run(const emulated_launch *launch);
#ifdef __cplusplus
}
#endif
#endif
