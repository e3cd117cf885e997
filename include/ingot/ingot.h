/* ingot.h: the public interface of ingot, a compiler and runtime for trained networks.
 *
 *     network -> build -> engine -> context -> run
 *
 * A network is loaded from ONNX or defined layer by layer. Building it gives an engine: immutable, savable to one file, shared by
 * threads. A context holds what one run at a time needs (activation memory, threads). `libingot` has all of this; `libingot_rt` has
 * everything below "Engines" only.
 *
 * Conventions
 * - Functions that can fail return an ingot_status; INGOT_OK is 0. After a failure ingot_last_error() has the text, which names the
 *   file and the layer. Out parameters are written on success only.
 * - Handles are freed by their _destroy, which accepts NULL. Strings and arrays that are returned belong to the handle they came from
 *   and live as long as it does, unless the function says otherwise.
 * - Dims are in elements, row-major, outermost first; -1 stands for a dim that is not fixed. Memory sizes are in bytes, times in the
 *   unit the name says. Data of inputs and outputs is dense row-major in the order of the dims; strings are arrays of
 *   ingot_string.
 * - Different handles may be used by different threads at once. One handle may be read by many threads; a context runs one run at a time.
 */
#ifndef INGOT_H
#define INGOT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define INGOT_API __attribute__((visibility("default")))
#else
#define INGOT_API
#endif
#ifdef __cplusplus
extern "C" {
#endif

#define INGOT_VERSION_MAJOR 0
#define INGOT_VERSION_MINOR 1
#define INGOT_VERSION_PATCH 0
#define INGOT_MAX_RANK 8

/* "0.1.0", of the library that runs. */
INGOT_API const char *ingot_version(void);

/* ---- Status ------------------------------------------------------------------------------------------------------------------- */

/* The errors; src/status.def has a text and the CLI's exit status for each. */
typedef enum ingot_status {
  INGOT_OK = 0,
  INGOT_E_ARGUMENT = 1,     /* a call's argument is wrong */
  INGOT_E_MEMORY = 2,       /* out of memory, or a limit on it was hit */
  INGOT_E_IO = 3,           /* a file can't be opened, read or written */
  INGOT_E_FORMAT = 4,       /* a file is damaged, truncated or not of its format */
  INGOT_E_UNSUPPORTED = 5,  /* valid, but something that ingot doesn't have: an operator, a type */
  INGOT_E_NETWORK = 6,      /* the network is inconsistent: cycles, missing values, wrong attributes */
  INGOT_E_SHAPE = 7,        /* shapes that don't fit together, or out of the profile */
  INGOT_E_TYPE = 8,         /* data types that don't fit together */
  INGOT_E_LIMIT = 9,        /* a size, depth or rank beyond what ingot accepts */
  INGOT_E_CANCELLED = 10,   /* the progress callback asked to stop */
  INGOT_E_VERIFY = 11,      /* the engine's outputs leave the reference */
  INGOT_E_DEVICE = 12,      /* a device or its driver is missing or failed */
  INGOT_E_STATE = 13,       /* a call out of order: running without inputs, waiting without enqueue */
  INGOT_E_INTERNAL = 14     /* a bug in ingot */
} ingot_status;

/* A short text for a status: "damaged or truncated file". Never NULL. */
INGOT_API const char *ingot_status_text(ingot_status status);
/* The text of the calling thread's last failed call, "" if none failed. Valid until that thread's next call that fails. */
INGOT_API const char *ingot_last_error(void);

/* ---- Data types --------------------------------------------------------------------------------------------------------------- */

typedef enum ingot_dtype { /* the numbers are ONNX's TensorProto.DataType */
  INGOT_UNDEFINED = 0, INGOT_FLOAT32 = 1, INGOT_UINT8 = 2, INGOT_INT8 = 3, INGOT_UINT16 = 4, INGOT_INT16 = 5, INGOT_INT32 = 6,
  INGOT_INT64 = 7, INGOT_STRING = 8, INGOT_BOOL = 9, INGOT_FLOAT16 = 10, INGOT_FLOAT64 = 11, INGOT_UINT32 = 12, INGOT_UINT64 = 13,
  INGOT_COMPLEX64 = 14, INGOT_COMPLEX128 = 15, INGOT_BFLOAT16 = 16, INGOT_FLOAT8E4M3FN = 17, INGOT_FLOAT8E4M3FNUZ = 18,
  INGOT_FLOAT8E5M2 = 19, INGOT_FLOAT8E5M2FNUZ = 20, INGOT_UINT4 = 21, INGOT_INT4 = 22, INGOT_FLOAT4E2M1 = 23,
  INGOT_FLOAT8E8M0 = 24, INGOT_UINT2 = 25, INGOT_INT2 = 26, INGOT_FLOAT6E2M3 = 27, INGOT_FLOAT6E3M2 = 28
} ingot_dtype;

/* "float32", or "undefined". */
INGOT_API const char *ingot_dtype_name(ingot_dtype dtype);
/* Bits that one element takes in memory: 32 for float32, 4 for int4 (two to a byte, the first in the low half), 2 for int2, 8 for the 6-bit
 * floats (in the low bits of a byte each); 0 for strings and undefined. */
INGOT_API unsigned ingot_dtype_bits(ingot_dtype dtype);

/* An element of a tensor of INGOT_STRING: bytes, mostly UTF-8, that may hold zeros. Those that ingot gives out are followed by a zero that
 * `size` doesn't count; data may be NULL where size is 0. */
typedef struct ingot_string { const char *data; size_t size; } ingot_string;

/* What an input or output is. */
typedef enum ingot_kind {
  INGOT_KIND_TENSOR = 0,
  INGOT_KIND_SEQUENCE = 1,         /* of tensors of one data type, of any shapes */
  INGOT_KIND_OPTIONAL = 2,         /* a tensor or nothing */
  INGOT_KIND_OPTIONAL_SEQUENCE = 3 /* a sequence or nothing */
} ingot_kind;

/* ---- Environment: memory, messages ---------------------------------------------------------------------------------------------- */

typedef struct ingot_allocator {
  void *(*alloc)(void *user, size_t size, size_t align); /* align is a power of two up to 4096; NULL when there is no memory */
  void (*free)(void *user, void *p, size_t size);        /* p is never NULL */
  void *user;
} ingot_allocator;

typedef enum ingot_severity { INGOT_LOG_ERROR = 0, INGOT_LOG_WARNING, INGOT_LOG_INFO, INGOT_LOG_VERBOSE } ingot_severity;
typedef void (*ingot_log_fn)(void *user, ingot_severity severity, const char *text);

/* What handles are made with. Zero-initialise, then set what you need; a NULL environment means all defaults. It is copied. */
typedef struct ingot_env {
  const ingot_allocator *allocator; /* default: the C library's. The struct must outlive every handle made with it */
  ingot_log_fn log;                 /* default: warnings and errors to stderr */
  void *log_user;
  ingot_severity log_level;         /* with `log`: the least urgent messages passed on; default: errors only (0) */
  size_t memory_limit;              /* bytes all handles made with this environment's calls may hold each; 0: no limit */
} ingot_env;

/* ---- Devices --------------------------------------------------------------------------------------------------------------------

 * A GPU and memory that it reaches. Programs that use CUDA's own library beside ingot need none of this: its memory and streams serve as well. */

/* How many there are of a kind: "cuda": NVIDIA GPUs, 0 where the driver is missing; "cpu": 1; another word: 0. */
INGOT_API int ingot_device_count(const char *kind);

typedef struct ingot_device ingot_device;
/* Takes hold of a GPU, "cuda" or "cuda:N". INGOT_E_DEVICE: there is none, or no driver; INGOT_E_ARGUMENT: another word, such as "cpu". */
INGOT_API ingot_status ingot_device_create(const ingot_env *env, const char *name, ingot_device **device);
/* What was allocated is freed before. */
INGOT_API void ingot_device_destroy(ingot_device *device);
INGOT_API const char *ingot_device_description(const ingot_device *device); /* model, architecture, driver */
/* Memory of the GPU, aligned to 256 bytes, to be given to ingot_context_set_address; INGOT_E_MEMORY. Freeing waits for what runs there; NULL:
 * nothing. */
INGOT_API ingot_status ingot_device_alloc(ingot_device *device, size_t size, void **memory);
INGOT_API void ingot_device_free(ingot_device *device, void *memory);
/* Memory of the host that the GPU reaches by itself (page-locked): copies to and from it are quicker, and aren't waited for. */
INGOT_API ingot_status ingot_device_alloc_host(ingot_device *device, size_t size, void **memory);
INGOT_API void ingot_device_free_host(ingot_device *device, void *memory);
/* Copies `size` bytes and returns when they are there. Each side is the GPU's or the host's memory, as its address tells. Runs in streams are to
 * have ended before. */
INGOT_API ingot_status ingot_device_copy(ingot_device *device, void *to, const void *from, size_t size);

/* Return false to cancel. `phase` is a few words ("timing kernels"), `done` of `total` steps of that phase are finished. */
typedef bool (*ingot_progress_fn)(void *user, const char *phase, size_t done, size_t total);

/* ---- Networks ------------------------------------------------------------------------------------------------------------------- */

typedef struct ingot_network ingot_network;
typedef struct ingot_layer ingot_layer;   /* owned by its network */
typedef struct ingot_tensor ingot_tensor; /* a value in a network; owned by its network */

/* An empty network, to be defined layer by layer. */
INGOT_API ingot_status ingot_network_create(const ingot_env *env, ingot_network **network);
/* Loads an ONNX file. External data is looked for beside it and never outside its folder. Weights stay in the mapped files, which
 * must not be changed while the network lives. All problems found are in the error text, one a line. */
INGOT_API ingot_status ingot_network_load(const ingot_env *env, const char *path, ingot_network **network);
/* The same from memory, which is copied unless it outlives the network. `folder` is where external data lies, or NULL: none allowed. */
INGOT_API ingot_status ingot_network_load_memory(const ingot_env *env, const void *data, size_t size, const char *folder,
                                                 ingot_network **network);
INGOT_API void ingot_network_destroy(ingot_network *network);

INGOT_API size_t ingot_network_num_layers(const ingot_network *network);
INGOT_API ingot_layer *ingot_network_layer(const ingot_network *network, size_t i); /* in running order; NULL past the end */
INGOT_API size_t ingot_network_num_inputs(const ingot_network *network);
INGOT_API ingot_tensor *ingot_network_input(const ingot_network *network, size_t i);
INGOT_API size_t ingot_network_num_outputs(const ingot_network *network);
INGOT_API ingot_tensor *ingot_network_output(const ingot_network *network, size_t i);
INGOT_API ingot_tensor *ingot_network_find_tensor(const ingot_network *network, const char *name); /* NULL if there is none */

INGOT_API const char *ingot_layer_name(const ingot_layer *layer);
INGOT_API const char *ingot_layer_type(const ingot_layer *layer); /* "Conv" */
INGOT_API size_t ingot_layer_num_inputs(const ingot_layer *layer);
INGOT_API ingot_tensor *ingot_layer_input(const ingot_layer *layer, size_t i); /* NULL for an optional input left out */
INGOT_API size_t ingot_layer_num_outputs(const ingot_layer *layer);
INGOT_API ingot_tensor *ingot_layer_output(const ingot_layer *layer, size_t i);

INGOT_API const char *ingot_tensor_name(const ingot_tensor *tensor);
INGOT_API ingot_dtype ingot_tensor_dtype(const ingot_tensor *tensor);
INGOT_API ingot_kind ingot_tensor_kind(const ingot_tensor *tensor);
INGOT_API int ingot_tensor_rank(const ingot_tensor *tensor); /* -1 while unknown */
/* Writes rank dims, -1 where symbolic. */
INGOT_API void ingot_tensor_dims(const ingot_tensor *tensor, int64_t dims[INGOT_MAX_RANK]);
/* The dim as text: "3", "N" or "N*4"; valid until the thread's next call of it. */
INGOT_API const char *ingot_tensor_dim_text(const ingot_tensor *tensor, int axis);

/* Adds an input. dims[i] = -1 is a free dim, a symbol of its own unless symbols[i] names one (symbols may be NULL). */
INGOT_API ingot_status ingot_network_add_input(ingot_network *network, const char *name, ingot_dtype dtype, int rank,
                                               const int64_t *dims, const char *const *symbols, ingot_tensor **tensor);
/* Adds a constant; `data` is copied. */
INGOT_API ingot_status ingot_network_add_constant(ingot_network *network, const char *name, ingot_dtype dtype, int rank,
                                                  const int64_t *dims, const void *data, ingot_tensor **tensor);
/* Adds a layer of an operator of the newest ONNX opset by its name ("Conv"); inputs may hold NULL for optional ones. Its outputs get
 * their types when the layer is complete (at the first question, or when building). `name` may be NULL. */
INGOT_API ingot_status ingot_network_add_layer(ingot_network *network, const char *type, const char *name, ingot_tensor *const *inputs,
                                               size_t num_inputs, size_t num_outputs, ingot_layer **layer);
INGOT_API ingot_status ingot_layer_set_int(ingot_layer *layer, const char *attribute, int64_t value);
INGOT_API ingot_status ingot_layer_set_float(ingot_layer *layer, const char *attribute, float value);
INGOT_API ingot_status ingot_layer_set_string(ingot_layer *layer, const char *attribute, const char *value);
INGOT_API ingot_status ingot_layer_set_ints(ingot_layer *layer, const char *attribute, const int64_t *values, size_t n);
INGOT_API ingot_status ingot_layer_set_floats(ingot_layer *layer, const char *attribute, const float *values, size_t n);
/* Makes any tensor an output of the network (again: no effect), or takes that back. */
INGOT_API ingot_status ingot_network_mark_output(ingot_network *network, ingot_tensor *tensor);
INGOT_API ingot_status ingot_network_unmark_output(ingot_network *network, ingot_tensor *tensor);

/* ---- Building ------------------------------------------------------------------------------------------------------------------- */

typedef struct ingot_config ingot_config;
INGOT_API ingot_status ingot_config_create(const ingot_env *env, ingot_config **config);
INGOT_API void ingot_config_destroy(ingot_config *config);
/* Shapes an input may take: each dim between min and max, tuned for opt. An input without a profile whose dims are not fixed gets
 * min 1, opt 1 for the first dim and an error for others. min and max may be NULL: equal to opt. */
INGOT_API ingot_status ingot_config_set_profile(ingot_config *config, const char *input, int rank, const int64_t *min,
                                                const int64_t *opt, const int64_t *max);
/* Begins another profile, which ingot_config_set_profile then sets; inputs not set in it are as in the first. One engine serves the shapes of all
 * its profiles: layouts are the first one's, kernels and threads are chosen for each layer at every profile's min, opt and max and between, and
 * packed weights that they have in common are kept once. */
INGOT_API ingot_status ingot_config_add_profile(ingot_config *config);
INGOT_API ingot_status ingot_config_set_threads(ingot_config *config, int threads);      /* 0, the default: all the process may use */
INGOT_API ingot_status ingot_config_set_budget(ingot_config *config, double seconds);    /* for timing kernels; 0: cost model alone; default 10 */
INGOT_API ingot_status ingot_config_set_timing_cache(ingot_config *config, const char *path); /* read if there, updated after; NULL: none */
/* Where the engine is to run: "cpu" (the default), "cuda" or "cuda:N", the N-th NVIDIA GPU. INGOT_E_ARGUMENT for another word; that a GPU, its
 * driver or NVRTC is missing is said when building (INGOT_E_DEVICE). */
INGOT_API ingot_status ingot_config_set_device(ingot_config *config, const char *device);
/* What layers may be computed in besides the network's own types: INGOT_PRECISION_ flags, or-ed; default INGOT_PRECISION_TF32. Products are
 * summed up in float32, normalisations and softmax computed in it; inputs and outputs keep their types. For GPUs; elsewhere it says so. */
#define INGOT_PRECISION_TF32 1u /* float32 products by tensor cores, of 10 bits of mantissa */
#define INGOT_PRECISION_FP16 2u
#define INGOT_PRECISION_BF16 4u
INGOT_API ingot_status ingot_config_set_precision(ingot_config *config, unsigned flags);
/* How far float16's rounding may move the network's outputs, of their range. Where INGOT_PRECISION_FP16 is allowed the network is run on the
 * host, on random inputs, with results rounded to halves; if that moves an output further, layers at the front, and the last four where fewer
 * stay then in all, are kept in float32, exactly, until 0.4 of `most` is left (at most 0.004), with a warning that says how many. Other inputs
 * may give several times more or less. Unless it is called: 0.0025, and 0.015 for networks of more than 4e9 operations a run. 0: float16
 * wherever its range allows it. Networks whose own weights are halves, and those that would take the host long, aren't looked at.
 * INGOT_E_ARGUMENT where it is negative or NaN. */
INGOT_API ingot_status ingot_config_set_fp16_error(ingot_config *config, double most);
/* Whose kernels besides ingot's own may be chosen, for GPUs: INGOT_TACTIC_ flags, or-ed; default: all. Those of a library that isn't found are no
 * candidates; an engine that has them runs without it too, by other kernels (docs/cuda.md). */
#define INGOT_TACTIC_CUBLAS_LT 2u
#define INGOT_TACTIC_CUDNN 4u
INGOT_API ingot_status ingot_config_set_tactic_sources(ingot_config *config, unsigned flags);
/* Leaves out kernels that want more workspace at the shapes they are chosen for, unless all do. 0, the default: no limit. */
INGOT_API ingot_status ingot_config_set_workspace(ingot_config *config, size_t bytes);
INGOT_API ingot_status ingot_config_set_verify(ingot_config *config, bool verify);       /* default on */
INGOT_API ingot_status ingot_config_set_progress(ingot_config *config, ingot_progress_fn progress, void *user);
/* For those who work on ingot: write the network as text to `folder` after every pass; skip a pass; stop after a pass. */
INGOT_API ingot_status ingot_config_set_dump(ingot_config *config, const char *folder);
INGOT_API ingot_status ingot_config_skip_pass(ingot_config *config, const char *pass);
INGOT_API ingot_status ingot_config_stop_after(ingot_config *config, const char *pass);

typedef struct ingot_engine ingot_engine;
/* Compiles. The network is left as it is and may be destroyed after. `config` may be NULL. */
INGOT_API ingot_status ingot_build(const ingot_network *network, const ingot_config *config, ingot_engine **engine);
/* The build's report as JSON: passes, each layer's candidates with times and the choice, verification, memory; NULL for a loaded engine. */
INGOT_API const char *ingot_engine_report(const ingot_engine *engine);
/* An engine that runs the network as it was given, layer by layer with the reference kernels: the truth to compare with. */
INGOT_API ingot_status ingot_build_reference(const ingot_network *network, const ingot_config *config, ingot_engine **engine);

/* ---- Engines -------------------------------------------------------------------------------------------------------------------- */

/* Writes the engine to a file, whole or not at all. */
INGOT_API ingot_status ingot_engine_save(const ingot_engine *engine, const char *path);
/* Maps the file, which must not be changed while the engine lives. */
INGOT_API ingot_status ingot_engine_load(const ingot_env *env, const char *path, ingot_engine **engine);
/* From memory, copied. */
INGOT_API ingot_status ingot_engine_load_memory(const ingot_env *env, const void *data, size_t size, ingot_engine **engine);
/* The same two on another device of the kind than the engine was built on: "cuda:1". INGOT_E_DEVICE for another kind. */
INGOT_API ingot_status ingot_engine_load_on(const ingot_env *env, const char *path, const char *device, ingot_engine **engine);
INGOT_API ingot_status ingot_engine_load_memory_on(const ingot_env *env, const void *data, size_t size, const char *device,
                                                   ingot_engine **engine);
/* Where it runs: "cpu" or "cuda"; *index (may be NULL): which GPU, 0 for "cpu". */
INGOT_API const char *ingot_engine_device(const ingot_engine *engine, int *index);
/* The file's bytes in memory; free them with ingot_blob_free. */
INGOT_API ingot_status ingot_engine_serialize(const ingot_engine *engine, void **data, size_t *size);
INGOT_API void ingot_blob_free(const ingot_engine *engine, void *data, size_t size);
/* Contexts keep their engine alive: destroying it first is fine. */
INGOT_API void ingot_engine_destroy(ingot_engine *engine);

typedef struct ingot_io_info {
  const char *name;
  bool is_input;
  ingot_dtype dtype;
  int rank;
  int64_t dims[INGOT_MAX_RANK];                                /* -1: not fixed */
  int64_t min[INGOT_MAX_RANK], opt[INGOT_MAX_RANK], max[INGOT_MAX_RANK]; /* the profile; inputs only */
  ingot_kind kind; /* dtype is that of the tensors in a sequence or optional; rank is -1 where unknown, as it is for those */
} ingot_io_info;
INGOT_API size_t ingot_engine_num_profiles(const ingot_engine *engine); /* at least 1 */
/* Input i's shapes in a profile; ingot_engine_io gives the first one's. */
INGOT_API ingot_status ingot_engine_profile(const ingot_engine *engine, size_t profile, size_t i, int64_t min[INGOT_MAX_RANK],
                                            int64_t opt[INGOT_MAX_RANK], int64_t max[INGOT_MAX_RANK]);
INGOT_API size_t ingot_engine_num_io(const ingot_engine *engine); /* inputs first, in the network's order, then outputs */
INGOT_API ingot_status ingot_engine_io(const ingot_engine *engine, size_t i, ingot_io_info *info);
/* Layers with the nodes fused into each, kernels, precisions, shapes, bytes, FLOPs; inputs, outputs and profiles, as JSON. Free it with
 * ingot_blob_free(engine, json, size + 1). */
INGOT_API ingot_status ingot_engine_inspect(const ingot_engine *engine, char **json, size_t *size);

/* ---- Values: sequences and optionals -----------------------------------------------------------------------------------------------

 * What inputs and outputs hold that are not one tensor. A value is immutable, owns all that it holds and counts its references: _create
 * gives the caller one, _retain another, _destroy gives one back. Values may be shared by threads, contexts and other values, and outlive
 * the contexts they come from. */

typedef struct ingot_value ingot_value;
/* A tensor. `data` is dense row-major, for strings an array of ingot_string, and is copied (characters too). */
INGOT_API ingot_status ingot_value_create_tensor(const ingot_env *env, ingot_dtype dtype, int rank, const int64_t *dims, const void *data,
                                                 ingot_value **value);
/* A sequence of n tensors of one data type, which are retained, not copied. */
INGOT_API ingot_status ingot_value_create_sequence(const ingot_env *env, ingot_value *const *elements, size_t n, ingot_value **value);
/* An optional that holds `content`, a tensor or a sequence, which is retained; NULL: nothing. */
INGOT_API ingot_status ingot_value_create_optional(const ingot_env *env, ingot_value *content, ingot_value **value);
INGOT_API void ingot_value_retain(ingot_value *value);
INGOT_API void ingot_value_destroy(ingot_value *value);
INGOT_API ingot_kind ingot_value_kind(const ingot_value *value);   /* TENSOR, SEQUENCE or OPTIONAL, whatever an optional holds */
INGOT_API ingot_dtype ingot_value_dtype(const ingot_value *value); /* of its tensors; INGOT_UNDEFINED where it was made empty */
/* A sequence's elements; 1 or 0 for an optional; 0 for a tensor. */
INGOT_API size_t ingot_value_count(const ingot_value *value);
/* Element i of a sequence, or an optional's content (i = 0): the value's own, to be retained if it is to live longer. NULL past the end. */
INGOT_API ingot_value *ingot_value_element(const ingot_value *value, size_t i);
/* A tensor's dims (rank of them are written) and data; INGOT_E_ARGUMENT for other values. */
INGOT_API ingot_status ingot_value_tensor(const ingot_value *value, int *rank, int64_t dims[INGOT_MAX_RANK], const void **data);

/* ---- Running -------------------------------------------------------------------------------------------------------------------- */

typedef struct ingot_context ingot_context;
typedef struct ingot_context_options { /* zero-initialise; NULL means all defaults */
  int threads;                         /* 0: as the engine was built for, or what the process may use if that is less */
  void *queue;                         /* engines for a GPU: the stream (a CUstream) that runs go into, which must outlive the context; NULL: one of
                                        * the context's own, which doesn't wait for the default stream, nor that for it */
} ingot_context_options;
INGOT_API ingot_status ingot_context_create(ingot_engine *engine, const ingot_context_options *options, ingot_context **context);
INGOT_API void ingot_context_destroy(ingot_context *context);

/* Which of the engine's profiles the shapes must be in; -1, the default: any one. */
INGOT_API ingot_status ingot_context_set_profile(ingot_context *context, int profile);
/* Gives an input its shape; needed when its dims are not fixed. A shape seen before costs microseconds; a new one is planned. */
INGOT_API ingot_status ingot_context_set_input_shape(ingot_context *context, const char *name, int rank, const int64_t *dims);
/* The caller's memory for an input (read) or output (written), which must stay valid while running. Any alignment. NULL for an output:
 * the context's own. For engines on a GPU it may be that GPU's memory, which is used in place (a little of it is copied there where the
 * address is another run after run); page-locked memory of the host's is copied quickest. */
INGOT_API ingot_status ingot_context_set_address(ingot_context *context, const char *name, void *data);
/* Memory for an output, made by the caller when its size is known: before the run, or in it where the size depends on data. Results land
 * there without a copy wherever a kernel can write them there. It goes before an address set. */
typedef struct ingot_output_allocator {
  /* At least `size` bytes (never 0) aligned to `align`, a power of two, that stay valid until the next run; NULL: there are none, and the run
   * fails with INGOT_E_MEMORY. `current` is what the last call for this output gave, NULL at first; what it holds isn't needed any more, and it
   * may be given again where it is large enough. Called at least once a run, on the thread that runs. */
  void *(*reallocate)(void *user, const char *output, void *current, size_t size, size_t align);
  /* The output's dims, when the run is over; NULL: not wanted. The memory may be larger than they need. */
  void (*notify_shape)(void *user, const char *output, int rank, const int64_t *dims);
  void *user;
} ingot_output_allocator;
/* The struct is copied; NULL takes it back. */
INGOT_API ingot_status ingot_context_set_output_allocator(ingot_context *context, const char *name, const ingot_output_allocator *allocator);
/* Gives an input a value, which the context retains until the next call for the same input. A sequence takes a sequence; an optional takes
 * an optional, its content as it is, or NULL for nothing, which it has at first; a tensor takes a tensor: its shape and its address are
 * set. */
INGOT_API ingot_status ingot_context_set_value(ingot_context *context, const char *name, ingot_value *value);
/* Plans for the present input shapes and gives an input's or output's shape: before running where shapes follow from the inputs',
 * after it where they depend on data (INGOT_E_STATE before). */
INGOT_API ingot_status ingot_context_shape(ingot_context *context, const char *name, int *rank, int64_t dims[INGOT_MAX_RANK]);
/* Runs once; returns when the outputs are written. Allocates nothing once the shapes have been planned. On a GPU it runs in the context's stream:
 * inputs in the GPU's memory must be complete. */
INGOT_API ingot_status ingot_context_run(ingot_context *context);
/* Runs on a thread of the context's and returns at once; `done` (may be NULL) is called there with the run's status at the end. */
typedef void (*ingot_done_fn)(void *user, ingot_status status);
INGOT_API ingot_status ingot_context_enqueue(ingot_context *context, ingot_done_fn done, void *user);
/* Engines for a GPU: puts a run into a stream (a CUstream; NULL: the default one) and returns without waiting for the GPU, or INGOT_E_STATE for
 * other engines. Inputs and outputs, best in the GPU's memory, stay in use until the stream has got past it; what the engine does on the
 * host, and copies to memory of the host's that isn't page-locked, are done before it returns. Another enqueue may follow at once, in the same
 * stream or another, where it waits for this one. The stream may be destroyed when it has got past it. */
INGOT_API ingot_status ingot_context_enqueue_stream(ingot_context *context, void *stream);
/* The stream of a context for a GPU that ingot_context_run uses (a CUstream), the context's; NULL for other engines. */
INGOT_API void *ingot_context_stream(const ingot_context *context);
/* Waits for the enqueued runs and returns the status of the last. */
INGOT_API ingot_status ingot_context_wait(ingot_context *context);
/* Asks the run in progress to stop; from any thread, and from signal handlers. It ends with INGOT_E_CANCELLED before its next layer or trip of
 * a loop, and the context can run again. Runs that start later aren't concerned; an enqueued one is in progress from ingot_context_enqueue on. */
INGOT_API void ingot_context_cancel(ingot_context *context);
/* After a run: an output's data, in the address set, the allocator's memory or in the context's memory (until its next run). */
INGOT_API const void *ingot_context_output(const ingot_context *context, const char *name);

/* After a run: an output that is a sequence or an optional. The context's until its next run: retain it to keep it. NULL for tensors. */
INGOT_API ingot_value *ingot_context_value(const ingot_context *context, const char *name);

/* One call a layer after each run, in running order. On the host, times add up to the run's but for the gaps between layers. On a GPU a layer's
 * time is what it adds to a run: its part of a recorded graph is played with it and without it, and the times add up to what the GPU takes for a
 * run; runs with a profiler take some hundred times longer. */
typedef struct ingot_layer_profile {
  const char *name, *type, *kernel;
  double microseconds;
  int64_t flops, bytes;      /* operations, and bytes of inputs, outputs and weights */
  const char *precision;     /* "float16", "tf32".. */
  double least_microseconds; /* that the GPU's arithmetic in this precision at its highest clock, and its memory, need for them (the roofline);
                              * what is in its cache comes faster. 0: not known, on CPUs */
} ingot_layer_profile;
typedef void (*ingot_profiler_fn)(void *user, const ingot_layer_profile *layer);
INGOT_API ingot_status ingot_context_set_profiler(ingot_context *context, ingot_profiler_fn profiler, void *user);
/* How long a run took on a GPU, in microseconds: copying inputs there, the layers, copying outputs back. */
typedef struct ingot_run_times { double to_device, compute, from_device; } ingot_run_times;
/* Turns it on or off for the runs that follow; INGOT_E_STATE for engines that don't run on a GPU. */
INGOT_API ingot_status ingot_context_set_timing(ingot_context *context, bool timing);
/* Of the last run, for whose end it waits; INGOT_E_STATE where that wasn't timed. Copies to and from layers on the host are of the layers' time. */
INGOT_API ingot_status ingot_context_times(ingot_context *context, ingot_run_times *times);
/* Called with each layer's outputs as they are computed, in plain row-major float or the value's own type: for finding where two engines part. */
typedef void (*ingot_observer_fn)(void *user, const char *tensor, ingot_dtype dtype, int rank, const int64_t *dims, const void *data);
INGOT_API ingot_status ingot_context_set_observer(ingot_context *context, ingot_observer_fn observer, void *user);

typedef struct ingot_memory_info { size_t weights, activations, workspace; } ingot_memory_info; /* bytes */
INGOT_API ingot_status ingot_context_memory(const ingot_context *context, ingot_memory_info *info);

#ifdef __cplusplus
}
#endif
#endif
