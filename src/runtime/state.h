/* The runtime's structures. A context keeps an instance for each set of input shapes that it has met: types, views and memory offsets of
 * every value, and for each graph a frame: its nodes cut into regions. A region's shapes are all known before it starts; one ends before
 * a node whose output shape needs the contents of its inputs, and after one whose output shape is known only when it has run. */
#ifndef INGOT_RUNTIME_STATE_H
#define INGOT_RUNTIME_STATE_H
#include "engine/engine.h"
#include <pthread.h>

typedef struct ingot__instance ingot__instance;
typedef struct ingot__frame ingot__frame;

/* A pointer in a region's calls or views that moves, with a slab or with the address the caller sets: *slot = *base + offset. */
enum { INGOT__SOURCE_SLAB = -1, INGOT__SOURCE_FIXED = -2, INGOT__SOURCE_DYNAMIC = -3 };
/* What is the same for an input's or output's twin in the device's memory: index + this. */
enum { INGOT__SOURCE_TWIN = 1 << 24 };
/* Memory of the host's, and of the device's. */
enum { INGOT__HOST = 0, INGOT__DEVICE = 1, INGOT__SPACES = 2 };
typedef struct ingot__patch {
  void **slot;
  void *const *base;
  size_t offset;
  bool recorded;             /* the slot is of a call that device work is recorded from: recordings end when it moves */
} ingot__patch;

typedef struct ingot__run_step {
  const ingot__node *node;
  const ingot__step *step;
  ingot__call call;
  double seconds;            /* of the last run, when profiling */
} ingot__run_step;

/* What is called before and after each step. */
typedef ingot_status (*ingot__trace_fn)(void *user, ingot__run_step *step, bool after, ingot__diag *diag);

/* Steps in a row that are device work alone, played as one once they have been recorded. */
typedef struct ingot__segment {
  size_t first, n;           /* of the region's steps */
  void *recording;           /* NULL: not yet */
  bool warms;                /* it calls a vendor's library, which loads code of its own in the first run: that one isn't recorded */
} ingot__segment;

/* Memory that is made at run time for one output whose size depends on data; kept and grown. */
typedef struct ingot__buffer { void *data; size_t size; } ingot__buffer;

/* What planning found out about a value that a region computes: put back when the region runs after another plan. */
typedef struct ingot__placed {
  uint32_t id;               /* the value's */
  int source;
  size_t offset;
  ingot__type type;
  const ingot__dim *known;
  ingot__view view;
} ingot__placed;

typedef struct ingot__region {
  ingot__arena arena;        /* steps, patches */
  const ingot__node *first, *after; /* nodes first .. before after (NULL: the graph's end) */
  size_t n_node;
  ingot__placed *placed;     /* the nodes' outputs, in order */
  size_t n_placed;
  ingot__view *read;         /* of values from outside that the nodes read, in order: what a plan was made for */
  size_t n_read;
  int64_t *key;              /* a subgraph's first region: the frame's key that it was planned for */
  size_t key_length;
  uint64_t used;             /* the slot's clock when last used */
  ingot__run_step *step;
  size_t n_step;
  ingot__patch *patch;
  size_t n_patch;
  void *slab[INGOT__SPACES]; /* the slot's, or the context's */
  size_t slab_size[INGOT__SPACES], workspace_size;
  ingot__segment *segment;   /* in order */
  size_t n_segment;
  unsigned moved;            /* runs in a row in which an address of recorded work moved */
  bool dynamic_end;          /* its last node gives its outputs their sizes */
} ingot__region;

/* The plans kept for one place in a frame, for the shapes met there last. */
enum { INGOT__MAX_PLANS = 8 };
typedef struct ingot__slot {
  ingot__region *plan[INGOT__MAX_PLANS], *spare; /* spare: where the next one is made */
  size_t n_plan;
  uint64_t clock;
  ingot__region *applied;    /* the one that the instance's values are as placed by, */
  uint64_t stamp;            /* when the instance's stamp was this */
  ingot__buffer slab[INGOT__SPACES]; /* of its regions; unused where they take the context's */
} ingot__slot;

