/* Direct convolution (implicit matrix product) for any instruction set's tiles; the rows are in rows.c. */
#ifndef INGOT_KERNELS_CONV_DIRECT_H
#define INGOT_KERNELS_CONV_DIRECT_H
#include "backend/cpu/kernels/conv/geometry.h"
#include "backend/cpu/kernels/gemm/tile.h"

/* `plain`: the input is PLAIN (few channels: an image), else CHANNELS_LAST; the output is CHANNELS_LAST.
 * Packed: panel16 with K in the order ky, kx, channel, or channel, ky, kx where plain; then the bias of all groups' panels. */
bool ingot__direct_supports(const ingot__call *call, bool plain);
double ingot__direct_cost(const ingot__call *call, bool plain, const ingot__tiles *tiles);
size_t ingot__direct_workspace(const ingot__call *call, bool plain, const ingot__tiles *tiles);
size_t ingot__direct_pack_size(const ingot__call *call, bool plain);
void ingot__direct_pack(const ingot__call *call, bool plain, void *packed);
ingot_status ingot__direct_run(const ingot__call *call, bool plain, const ingot__tiles *tiles);
#endif
