/* Kernels for the tests of the emulated GPU itself; see emulated_machine_test.c. */
#include "ingot.cuh"
#include "act.cuh"

/* ---- Numbers. */
struct halves { const uint32_t *from; uint32_t *to; };
KERNEL(convert_halves, halves, 256, 1) { /* of all halves: the float, and what that becomes */
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  half h = {(uint16_t)i};
  p.to[2 * i] = float_bits(to_float(h));
  p.to[2 * i + 1] = half_bits(to_float(h));
}
KERNEL(convert_floats, halves, 256, 1) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  p.to[i] = half_pair(bits_float(p.from[i]), 0);
  p.to[gridDim.x * blockDim.x + i] = bfloat_pair(0, bits_float(p.from[i]));
}
struct out { int *to; };
KERNEL(numbers, out, 32, 1) {
  if (threadIdx.x) return;
  int n = 0;
  auto say = [&](int x) { p.to[n++] = x; };
  say(__float2int_rn(2.5f)), say(__float2int_rn(-3e9f)), say(__float2int_rz(3e9f)), say(__float2int_rd(-0.5f));
  say((int)__float2uint_rz(-1.f)), say((int)__float2uint_rn(5e9f)), say(__float2int_rn(bits_float(0x7fc00000)));
  say(__popc(0xf0f0)), say(__clz(1)), say(__clz(0)), say(__ffs(8)), say(__brev(1) == 0x80000000u);
  say(__byte_perm(0x03020100, 0x07060504, 0x7531)), say(__dp4a(0x01ff7f80, 0x02020202, 10)), say(__mulhi(1 << 30, 8));
  say(min(3, 4u)), say(max(-1, 2)), say(__funnelshift_l(0x80000000u, 1, 1)), say(__float2ll_rz(1e30f) == 0x7fffffffffffffffll);
  say(max(bits_float(0x7fc00000), 2.f)), say(GIVEN), say((int)(__umul64hi(1ull << 63, 6))), say(__CUDA_ARCH__);
}

/* ---- Warps. */
KERNEL(warps, out, 64, 1) { /* 16 values of each thread */
  int *to = p.to + threadIdx.x * 16, lane = threadIdx.x % 32, x = 100 + threadIdx.x;
  to[0] = __shfl_xor_sync(FULL, x, 5);
  to[1] = __shfl_sync(FULL, x, lane + 3);
  to[2] = __shfl_up_sync(FULL, x, 2);
  to[3] = __shfl_down_sync(FULL, x, 2, 8);
  to[4] = __shfl_sync(FULL, x, 3, 8);
  to[5] = (int)__ballot_sync(FULL, lane % 3 == 0);
  to[6] = __any_sync(FULL, threadIdx.x == 40);
  to[7] = __all_sync(FULL, threadIdx.x < 32);
  unsigned mask = lane % 2 ? 0xaaaaaaaau : 0x55555555u; /* two parts of a warp, at two places */
  if (lane % 2) to[8] = __shfl_xor_sync(mask, x, 2);
  else to[8] = (int)__ballot_sync(mask, lane < 8), __syncwarp(mask);
  to[9] = (int)(__shfl_xor_sync(FULL, (long long)x << 32, 1) >> 32);
  to[10] = (int)warp_sum((float)lane);
  to[11] = (int)warp_max((float)x);
  to[12] = ((const int *)emulated_warp_share(&x, sizeof x))[(lane + 1) % 32];
  to[13] = (int)__reduce_add_sync(FULL, 2);
  if (lane >= 20) return; /* the others go on without them */
  __syncwarp();
  to[14] = (int)__ballot_sync(FULL, 1);
  to[15] = ((const int *)emulated_warp_share(&x, sizeof x))[25];
}