struct ingot__frame {
  ingot__instance *instance;
  const ingot__graph *graph;
  ingot__value **captured;   /* values of outer graphs read inside, deeper subgraphs included */
  size_t n_captured;
  ingot__slot **slot;        /* by region's place: all that were met */
  ingot__region **region;    /* the present plan of each */
  size_t n_slot, n_region, slot_capacity, region_capacity; /* n_region: slots that have a plan */
  int64_t *key;              /* subgraphs: what region 0 depends on, the views of captured values and inputs; as they are now */
};

struct ingot__instance {
  ingot_context *context;
  ingot__arena arena;
  uint64_t used;             /* the context's clock when last used */
  size_t bytes;              /* when it had been planned */
  int64_t *input_dims;       /* INGOT_MAX_RANK an input */
  ingot__type *type;         /* by value id: dims are numbers; rank -1: not known yet */
  const ingot__dim **known;  /* by value id */
  ingot__view *view;         /* by value id; dtype INGOT_UNDEFINED: not planned yet */
  int *source;               /* by value id, of roots: INGOT__SOURCE_ or io index */
  size_t *offset;            /* by value id, of roots: in the slab */
  ingot__buffer *buffer;     /* by value id: memory of outputs sized at run time */
  ingot__object **object;    /* by value id: what sequences and optionals that nodes make are at present; the view's data points here */
  ingot__frame **frame;      /* by order of ingot__instance_frame's asking; [0] is the main graph's */
  size_t n_frame, frame_capacity;
  uint64_t stamp;            /* counts inferences of subgraphs, which change the types of their values */
  bool *early;               /* by io: outputs whose shapes are known before it runs */
  ingot__diag *diag;         /* of the call in progress */
};

/* An input or output of the main graph, as the caller sees it. */
typedef struct ingot__io {
  ingot__value *value;
  bool is_input;
  bool shape_set;            /* inputs */
  int64_t dim[INGOT_MAX_RANK]; /* inputs: the present shape */
  void *address;             /* the caller's, or NULL */
  ingot_output_allocator allocator; /* outputs: the caller's, before `address`; reallocate NULL: none */
  void *allocated;           /* by it, the last time, */
  size_t asked;              /* for so many bytes */
  ingot__buffer own;         /* outputs without an address; inputs whose address is misaligned */
  void *data;                /* what the run uses; of sequences and optionals: &object */
  void *twin;                /* in the device's memory: the caller's, if `address` is there, or `staging` */
  ingot__buffer staging;
  ingot__buffer pinned;      /* of the host's memory, that the device reaches by itself: what is copied goes by it where the run waits for copies */
  const void *last;          /* the caller's memory on the device in the last run, */
  uint8_t moves;             /* how often that has been another lately, */
  bool restless;             /* and so often that it is copied by way of `staging`, which recorded work can count on */
  void *target;              /* an output that goes by `pinned`: where it is to be in the end; NULL: it is there already */
  bool host_user;            /* a kernel on the host reads or writes it, too */
  ingot__object *object;     /* an input's value, kept for the caller; an output's after a run */
} ingot__io;

/* Places in a run's queue. END is put there where nobody waits, too: by it later work waits for this one's when the queue has become another. */
enum { INGOT__BEGIN, INGOT__COPIED_IN, INGOT__COMPUTED, INGOT__END, INGOT__MARKS };

