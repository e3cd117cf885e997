/* The engine: an optimised network and, for each of its nodes and values, what the planner chose. Immutable once made; shared by contexts. */
#ifndef INGOT_ENGINE_ENGINE_H
#define INGOT_ENGINE_ENGINE_H
#include "backend/backend.h"

/* Where a value lives, apart from the memory planner's own buffers. */
typedef enum ingot__home {
  INGOT__HOME_OWN = 0,      /* a buffer of its own: slab, input, output, weights */
  INGOT__HOME_VIEW,         /* the memory of value `of`, all of it (reshapes) */
  INGOT__HOME_CONCAT,       /* the slice of value `of` (a Concat's output) along its axis that input `index` takes: written in place */
  INGOT__HOME_SLICE         /* a slice of value `of`, the input of the Split or Slice that produces it (as output `index`): read in place */
} ingot__home;

typedef struct ingot__place {
  uint8_t layout;           /* ingot__layout */
  uint8_t home;             /* ingot__home */
  bool on_device;           /* in the device's memory; constants are in both, as they are needed */
  uint16_t index;
  uint32_t of;              /* value id; unused for HOME_OWN */
} ingot__place;

typedef struct ingot__step {
  const ingot__kernel *kernel; /* NULL: nothing to run (views, Concats written in place) */
  const void *packed;          /* into the engine's file or heap; NULL: none */
  size_t packed_size;
  const void *code;            /* device code, into the engine's file or kept by the device; NULL: none */
  size_t code_size;
  void *loaded;                /* the code as the device has loaded it, and the packed constants in its memory: resident.c */
  void *packed_on_device;
  float microseconds;          /* as timed when built, 0 if not */
  bool one_thread;             /* too little work to share */
  float size;                  /* ingot__call_size at the shapes it was chosen for; 0: the same for all shapes */
  uint8_t n_other;
  struct ingot__step *other;   /* what was chosen at other shapes of the profiles; layouts and what kernels can take are the same. One of this
                                * one's size stands in for it where a vendor's library is missing: this one goes before it */
} ingot__step;
enum { INGOT__MAX_OTHERS = 16 };

typedef struct ingot__planned { /* as the file says, by name */
  const char *kernel, *pack_format;
  struct ingot__planned *other;
} ingot__planned;

enum { INGOT__MAX_PROFILES = 64 };
typedef struct ingot__profile {     /* one an input, in the network's order */
  int64_t min[INGOT_MAX_RANK], opt[INGOT_MAX_RANK], max[INGOT_MAX_RANK];
} ingot__profile;

struct ingot_engine {
  ingot__heap heap;
  ingot__arena arena;
  ingot__log log;
  _Atomic int references;
  const ingot__backend *backend;
  ingot__network *network;     /* optimised; owned. Constants wholly in packed forms have no data (bytes 0) */
  ingot__place *place;         /* by value id */
  ingot__step *step;           /* by node id */
  ingot__planned *planned;     /* by node id, of engines read from files: steps have no kernels until runtime/load.c finds them */
  ingot__profile *profile;     /* by input; those of further profiles behind: [profile * inputs + input] */
  size_t n_profile;
  int threads;                 /* that it was tuned for */
  const char *device;          /* what it was built on, in words */
  int device_index;            /* of targets that have several */
  ingot__device *opened;       /* NULL: the target is the host itself */
  void **resident;             /* by value id: constants in the device's memory; NULL where no kernel on it reads them */
  void *device_memory;         /* all of them and the packed ones */
  size_t device_memory_size;
  char *report;                /* JSON or NULL; in the arena */
  const void *file; size_t file_size; bool file_mapped; /* what constants and packed weights point into, if loaded */
};

/* ---- The file. Little-endian; sections with xxh3 checksums; blobs aligned to 64 bytes; operators and kernels by name. */
ingot_status ingot__engine_write(const ingot_engine *engine, const char *path, ingot__diag *diag);      /* temporary file, fsync, rename */
ingot_status ingot__engine_bytes(const ingot_engine *engine, ingot__diag *diag, void **data, size_t *size); /* from engine->heap */
ingot_status ingot__engine_read(const ingot_env *env, const char *path, ingot__diag *diag, ingot_engine **engine);
ingot_status ingot__engine_read_memory(const ingot_env *env, const void *data, size_t size, ingot__diag *diag, ingot_engine **engine);
ingot_engine *ingot__engine_new(const ingot_env *env);   /* one reference; NULL: no memory */
void ingot__engine_release(ingot_engine *engine);
/* Opens the engine's device, if its target has one, puts constants into its memory and loads its code; once, before the first context. */
ingot_status ingot__engine_make_resident(ingot_engine *engine, ingot__diag *diag);
void ingot__engine_leave_device(ingot_engine *engine);
/* What a step's time depends on, as far as one number can tell: elements read and written, constants apart. */
float ingot__call_size(const ingot__call *call);
/* Whether every reader of a constant has it in its packed form, so that the engine can do without its data. */
bool ingot__engine_packed_away(const ingot_engine *engine, const ingot__value *constant);
#endif
