/* What every CUDA source begins with: types, the kernel's frame, conversions, warps. Sources include this and nothing of the toolkit, so
 * that NVRTC alone compiles them. With INGOT_EMULATED defined the same sources are C++ for tests without a GPU (tests/cuda/): the few
 * things that only a GPU has are behind functions here and in mma.cuh, async.cuh and wgmma.cuh, which have both forms. */
#pragma once
#include "types.cuh"
#include "warp.cuh"