/* Instances kept: at least the last FEW, more while they are small. */
enum { INGOT__FEW_INSTANCES = 16, INGOT__MAX_INSTANCES = 128, INGOT__INSTANCE_BYTES = 32 << 20 };
struct ingot_context {
  ingot__heap heap;
  ingot_engine *engine;
  ingot__pool *pool;
  int threads;
  ingot__io *io;             /* inputs, then outputs */
  size_t n_in, n_io;
  int profile;               /* of the engine, which shapes must be in; -1: any */
  ingot__instance *instance[INGOT__MAX_INSTANCES];
  size_t n_instance, instance_bytes;
  ingot__instance *current;  /* for the present input shapes; NULL: not planned */
  uint64_t clock;
  ingot__buffer slab[INGOT__SPACES]; /* of the main graphs' first regions */
  void *queue;               /* on the engine's device; NULL: it has none */
  void *home;                /* the native queue that it had at first, in which runs go that the caller waits for */
  bool busy;                 /* there may be work in the queue that hasn't ended */
  void *mark[INGOT__MARKS];  /* NULL until they are needed */
  bool timing, timed;        /* the caller asks for times; the last run has them */
  bool waits;                /* the run in progress is over before the caller goes on */
  ingot__store *store;       /* of objects made in runs */
  ingot__arena strings;      /* characters of the present run's strings, its inputs' too */
  bool ran;                  /* outputs hold a run's results */
  _Atomic bool cancelled;    /* the run in progress is to stop */
  ingot_profiler_fn profiler;
  void *profiler_user;
  ingot_observer_fn observer;
  void *observer_user;
  /* For the compiler's verification: called before and after each step. */
  ingot__trace_fn trace;
  void *trace_user;
  /* enqueue */
  pthread_t worker;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  bool worker_started, stop, pending, finished;
  ingot_status result;
  ingot_done_fn done;
  void *done_user;
  char error[1024];
};

/* ---- context.c */
ingot_status ingot__context_new(ingot_engine *engine, const ingot_context_options *options, ingot__diag *diag, ingot_context **context);
void ingot__context_free(ingot_context *context);
ingot__io *ingot__context_find(ingot_context *context, const char *name); /* NULL: none */
ingot_status ingot__context_set_shape(ingot_context *context, ingot__io *io, int rank, const int64_t *dims, ingot__diag *diag);
/* Keeps a value for an input; checks that it is of the input's kind. NULL: nothing. */
ingot_status ingot__context_set_value(ingot_context *context, ingot__io *io, ingot__object *value, ingot__diag *diag);
ingot_status ingot__context_plan(ingot_context *context, ingot__diag *diag); /* makes `current` for the present shapes */
bool ingot__buffer_reserve(ingot__heap *heap, ingot__buffer *buffer, size_t size);

/* ---- instance.c */
ingot_status ingot__instance_new(ingot_context *context, ingot__diag *diag, ingot__instance **instance);
void ingot__instance_free(ingot__instance *instance);
ingot_status ingot__instance_frame(ingot__instance *instance, const ingot__graph *graph, ingot__frame **frame); /* made when first asked for */

/* ---- shapes.c: concrete types of a graph's nodes. with_data: contents of inputs are in inst->view and may be used. */
ingot_status ingot__shapes_node(ingot__instance *instance, const ingot__node *node, bool with_data, ingot__arena *arena, bool *complete);
ingot_status ingot__shapes_captured(ingot__arena *arena, const ingot__graph *graph, ingot__value ***captured, size_t *n);

/* ---- views.c: where values lie. */
ingot__value *ingot__root(const ingot_engine *engine, ingot__value *value);
/* Fills inst->view[value] but for `data`, and tells how many bytes into its root it starts. */
ingot_status ingot__view_value(ingot__instance *instance, const ingot__value *value, size_t *offset);
/* The view of a sequence or optional that is kept in `slot`. */
void ingot__view_object(ingot__view *view, const ingot__type *type, ingot__object **slot);
bool ingot__view_covers(const ingot__view *view, const ingot__view *root); /* the same bytes, no gaps */

/* ---- memory.c: offsets for blocks that live in steps first..last; returns the slab's size, SIZE_MAX on overflow. */
typedef struct ingot__block { size_t size, offset; uint32_t first, last; uint8_t space; } ingot__block;
size_t ingot__memory_plan(ingot__block *block, size_t n, int space, uint32_t *order /* n, scratch */);

/* ---- region.c: one region's plan. First its nodes, from region->first on, as far as their shapes can be told; then all the rest. */
ingot_status ingot__region_take(ingot__frame *frame, ingot__region *region, bool with_data);
ingot_status ingot__region_place(ingot__frame *frame, ingot__region *region, bool again); /* again: it may run after other plans for its place */

