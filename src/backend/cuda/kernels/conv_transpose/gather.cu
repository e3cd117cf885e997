/* Any transposed convolution, CHANNELS_LAST: a thread an output, which gathers what reaches it. For the few that aren't products
 * (dilations with strides, three dimensions). Defined before: ELEMENT, ACT. */
#include "ingot.cuh"
#include "conv_transpose/gather.h"
#include "act.cuh"
typedef ELEMENT T;

/* The input position that output position o reads at tap k along an axis; false: none. */
DEVICE bool source(const gather_params &p, int axis, int o, int k, int &in) {
  const int at = o + p.pad[axis] - k * p.dilation[axis];
  in = at / p.stride[axis];
  return at >= 0 && in * p.stride[axis] == at && in < p.in_dim[axis];
}

KERNEL(conv_transpose_gather, gather_params, 256, 1) {
  grid_launch();
  grid_wait();
  const int64_t outputs = p.images * p.out_dim[0] * p.out_dim[1] * p.out_dim[2] * p.groups * p.out_channels;
  for (int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x; i < outputs; i += (int64_t)gridDim.x * 256) {
    int64_t rest = i / (p.groups * p.out_channels);
    const int channel = (int)(i - rest * (p.groups * p.out_channels)), group = channel / p.out_channels, m = channel - group * p.out_channels;
    const int ox = (int)(rest % p.out_dim[2]);
    rest /= p.out_dim[2];
    const int oy = (int)(rest % p.out_dim[1]);
    rest /= p.out_dim[1];
    const int oz = (int)(rest % p.out_dim[0]);
    const int64_t image = rest / p.out_dim[0], taps = (int64_t)p.kernel[0] * p.kernel[1] * p.kernel[2];
    const T *in = (const T *)p.in + image * p.in_image + (int64_t)group * p.channels;
    const T *w = (const T *)p.weights + ((int64_t)group * p.channels * p.out_channels + m) * taps;
    float sum = 0;
    for (int kz = 0; kz < p.kernel[0]; kz++)
      for (int ky = 0; ky < p.kernel[1]; ky++)
        for (int kx = 0; kx < p.kernel[2]; kx++) {
          int z, y, x;
          if (!source(p, 0, oz, kz, z) || !source(p, 1, oy, ky, y) || !source(p, 2, ox, kx, x)) continue;
          const T *a = in + z * p.in_place[0] + y * p.in_place[1] + x * p.in_place[2];
          const T *b = w + (kz * p.kernel[1] + ky) * p.kernel[2] + kx;
          for (int c = 0; c < p.channels; c++) sum = fmaf(to_float(a[c]), to_float(b[c * p.out_channels * taps]), sum);
        }
    if (p.bias) sum += to_float(((const T *)p.bias)[channel]);
    if (p.residual)
      sum += to_float(((const T *)p.residual)[image * p.residual_image + oz * p.residual_place[0] + oy * p.residual_place[1] +
                                              ox * p.residual_place[2] + channel]);
    ((T *)p.out)[image * p.out_image + oz * p.out_place[0] + oy * p.out_place[1] + ox * p.out_place[2] + channel] =
      from_float<T>(activate(ACT, p.act_alpha, p.act_beta, sum));
  }
}
