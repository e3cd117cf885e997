/* Tiles in the compiler's own vectors of 4 floats, for any CPU: 2 pixels by 16 channels. */
#include <stddef.h>
#include <string.h>
typedef float vec4 __attribute__((vector_size(16)));
typedef int ivec4 __attribute__((vector_size(16)));
static inline vec4 load4(const float *p) { vec4 v; memcpy(&v, p, 16); return v; }
static inline void store4(float *p, vec4 v) { memcpy(p, &v, 16); }
static inline vec4 load_part4(const float *p, size_t n) {
  vec4 v = {0, 0, 0, 0};
  for (size_t i = 0; i < n; i++) v[i] = p[i];
  return v;
}
static inline void store_part4(float *p, size_t n, vec4 v) {
  for (size_t i = 0; i < n; i++) p[i] = v[i];
}
static inline vec4 pick4(ivec4 mask, vec4 yes, vec4 no) { return (vec4)((mask & (ivec4)yes) | (~mask & (ivec4)no)); }
#define VEC vec4
#define LANES 4
#define LOAD(p) load4(p)
#define STORE(p, v) store4((p), (v))
#define SET1(x) ((vec4){(x), (x), (x), (x)})
#define FMA(a, b, c) ((a) * (b) + (c))
#define MIN(a, b) pick4((ivec4)((a) < (b)), (a), (b))
#define MAX(a, b) pick4((ivec4)((a) > (b)), (a), (b))
#define LOAD_PART(p, n) load_part4((p), (n))
#define STORE_PART(p, n, v) store_part4((p), (n), (v))
#define TILES ingot__tiles_portable
#define TILES_ISA INGOT__ISA_PORTABLE
#define ROWS_1 2
#define ROWS_2 0
#define ROWS_4 0
#include "backend/cpu/kernels/gemm/tile.inc"