/* ---- slot.c: the plans of a frame's regions, kept for shapes that come again. Both set frame->region[index]. */
ingot_status ingot__slot_first(ingot__frame *frame, const ingot__view *in, size_t n_in); /* region 0; in: a subgraph's inputs */
ingot_status ingot__slot_next(ingot__frame *frame, size_t index, const ingot__node *first); /* later ones, when what is before has run */
void ingot__slots_free(ingot__frame *frame);

/* ---- device.c: what runs on a device need, all of them nothing where there is none. */
ingot_status ingot__device_start(ingot_context *context, void *native_queue, ingot__diag *diag);
void ingot__device_stop(ingot_context *context);
ingot_status ingot__device_reserve(ingot_context *context, ingot__buffer *buffer, size_t size, ingot__diag *diag); /* at least so much */
void ingot__device_free(ingot_context *context, ingot__buffer *buffer);
ingot_status ingot__device_owns(const ingot_context *context, const void *memory, ingot__diag *diag, bool *there);
ingot_status ingot__device_wait(ingot_context *context, ingot__diag *diag);   /* for what is in the present queue; in a run */
ingot_status ingot__device_settle(ingot_context *context, ingot__diag *diag); /* for the runs put in before; between runs */
/* Goes on in a native queue of the caller's, or at home: what runs in the last one comes first. */
ingot_status ingot__device_go(ingot_context *context, void *native_queue, ingot__diag *diag);
ingot_status ingot__device_mark(ingot_context *context, int which, ingot__diag *diag);
/* The memory of an input or output that copies of `bytes` go by: data in the caller's pages would be waited for. false: it goes without. */
bool ingot__device_by_way(ingot_context *context, ingot__io *io, size_t bytes);
/* Copies in the host's memory, by all threads where it is much. */
void ingot__device_host_copy(ingot_context *context, void *to, const void *from, size_t bytes);
/* by_shapes: the region is the first of the main graph, planned for shapes alone. */
ingot_status ingot__segments_find(const ingot__instance *inst, ingot__region *region, bool by_shapes, ingot__diag *diag);
void ingot__segments_forget(ingot_context *context, ingot__region *region); /* recordings are freed, segments stay */
ingot_status ingot__segment_run(ingot_context *context, ingot__region *region, ingot__segment *segment, ingot__diag *diag);
/* Puts n of the region's steps into the queue; records them. */
ingot_status ingot__segment_put(ingot__region *region, size_t first, size_t n, ingot__diag *diag);
ingot_status ingot__segment_record(ingot_context *context, ingot__region *region, size_t first, size_t n, ingot__diag *diag, void **recording);
/* profile.c: runs the segment, having played it often to find the seconds of its steps. */
ingot_status ingot__segment_profile(ingot_context *context, ingot__region *region, ingot__segment *segment, ingot__diag *diag);
/* Seconds of a step on the device, by marks around it. */
ingot_status ingot__device_timed(ingot_context *context, ingot__run_step *run, ingot__diag *diag);
/* The call with all tensors in the host's memory: copies of those on the device, in the arena. */
ingot_status ingot__device_mirror(ingot_context *context, const ingot__call *call, ingot__arena *arena, ingot__diag *diag, ingot__call *mirror);

/* ---- run.c */
ingot_status ingot__frame_run(ingot__frame *frame, const ingot__view *in, size_t n_in); /* in: a subgraph's inputs; NULL for main */
/* Memory for an output's `bytes`: of the caller's allocator, at the caller's address, or the context's own; into io->data. */
ingot_status ingot__output_reserve(ingot_context *context, ingot__io *io, size_t bytes, ingot__diag *diag);
ingot_status ingot__context_execute(ingot_context *context, ingot__diag *diag); /* `cancelled` is the caller's to clear */
/* Puts a run into the caller's stream and doesn't wait for what runs on the device. Engines with a device alone. */
ingot_status ingot__context_enqueue(ingot_context *context, void *stream, ingot__diag *diag);
#endif