/* ---- Barriers. */
struct sums { const float *from; float *to; int n; };
KERNEL(sum_blocks, sums, 256, 2) {
  SHARED(float, scratch);
  float x = 0;
  for (int i = threadIdx.x; i < p.n; i += blockDim.x) x += p.from[blockIdx.x * p.n + i];
  x = block_sum(x, scratch);
  if (threadIdx.x == 0) p.to[blockIdx.x] = x;
}
KERNEL(barriers, out, 256, 1) {
  SHARED(int, s);
  int t = threadIdx.x;
  if (t == 0) s[0] = s[1] = s[2] = 0;
  __syncthreads();
  if (t >= 192) { /* the last two warps end after they have arrived; the barrier of all goes on without them */
    emulated_barrier_arrive(2, 128);
    atomicAdd(&s[0], 1);
    return;
  }
  if (t >= 128) { /* the two before wait for them by a barrier of their own */
    emulated_barrier(2, 128);
    atomicAdd(&s[1], s[0]);
  } else {
    if (t % 2) __syncwarp(0xaaaaaaaau); /* halves of warps that take different ways */
    atomicAdd(&s[2], 1);
  }
  if (t % 3 == 0) __syncthreads();
  else __syncthreads();
  p.to[t] = s[1] + s[2];
}
KERNEL(lacks_a_barrier, out, 64, 1) {
  SHARED(int, s);
  s[threadIdx.x] = threadIdx.x;
  p.to[threadIdx.x] = s[(threadIdx.x + 1) % 64];
  p.to[64] = blockIdx.x;
}
KERNEL(groups, out, 256, 1) {
  int x = threadIdx.x;
  for (int i = 0; i < 3; i++) {
    const int *all = static_cast<const int *>(emulated_group_share(&x, sizeof x));
    int y = all[(threadIdx.x + 1) % 128];
    x = y + (i == 2 ? 1000 : 0);
  }
  p.to[threadIdx.x] = x;
}
/* A ring of 4 in shared memory, whose full and empty counters are waited for by looking. */
KERNEL(ring, out, 64, 1) {
  SHARED(volatile int, s); /* [0..3] values, [4] made, [5] taken */
  if (threadIdx.x == 0) s[4] = s[5] = 0;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 0; i < 1000; i++) {
      while (s[4] - s[5] == 4) emulated_yield();
      s[i % 4] = i;
      s[4] = i + 1;
    }
  } else if (threadIdx.x == 32) {
    int sum = 0;
    for (int i = 0; i < 1000; i++) {
      while (s[4] == i) emulated_yield();
      sum += s[i % 4];
      s[5] = i + 1;
    }
    p.to[0] = sum;
  }
}
KERNEL(atomics, out, 128, 1) {
  atomicAdd(p.to, 1);
  atomicMax(p.to + 1, (int)(blockIdx.x * blockDim.x + threadIdx.x));
  atomicAdd(reinterpret_cast<unsigned long long *>(p.to + 2), 1ull << 32);
  atomicAdd(reinterpret_cast<float *>(p.to + 4), 0.5f);
  if (atomicCAS(p.to + 5, 0, 7) == 0) atomicAdd(p.to + 6, 1);
  atomicInc(reinterpret_cast<unsigned *>(p.to + 7), 9);
}
KERNEL(clusters, out, 64, 1) {
  SHARED(int, s);
  unsigned rank = emulated_cluster_rank(), size = emulated_cluster_size();
  s[threadIdx.x] = (int)(blockIdx.x * 1000 + threadIdx.x);
  emulated_cluster_sync();
  const int *next = reinterpret_cast<const int *>(emulated_shared((rank + 1) % size));
  int x = next[63 - threadIdx.x];
  emulated_cluster_arrive();
  p.to[blockIdx.x * 64 + threadIdx.x] = x;
  emulated_cluster_wait();
}

/* ---- What must be found out. */
KERNEL(never_meets, out, 64, 1) {
  if (threadIdx.x < 32) emulated_barrier(1, 64);
  else emulated_barrier(3, 64);
}
KERNEL(never_comes, out, 64, 1) {
  SHARED(volatile int, s);
  s[0] = 0;
  while (!s[0]) emulated_yield();
}
KERNEL(parts, out, 32, 1) {
  if (threadIdx.x < 16) __syncwarp();
  else __shfl_xor_sync(FULL, 1, 1);
}
KERNEL(beyond, out, 32, 1) { p.to[256] = 1; }
KERNEL(just_beyond, out, 32, 1) { p.to[65] = 1; }
KERNEL(beyond_shared, out, 32, 1) {
  SHARED(int, s);
  s[33] = 1;
}
KERNEL(misaligned, out, 32, 1) { *reinterpret_cast<long long *>(p.to + 1) = 1; }
KERNEL(shifts_too_far, out, 32, 1) { p.to[0] = 1 << (blockDim.x + threadIdx.x); }
KERNEL(indexes_too_far, out, 32, 1) {
  int x[4] = {0, 1, 2, 3};
  p.to[0] = x[blockDim.x - threadIdx.x];
}
KERNEL(doesnt_wait, out, 32, 1) {}
KERNEL(waits, out, 32, 1) { grid_wait(), grid_launch(); }
struct deep { int levels; };
static int go_down(volatile int *above, int levels) {
  volatile int here[64];
  here[0] = *above + 1;
  return levels ? go_down(here, levels - 1) + here[0] : here[0];
}
KERNEL(uses_much_stack, deep, 32, 1) {
  volatile int zero = 0;
  if (go_down(&zero, p.levels) < 0) __syncthreads();
}

/* ---- The tensor copy engine. */
struct tensors {
  alignas(64) unsigned char map[128];
  alignas(64) unsigned char other[128];
  unsigned char *to;
  int bytes, at[5], offset[2], windows;
};
KERNEL(load_tensor, tensors, 32, 1) {
  SHARED(unsigned char, s);
  if (threadIdx.x == 0) {
    if (p.windows) emulated_tensor_load_windows(p.map, s, p.at, p.offset[0], p.offset[1]);
    else emulated_tensor_load_tiled(p.map, s, p.at);
  }
  __syncwarp();
  for (int i = threadIdx.x; i < p.bytes; i += 32) p.to[i] = s[i];
}
KERNEL(copy_tensor, tensors, 32, 1) { /* through shared memory into another */
  SHARED(unsigned char, s);
  if (threadIdx.x) return;
  emulated_tensor_load_tiled(p.map, s, p.at);
  emulated_tensor_store_tiled(p.other, s, p.at);
}
/* ---- Streams. */
struct adding { int *to; int n; };
KERNEL(add, adding, 64, 1) { atomicAdd(p.to + threadIdx.x, p.n); }
