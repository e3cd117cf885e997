/* Clusters (sm_90): blocks that run at once and read each other's shared memory. */
#pragma once
#include "types.cuh"
#ifdef INGOT_EMULATED
DEVICE void cluster_barrier() { emulated_cluster_sync(); }
DEVICE void cluster_meet() { emulated_cluster_sync(); }
/* Four floats out of block `rank`'s shared memory, at the place that `mine` is at in this block's. */
DEVICE vec<float, 4> cluster_load(const float *mine, uint32_t rank) {
  return load<4>((const float *)(emulated_shared(rank) + ((const unsigned char *)mine - emulated_self->shared)));
}
#elif __CUDA_ARCH__ >= 900
DEVICE void cluster_barrier() { /* what was written to shared memory before is visible to the cluster after */
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
/* All of the cluster have come here; what they wrote isn't ordered by it, which is what takes time: for the end, when others' shared memory
 * has been read. */
DEVICE void cluster_meet() { asm volatile("barrier.cluster.arrive.relaxed;\nbarrier.cluster.wait;" ::: "memory"); }
DEVICE vec<float, 4> cluster_load(const float *mine, uint32_t rank) {
  vec<float, 4> v;
  uint32_t at = (uint32_t)__cvta_generic_to_shared(mine);
  asm volatile("{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %4, %5;\nld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [there];\n}"
               : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3]) : "r"(at), "r"(rank) : "memory");
  return v;
}
#else /* a cluster is one block */
DEVICE void cluster_barrier() { __syncthreads(); }
DEVICE void cluster_meet() { __syncthreads(); }
DEVICE vec<float, 4> cluster_load(const float *mine, uint32_t) { return load<4>(mine); }
#endif
